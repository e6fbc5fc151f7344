"""The manifest: what a release is, in figures and digests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.compute as pc

from bridge.release import splits
from bridge.upstream.files import sha256_of
from dataset_card.configs import PROVENANCES, SPLITS
from dataset_card.schema import SCHEMA_VERSION

NAME = "magbridge-battery"
VERSION = "1.0.0"


def provenance(table: pa.Table) -> np.ndarray:
    """(n,) provenance of each row: `clean`, `anomaly` or `regime_b`."""
    names = dict(zip(("none", "synthetic_sensor_perturbation", "bridge_extrapolation"), PROVENANCES))
    return np.array([names[origin] for origin in table["anomaly_origin"].to_pylist()], dtype=object)


def make_manifest(table: pa.Table, rows: pandas.DataFrame, subsets: dict[str, np.ndarray], origin: dict) -> dict:
    """What a release is, where it comes from and how to make it again."""
    versions = sorted(set(rows["bridge_version"]))
    simulated = origin["upstream"]["name"] == "simulated"
    return {
        "name": f"{NAME}-simulated" if simulated else NAME,
        "version": VERSION,
        "schema_version": SCHEMA_VERSION,
        "bridge_version": versions[0] if len(versions) == 1 else versions,
        "bridge_config_hash": rows["bridge_config_hash"].iloc[0],
        "dataset_digest": dataset_digest(table),
        **origin,
        "counts": {
            "rows": len(rows),
            "cells": int(rows.loc[rows["regime"] == "grounded", "cell_id"].nunique()),
            "provenance": _counts(provenance(table)),
            "anomaly_subtype": _counts(rows["anomaly_subtype"]),
            "second_life_class": _counts(rows["second_life_class"].dropna()),
        },
        "soh_range": _soh_range(rows),
        "splits": {name: _split_summary(rows, subset) for name, subset in subsets.items()},
    }


def _counts(values) -> dict[str, int]:
    return {str(k): int(v) for k, v in pandas.Series(values).value_counts().sort_index().items()}


def _soh_range(rows: pandas.DataFrame) -> list[float] | None:
    soh = rows["soh"].dropna()
    return [float(soh.min()), float(soh.max())] if len(soh) else None


def _split_summary(rows: pandas.DataFrame, subset: np.ndarray) -> dict:
    return {
        "leakage": splits.leakage(rows, subset),
        "subsets": {
            s: {
                "rows": int((subset == s).sum()),
                "cells": int(rows.loc[subset == s, "cell_id"].nunique()),
                "soh_range": _soh_range(rows[subset == s]),
                "anomaly_subtype": _counts(rows.loc[subset == s, "anomaly_subtype"]),
            }
            for s in SPLITS
        },
    }


DIGEST_DECIMALS = 3
"""Signals enter the digest to 1e-3 nT, far below any noise: machines may round the last digits differently."""


def dataset_digest(table: pa.Table) -> str:
    """SHA-256 of the rows: the same for the same rows in the same order, however they are stored.

    It names a release in results and on leaderboards, and is the same where a release is rebuilt on other
    hardware. Files are vouched for to the last byte by `checksums.sha256`.
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table[name].combine_chunks()
        digest.update(f"{name}:{column.type}:{len(column)}\n".encode())
        if pa.types.is_fixed_size_list(column.type):
            digest.update(np.packbits(column.is_valid().to_numpy(zero_copy_only=False)).tobytes())
            digest.update(_rounded(column.flatten().to_numpy(zero_copy_only=False), DIGEST_DECIMALS))
        elif pa.types.is_float64(column.type):
            digest.update(np.packbits(column.is_valid().to_numpy(zero_copy_only=False)).tobytes())
            digest.update(_rounded(pc.fill_null(column, 0.0).to_numpy(), 9))
        else:
            digest.update(json.dumps(column.to_pylist()).encode())
    return digest.hexdigest()


def _rounded(values: np.ndarray, decimals: int) -> bytes:
    return (np.round(values, decimals) + 0.0).astype("<f8").tobytes()  # adding 0 turns -0 into 0


def files_digest(folder: Path) -> str:
    """SHA-256 over the checksums of a folder's Parquet files: another one for any other byte."""
    paths = sorted(folder.rglob("*.parquet"))
    lines = "".join(f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()
