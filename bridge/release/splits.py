"""The two splits of a release."""

from __future__ import annotations

import random

import numpy as np
import pandas

PRIMARY_SEED, REGIME_B_SEED, RECORD_SEED = 42, 43, 42
TRAIN_CELLS, VALIDATION_CELLS = 39, 8
"""Of 56 cells; the other nine are the test subset."""
TRAIN_SHARE, VALIDATION_SHARE = 0.70, 0.15


def by_cell_primary(rows: pandas.DataFrame) -> np.ndarray:
    """Subset of every row, split by cell: no cell, and no parent with its anomaly, spans two subsets.

    The clean cells are shuffled and cut in the proportions 39 : 8 : 9; the three Regime-B
    pseudo-cells go to one subset each.

    Args:
        rows: Rows with `cell_id` and `regime`.

    Returns:
        (n,) array of `train`, `validation` or `test`.
    """
    extrapolated = rows["regime"] == "extrapolation"
    cells = sorted(rows.loc[~extrapolated, "cell_id"].unique())
    random.Random(PRIMARY_SEED).shuffle(cells)
    total = 56
    train = round(len(cells) * TRAIN_CELLS / total)
    validation = round(len(cells) * VALIDATION_CELLS / total)
    subset = {
        cell: "train" if i < train else "validation" if i < train + validation else "test"
        for i, cell in enumerate(cells)
    }
    pseudo_cells = sorted(rows.loc[extrapolated, "cell_id"].unique())
    random.Random(REGIME_B_SEED).shuffle(pseudo_cells)
    subset.update(zip(pseudo_cells, ("train", "validation", "test")))
    return rows["cell_id"].map(subset).to_numpy(dtype=object)


def by_record_optimistic_baseline(rows: pandas.DataFrame) -> np.ndarray:
    """Subset of every row, split at random by row, 70 / 15 / 15 %: optimistic, since cells and parents leak.

    Args:
        rows: Rows with `sample_id`.

    Returns:
        (n,) array of `train`, `validation` or `test`.
    """
    ids = sorted(rows["sample_id"])
    random.Random(RECORD_SEED).shuffle(ids)
    train, validation = int(len(ids) * TRAIN_SHARE), int(len(ids) * VALIDATION_SHARE)
    subset = {
        i: "train" if n < train else "validation" if n < train + validation else "test" for n, i in enumerate(ids)
    }
    return rows["sample_id"].map(subset).to_numpy(dtype=object)


def leakage(rows: pandas.DataFrame, subset: np.ndarray) -> dict[str, int]:
    """Cells found in more than one subset, and anomalies in another subset than their parent."""
    by_cell = pandas.Series(subset, index=rows["cell_id"].to_numpy()).groupby(level=0).nunique()
    by_id = dict(zip(rows["sample_id"], subset))
    pairs = sum(
        by_id[parent] != own for parent, own in zip(rows["parent_sample_id"], subset) if isinstance(parent, str)
    )
    return {"cells_in_more_than_one_subset": int((by_cell > 1).sum()), "parent_child_pairs_across_subsets": int(pairs)}
