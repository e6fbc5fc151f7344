"""The split of measured cells: by cell, ours or the laboratory's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas

from bridge.release.splits import by_cell_primary
from dataset_card.contract.configs import SPLITS
from dataset_card.faults import Fault, FaultyInput, fault, require

MAX_BYTES = 64 * 2**20


def default_split(rows: pandas.DataFrame, labels: Path) -> np.ndarray:
    """Subset of each row, 60, 20 and 20 % of the cells of each chemistry.

    Raises:
        FaultyInput: Too few cells for three subsets.
    """
    subset = by_cell_primary(rows)
    empty = [name for name in SPLITS if name not in subset]
    if empty:
        raise fault(
            labels,
            "",
            f"{rows['cell_id'].nunique()} cells, none of them for {empty[0]}",
            "at least 5 of one chemistry",
            "measure more cells, or name a split of your own with --split",
        )
    return subset


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
    faults: list[Fault] = []
    for name, names in members.items():
        for i in names:
            if i not in known:
                faults.append(Fault(str(path), name, repr(i), "a cell of the labels", "correct it or remove it"))
            if of.setdefault(i, name) != name:
                faults.append(
                    Fault(str(path), name, f"{i!r}, which is in {of[i]} too", "each in one subset", "remove one")
                )
    missing = sorted(known - set(of))
    if missing:
        faults.append(Fault(str(path), "", f"{missing[0]!r} in no subset", f"every {column}", "add it"))
    require(faults)
    subset = table[column].map(of)
    for cell, names in subset.groupby(table["cell_id"]).unique().items():
        if len(names) > 1:
            faults.append(
                Fault(
                    str(path),
                    f"cell {cell!r}",
                    f"scans in {' and '.join(sorted(names))}",
                    "a cell in one subset",
                    "this leaks: split by cell",
                )
            )
    empty = [name for name in SPLITS if name not in set(subset)]
    if empty:
        faults.append(Fault(str(path), empty[0], "no scan", "at least one cell in each subset", "move a cell"))
    require(faults)
    return subset.to_numpy(dtype=object)
