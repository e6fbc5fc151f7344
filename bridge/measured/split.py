"""The split of measured cells by cell: the default or the laboratory's own."""

from pathlib import Path

import numpy as np
import pandas

from bridge.errors import Mistakes, faulty
from bridge.release.splits import STRATUM_TRAIN_SHARE, STRATUM_VALIDATION_SHARE
from dataset_card.contract.configs import SPLITS
from dataset_card.errors import MagBridgeError
from dataset_card.running.templates import macros
from dataset_card.storage.documents import check_members, read_json
from dataset_card.storage.faults import require

FEWEST_TEST_CELLS = 5
"""With fewer, the variance of SOH that R2 divides by rests on only a few numbers."""


def default_split(rows: pandas.DataFrame, labels: Path) -> np.ndarray:
    """Return the subset of each row: 60, 20 and 20 % of each chemistry's cells, each over the range of SOH.

    Cells are sorted by mean SOH; test and validation cells are taken from this order at even distances, so that if
    possible none lies outside the range of the training cells.

    Raises:
        FaultyInput: If there are too few cells for three subsets.
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
        raise faulty("no_test_cells", count=len(subset), subset=empty[0], file=labels)
    return rows["cell_id"].map(subset).to_numpy(dtype=object)


def split_notes(rows: pandas.DataFrame, subset: np.ndarray) -> list[str]:
    """Describe in sentences what the test subset is too small for."""
    test = rows[subset == "test"]
    cells = test.groupby("cell_id")["soh"].mean()
    words = macros("bridge.measured", "notes.txt")
    classes = sorted(set(test["second_life_class"]))
    return words.split(cells, rows["cell_id"].nunique(), classes, FEWEST_TEST_CELLS).splitlines()


def own_split(path: Path, table: pandas.DataFrame) -> np.ndarray:
    """Return the subset of each row by a laboratory's own split: JSON that maps subsets to cell ids or scan ids.

    Raises:
        FaultyInput: If the file is not a split, a cell is in two subsets or in none, or a subset is empty.
    """
    try:
        members = check_members(read_json(path), str(path))
    except MagBridgeError as error:
        raise faulty("split_unreadable", reason=error, file=path) from error
    if set(members) != set(SPLITS):
        raise faulty("split_form", file=path)
    ids = [i for names in members.values() for i in names]
    column = "cell_id" if set(ids) <= set(table["cell_id"]) else "scan_id"
    known = set(table[column])
    of: dict[str, str] = {}
    faults = Mistakes(path)
    for name, names in members.items():
        for i in names:
            if i not in known:
                faults.add(name, "split_unknown", name=i)
            if of.setdefault(i, name) != name:
                faults.add(name, "split_twice", name=i, first=of[i])
    missing = sorted(known - set(of))
    if missing:
        faults.add("", "split_without", name=missing[0], column=column)
    require(faults)
    subset = table[column].map(of)
    unit = "battery_id" if "battery_id" in table else "cell_id"
    kept = unit.removesuffix("_id")
    for cell, names in subset.groupby(table[unit]).unique().items():
        if len(names) > 1:
            faults.add(f"{kept} {cell!r}", "split_leaks", subsets=" and ".join(sorted(names)), unit=kept)
    empty = [name for name in SPLITS if name not in set(subset)]
    if empty:
        faults.add(empty[0], "split_empty")
    require(faults)
    return subset.to_numpy(dtype=object)
