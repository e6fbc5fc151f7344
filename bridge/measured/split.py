"""The split of measured cells: by cell, ours or the laboratory's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas

from bridge.release.splits import STRATUM_TRAIN_SHARE, STRATUM_VALIDATION_SHARE
from dataset_card.contract.configs import SPLITS
from dataset_card.storage.faults import Faults, FaultyInput, fault, require

MAX_BYTES = 64 * 2**20

FEWEST_TEST_CELLS = 5
"""With fewer, the variance of SOH that an R2 divides by is that of a few numbers."""


def default_split(rows: pandas.DataFrame, labels: Path) -> np.ndarray:
    """Subset of each row, 60, 20 and 20 % of the cells of each chemistry, each subset over the range of SOH.

    Cells stand in order of their mean SOH; test and validation cells are taken at even distances from that order, so
    that none of them lies beyond the cells that a model is trained on where this can be helped.

    Raises:
        FaultyInput: Too few cells for three subsets.
    """
    subset: dict[str, str] = {}
    for _, of in rows.groupby("chemistry"):
        cells = of.groupby("cell_id")["soh"].mean().sort_values(kind="stable").index.tolist()
        train, validation = (round(len(cells) * share) for share in (STRATUM_TRAIN_SHARE, STRATUM_VALIDATION_SHARE))
        names = dict.fromkeys(cells, "train")
        for name, count in (("test", len(cells) - train - validation), ("validation", validation)):
            free = [cell for cell in cells if names[cell] == "train"]
            places = ((np.arange(count) + 0.5) * len(free) / max(count, 1)).astype(int)
            names |= {free[place]: name for place in places}
        subset |= names
    empty = [name for name in SPLITS if name not in subset.values()]
    if empty:
        found = f"{len(subset)} cells, none of them for {empty[0]}"
        fix = "measure more cells, or name a split of your own with --split"
        raise fault(labels, "", found, "at least 5 of one chemistry", fix)
    return rows["cell_id"].map(subset).to_numpy(dtype=object)


def split_notes(rows: pandas.DataFrame, subset: np.ndarray) -> list[str]:
    """What the test subset is too small for, in sentences."""
    test = rows[subset == "test"]
    cells = test.groupby("cell_id")["soh"].mean()
    notes = []
    if len(cells) < FEWEST_TEST_CELLS:
        spans = f"SOH {cells.min():.2f} to {cells.max():.2f}"
        notes.append(f"The test subset has {len(cells)} of {rows['cell_id'].nunique()} cells ({spans}): an R2 of T1 on "
                     "so few says little and may be far below 0; score T1 by cross-validation over all cells "
                     "(python -m benchmark run --task t1 --protocol cross_validation).")  # fmt: skip
    classes = sorted(set(test["second_life_class"]))
    if len(classes) < 2:
        notes.append(f"The test subset holds {classes[0]} scans only: T2 cannot be scored on it; adopt more cells, or "
                     "split them yourself.")  # fmt: skip
    return notes


def own_split(path: Path, table: pandas.DataFrame) -> np.ndarray:
    """Subset of each row by a laboratory's own split: JSON that maps each subset to cell ids, or to scan ids.

    Raises:
        FaultyInput: Not such a file, a cell is in two subsets or in none, or a subset is empty.
    """
    form = '{"train": [cell ids], "validation": [...], "test": [...]}'
    try:
        if path.stat().st_size > MAX_BYTES:
            raise fault(path, "", f"{path.stat().st_size} bytes", f"at most {MAX_BYTES}", "name cells, not scans")
        members = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, FaultyInput):
            raise
        raise fault(path, "", f"not readable as JSON ({error})", form, "write it so") from error
    lists = isinstance(members, dict) and all(
        isinstance(v, list) and all(isinstance(i, str) for i in v) for v in members.values()
    )
    if not lists or set(members) != set(SPLITS):
        raise fault(path, "", "another form", form, "write it so")
    ids = [i for names in members.values() for i in names]
    column = "cell_id" if set(ids) <= set(table["cell_id"]) else "scan_id"
    known = set(table[column])
    of: dict[str, str] = {}
    faults = Faults(path)
    for name, names in members.items():
        for i in names:
            if i not in known:
                faults.add(name, repr(i), "a cell of the labels", "correct it or remove it")
            if of.setdefault(i, name) != name:
                faults.add(name, f"{i!r}, which is in {of[i]} too", "each in one subset", "remove one")
    missing = sorted(known - set(of))
    if missing:
        faults.add("", f"{missing[0]!r} in no subset", f"every {column}", "add it")
    require(faults)
    subset = table[column].map(of)
    unit = "battery_id" if "battery_id" in table else "cell_id"
    kept = unit.removesuffix("_id")
    for cell, names in subset.groupby(table[unit]).unique().items():
        if len(names) > 1:
            found, fix = f"scans in {' and '.join(sorted(names))}", f"this leaks: split by {kept}"
            faults.add(f"{kept} {cell!r}", found, f"a {kept} in one subset", fix)
    empty = [name for name in SPLITS if name not in set(subset)]
    if empty:
        faults.add(empty[0], "no scan", "at least one cell in each subset", "move a cell")
    require(faults)
    return subset.to_numpy(dtype=object)
