"""Compare two releases: ids, labels and splits exactly, signals down to the last digit."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas

from bridge.audit.contents import Contents, read_contents, u_features
from bridge.release.splits import PRIMARY, RECORD
from dataset_card.errors import MagBridgeError
from dataset_card.running.templates import macros
from dataset_card.storage.arrays import place_of, signals


@dataclass(frozen=True)
class Comparison:
    """Differences between two releases, here and there.

    Attributes:
        shared: Number of rows with the same sample id.
        only_here: Sample ids of the first release that the second lacks.
        only_there: Sample ids of the second release that the first lacks.
        order: Whether the shared rows have the same order in both metadata tables.
        labels: Sample id, field, value here and value there, for every label that differs.
        splits: Split, sample id, subset here and subset there, for every row assigned differently.
        signals_differ: Number of shared rows whose signals are not bitwise equal.
        largest_nT: Largest difference of two signals, in nT; 0 if all are equal.
        largest_at: Sample id, channel and step of the largest difference, or None.
    """

    shared: int
    only_here: list[str]
    only_there: list[str]
    order: bool
    labels: list[tuple[str, str, object, object]]
    splits: list[tuple[str, str, str | None, str | None]]
    signals_differ: int
    largest_nT: float
    largest_at: tuple[str, str, int] | None = field(default=None)

    def same(self, tolerance_nT: float = 0.0) -> bool:
        """Tell whether ids, order, labels and splits are equal and all signals agree within the tolerance."""
        exact = not (self.only_here or self.only_there or self.labels or self.splits) and self.order
        return exact and self.largest_nT <= tolerance_nT

    def text(self) -> str:
        """Return the comparison for people: all differences of ids, labels and splits, and the largest of signals."""
        return macros("bridge.audit", "reports.txt").differences(self)


def compare_releases(here: Path, there: Path) -> Comparison:
    """Compare two releases, each a folder or a bundle.

    Args:
        here: The first release.
        there: The second release.

    Raises:
        MagBridgeError: If one of them cannot be read as a whole; audit it first.
    """
    with read_contents(here) as first, read_contents(there) as second:
        for path, contents in ((here, first), (there, second)):
            if not contents.table.num_rows or contents.metadata is None:
                raise MagBridgeError(f"{path}: {contents.findings[0]}; run `python -m bridge verify` on it first")
            if not contents.rows["sample_id"].is_unique:
                raise MagBridgeError(f"{path}: a sample id occurs twice; run `python -m bridge verify` on it first")
        return _compare(first, second)


def _compare(first: Contents, second: Contents) -> Comparison:
    rows = [contents.rows.set_index("sample_id", drop=False) for contents in (first, second)]
    if first.edition.fields != second.edition.fields:
        raise MagBridgeError(f"{second.root}: rows of another contract version than those of {first.root}")
    shared = [i for i in rows[0].index if i in set(rows[1].index)]
    in_both = set(shared)
    orders = [[i for i in contents.order if i in in_both] for contents in (first, second)]
    at = [frame.index.get_indexer(pandas.Index(shared)) for frame in rows]
    here, there = (signals(contents.table)[index] for contents, index in zip((first, second), at))
    own, others = (u_features(contents.table)[index] for contents, index in zip((first, second), at))
    other = ~((own == others) | np.isnan(own) & np.isnan(others))
    labels = _labels(*(frame.loc[shared] for frame in rows))
    labels += [(shared[i], f"u_features[{j}]", float(own[i, j]), float(others[i, j])) for i, j in np.argwhere(other)]
    largest, largest_at = 0.0, None
    gap = np.abs(here - there)
    # NaN on only one side is a difference of unknown size.
    gap[np.isnan(here) ^ np.isnan(there)] = np.inf
    gap = np.nan_to_num(gap, nan=0.0, posinf=np.inf)
    if gap.size and gap.max() > 0:
        i, *place = (int(k) for k in np.unravel_index(gap.argmax(), gap.shape))
        largest, largest_at = float(gap.max()), (shared[i], *place_of(first.edition, tuple(place)))
    return Comparison(
        shared=len(shared),
        only_here=[i for i in rows[0].index if i not in in_both],
        only_there=[i for i in rows[1].index if i not in in_both],
        order=orders[0] == orders[1],
        labels=labels,
        splits=_splits(first, second, shared),
        signals_differ=int((gap > 0).any(axis=tuple(range(1, gap.ndim))).sum()),
        largest_nT=largest,
        largest_at=largest_at,
    )


def _labels(here: pandas.DataFrame, there: pandas.DataFrame) -> list[tuple[str, str, object, object]]:
    return [
        (sample_id, name, a, b)
        for name in here.columns.intersection(there.columns)
        for sample_id, a, b in zip(here.index, here[name], there[name])
        if a != b
    ]


def _splits(first: Contents, second: Contents, shared: list[str]) -> list[tuple[str, str, str | None, str | None]]:
    different = []
    for name in (PRIMARY, RECORD):
        here, there = (contents.members(name) for contents in (first, second))
        different += [(name, i, here.get(i), there.get(i)) for i in shared if here.get(i) != there.get(i)]
    return different
