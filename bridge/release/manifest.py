"""The manifest: what a release is, in figures and digests."""

from __future__ import annotations

import numpy as np
import pandas
import pyarrow as pa

from bridge.release import splits
from dataset_card.configs import SPLITS, provenance
from dataset_card.digests import dataset_digest
from dataset_card.schema import SCHEMA_VERSION

NAME = "magbridge-battery"
VERSION = "1.0.0"


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
            "provenance": _counts(provenance(rows["anomaly_origin"])),
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
