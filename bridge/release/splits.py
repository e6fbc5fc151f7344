"""The two splits of a release, as documents, and what a split leaks."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence

import numpy as np
import pandas

from bridge.identity import stratum_of
from dataset_card.contract.configs import SPLITS
from dataset_card.contract.editions import V1, V3, edition_of

PRIMARY, RECORD = "by_cell_primary", "by_record_optimistic_baseline"
PRIMARY_SEED, REGIME_B_SEED, RECORD_SEED = 42, 43, 42
TRAIN_CELLS, VALIDATION_CELLS = 39, 8
"""Of 56 cells in v1; the other nine are the test subset."""
TRAIN_SHARE, VALIDATION_SHARE = 0.70, 0.15
"""Shares of the rows in the split by record."""


STRATUM_TRAIN_SHARE, STRATUM_VALIDATION_SHARE = 0.60, 0.20
"""Shares of the batteries of each table, and of the Regime-B pseudo-cells, in v2."""

DEALT = ("train", "validation", "train", "test", "train")
"""Order in which v3's cells are dealt to the subsets."""


def by_cell_primary(rows: pandas.DataFrame) -> np.ndarray:
    """Return the subset of every row, split by cell: no cell or parent-anomaly pair spans two subsets.

    In v2 and for measured cells the unit is the battery: a cell is one visit to a battery, and all visits are in the
    same subset.

    In v1 the clean cells are shuffled and cut in the proportions 39 : 8 : 9; the three Regime-B pseudo-cells go to one
    subset each. In v2 the batteries of each table and the Regime-B pseudo-cells are shuffled and cut 60 : 20 : 20. In
    v3, whose strata are many and small, the shuffled cells are dealt to the subsets in turn, stratum after stratum.

    Args:
        rows: Rows with `cell_id`, from v2 on `battery_id`, `regime`, `chemistry`, `anomaly_origin`, `bridge_version`.

    Returns:
        (n,) array of `train`, `validation` or `test`.
    """
    edition = edition_of(rows["bridge_version"].iat[0])
    if edition is V1:
        return _by_cell(rows)
    strata: dict[str, list[str]] = {}
    unit = unit_of(rows)
    for row in rows.drop_duplicates(unit).sort_values(unit).to_dict("records"):
        strata.setdefault(stratum_of(row), []).append(row[unit])
    shuffler = random.Random(PRIMARY_SEED)
    subset: dict[str, str] = {}
    turn = itertools.cycle(DEALT)
    for _, units in sorted(strata.items()):
        shuffler.shuffle(units)
        shares = STRATUM_TRAIN_SHARE, STRATUM_VALIDATION_SHARE
        subset |= dict(zip(units, turn)) if edition is V3 else cut(units, *(round(len(units) * s) for s in shares))
    return rows[unit].map(subset).to_numpy(dtype=object)


def cut(units: Sequence[str], train: int, validation: int) -> dict[str, str]:
    """Assign the first `train` units to training, the next `validation` to validation, and the rest to test."""
    return dict(zip(units, ["train"] * train + ["validation"] * validation + ["test"] * len(units)))


def unit_of(rows: pandas.DataFrame) -> str:
    """Return the column that a split keeps whole: the battery, or the cell if every cell is a separate battery."""
    return "battery_id" if "battery_id" in rows else "cell_id"


def _by_cell(rows: pandas.DataFrame) -> np.ndarray:
    """Return v1's subset of every row."""
    extrapolated = rows["regime"] == "extrapolation"
    cells = sorted(rows.loc[~extrapolated, "cell_id"].unique())
    random.Random(PRIMARY_SEED).shuffle(cells)
    subset = cut(cells, *(round(len(cells) * part / 56) for part in (TRAIN_CELLS, VALIDATION_CELLS)))
    pseudo_cells = sorted(rows.loc[extrapolated, "cell_id"].unique())
    random.Random(REGIME_B_SEED).shuffle(pseudo_cells)
    subset.update(zip(pseudo_cells, ("train", "validation", "test")))
    return rows["cell_id"].map(subset).to_numpy(dtype=object)


def by_record_optimistic_baseline(rows: pandas.DataFrame) -> np.ndarray:
    """Return the subset of every row, split at random by row, 70 / 15 / 15 %; optimistic, as cells and parents leak.

    Args:
        rows: Rows with `sample_id`.

    Returns:
        (n,) array of `train`, `validation` or `test`.
    """
    ids = sorted(rows["sample_id"])
    random.Random(RECORD_SEED).shuffle(ids)
    subset = cut(ids, int(len(ids) * TRAIN_SHARE), int(len(ids) * VALIDATION_SHARE))
    return rows["sample_id"].map(subset).to_numpy(dtype=object)


LEAK_WARNING = (
    "Rows of one cell, and parents with their anomalies, fall into different subsets: scores on this split are "
    "optimistic. Use it only to measure that gap; report by_cell_primary."
)


def make_splits(rows: pandas.DataFrame) -> dict[str, np.ndarray]:
    """Return the subset of every row (n,), by the name of the split."""
    return {PRIMARY: by_cell_primary(rows), RECORD: by_record_optimistic_baseline(rows)}


def split_document(rows: pandas.DataFrame, name: str, subset: np.ndarray) -> dict:
    """Return a split as shipped in `splits/`: seed, counts, cells and ids of each subset, and a warning if it leaks."""
    members = {s: rows[subset == s] for s in SPLITS}
    return {
        "name": name,
        "seed": PRIMARY_SEED if name == PRIMARY else RECORD_SEED,
        "counts": {s: len(members[s]) for s in SPLITS},
        "warning": LEAK_WARNING if name == RECORD else None,
        "cells": {s: sorted(members[s]["cell_id"].unique()) for s in SPLITS},
        "sample_ids": {s: members[s]["sample_id"].tolist() for s in SPLITS},
    }


def shared_cells(rows: pandas.DataFrame, subset: Iterable[str | None]) -> dict[str, list[str]]:
    """Return batteries (in v1 cells) that are in more than one subset, and these subsets.

    Rows in no subset (None) do not count.
    """
    found: dict[str, set[str]] = {}
    for cell, name in zip(rows[unit_of(rows)], subset):
        if name is not None:
            found.setdefault(cell, set()).add(name)
    return {cell: sorted(names) for cell, names in sorted(found.items()) if len(names) > 1}


def separated_pairs(rows: pandas.DataFrame, subset: Iterable[str | None]) -> list[tuple[str, str]]:
    """Return parents and anomalies that are in different subsets; rows in no subset (None) do not count."""
    if "parent_sample_id" not in rows:  # v3: no row is made from another
        return []
    of = dict(zip(rows["sample_id"], subset))
    return [
        (parent, child)
        for parent, child in zip(rows["parent_sample_id"], rows["sample_id"])
        if None not in (of.get(parent), of[child]) and of[parent] != of[child]
    ]


def leakage(rows: pandas.DataFrame, subset: Iterable[str | None]) -> dict[str, int]:
    """Count batteries (in v1 cells) in more than one subset, and anomalies in another subset than their parent."""
    return {
        "cells_in_more_than_one_subset": len(shared_cells(rows, subset)),
        "parent_child_pairs_across_subsets": len(separated_pairs(rows, subset)),
    }
