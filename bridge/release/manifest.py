"""The manifest: a release described in figures and digests."""

from __future__ import annotations

import numpy as np
import pandas
import pyarrow as pa

from bridge.identity import stratum_of
from bridge.release import splits
from bridge.v3.config import PhysicsConfig
from bridge.v3.release import readings
from dataset_card.contract.configs import SPLITS, provenance
from dataset_card.contract.editions import MEASURED, V1, V2, V3, Edition, edition_of
from dataset_card.storage.digests import dataset_digest


def make_manifest(table: pa.Table, rows: pandas.DataFrame, subsets: dict[str, np.ndarray], origin: dict) -> dict:
    """Return the manifest: what a release is, where it comes from and how to make it again.

    Args:
        table: (n,) rows by the contract, in release order.
        rows: (n,) their scalar fields.
        subsets: (n,) subset of each row, by the name of the split.
        origin: Entries that cannot be derived from the rows.
    """
    versions = sorted(set(rows["bridge_version"]))
    edition = edition_of(versions[0])
    return {
        "name": edition.name + ("-simulated" if origin["upstream"]["name"] == "simulated" else ""),
        "version": edition.version,
        "schema_version": edition.schema_version,
        "bridge_version": versions[0] if len(versions) == 1 else versions,
        "bridge_config_hash": rows["bridge_config_hash"].iloc[0],
        "dataset_digest": dataset_digest(table),
        **origin,
        **(readings(PhysicsConfig.of(origin["config"])) if edition is V3 else {}),
        **summarise(rows, subsets),
    }


def summarise(rows: pandas.DataFrame, subsets: dict[str, np.ndarray]) -> dict:
    """Return counts and the range of SOH, over all rows and in the subsets of each split."""
    edition = edition_of(rows["bridge_version"].iat[0])
    grounded = rows if edition is V3 else rows[rows["regime"] == "grounded"]
    of_all, of_subset = CLASSES.get(edition, (("anomaly_subtype", "second_life_class"), ("anomaly_subtype",)))
    return {
        "counts": {
            "rows": len(rows),
            "cells": int(grounded["cell_id"].nunique()),
            **_batteries(grounded, edition),
            "provenance": _counts(provenance(rows[edition.origin])),
            **{name: _counts(rows[name].dropna()) for name in of_all},
            **({"tables": _tables(rows)} if edition in (V2, MEASURED) else {}),
        },
        "soh_range": _soh_range(rows),
        "splits": {
            name: {
                "leakage": splits.leakage(rows, subset),
                "subsets": {s: _subset_summary(rows[subset == s], of_subset) for s in SPLITS},
            }
            for name, subset in subsets.items()
        },
    }


CLASSES = {V3: (("chemistry", "stack", "defect"), ("chemistry", "defect"))}
"""Columns whose values are counted, over all rows and in each subset, for editions without scans."""


def _batteries(rows: pandas.DataFrame, edition: Edition) -> dict:
    """Return the number of batteries, and from v2 on how many age by each law."""
    if edition in (V1, V3):
        return {}
    laws = rows.drop_duplicates("battery_id")["ageing_law"].dropna()
    return {"batteries": int(rows["battery_id"].nunique()), **({"ageing_law": _counts(laws)} if len(laws) else {})}


def _counts(values) -> dict[str, int]:
    return {str(k): int(v) for k, v in pandas.Series(values).value_counts().sort_index().items()}


def _tables(rows: pandas.DataFrame) -> dict[str, dict]:
    """Return cells, clean rows and SOH range of each pulse table, or of each chemistry of a user's own cells."""
    clean = rows[rows["anomaly_origin"] == "none"]
    grouped = clean.groupby([stratum_of(row) for row in clean.to_dict("records")], sort=True)
    return {
        str(name): {"cells": int(part["cell_id"].nunique()), "clean": len(part), "soh_range": _soh_range(part)}
        for name, part in grouped
    }


def _soh_range(rows: pandas.DataFrame) -> list[float] | None:
    soh = rows["soh"].dropna()
    return [float(soh.min()), float(soh.max())] if len(soh) else None


def _subset_summary(rows: pandas.DataFrame, classes: tuple[str, ...]) -> dict:
    counts = {name: _counts(rows[name]) for name in classes}
    return {"rows": len(rows), "cells": int(rows["cell_id"].nunique()), "soh_range": _soh_range(rows), **counts}
