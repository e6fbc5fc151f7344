"""Report what a split of a release leaks: shared cells, separated families, and repeated signals.

Works on any assignment of rows to subsets, the release's own or a user's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas

from bridge.release import splits
from dataset_card.contract.schema import MEASURED_CHANNELS
from dataset_card.errors import MagBridgeError
from dataset_card.running.templates import macros
from dataset_card.storage.documents import check_members, read_json

NEAR = 0.5
"""Signals closer than this are near-duplicates, in units of the signals' own noise; two independent draws of the same
signal are at distance 1. It must hold both for all steps and for only the noise."""

SLOW = 22
"""Number of the lowest cosine coefficients of a channel, which contain its shape; the others contain noise."""

_BLOCK = 1024


@dataclass(frozen=True)
class LeakageReport:
    """Leaks of one split; if it is clean, all lists are empty.

    Attributes:
        rows: Number of rows of each subset.
        unassigned: Number of rows of the release in no subset.
        shared_cells: Cells in more than one subset, with their subsets.
        separated_pairs: Parents and synthetic anomalies that are in different subsets.
        duplicates: Pairs of rows in different subsets with bitwise equal signals.
        near_duplicates: Pairs of rows in different subsets closer than `NEAR`, duplicates included, and their distance.
    """

    rows: dict[str, int]
    unassigned: int
    shared_cells: list[tuple[str, list[str]]]
    separated_pairs: list[tuple[str, str]]
    duplicates: list[tuple[str, str]]
    near_duplicates: list[tuple[str, str, float]]

    @property
    def clean(self) -> bool:
        """Whether nothing leaks."""
        return not (self.shared_cells or self.separated_pairs or self.near_duplicates)

    def as_dict(self) -> dict:
        """Return the report as plain values, for JSON."""
        return {"clean": self.clean, **asdict(self)}

    def text(self, shown: int) -> str:
        """Return the report for people, with the first `shown` leaks of each kind."""
        return macros("bridge.audit", "reports.txt").leaks(self, NEAR, shown)


def leakage_report(rows: pandas.DataFrame, signals: np.ndarray, split: Mapping[str, Sequence[str]]) -> LeakageReport:
    """Report what leaks between the subsets of a split.

    Args:
        rows: (n,) rows with `sample_id`, `parent_sample_id`, `cell_id`.
        signals: (n, T, C) their signals in nT.
        split: Sample ids of each subset; at least two subsets.

    Raises:
        MagBridgeError: If an id is unknown or in two subsets, or there is only one subset.
    """
    subset = np.array(assign(rows["sample_id"].tolist(), split), dtype=object)
    inside = np.array([name is not None for name in subset], dtype=bool)
    ids, kept = rows["sample_id"].to_numpy()[inside], signals[inside]
    near = []
    if kept.ndim == 3:  # the audit compares samples of v3's rows, each of which has its own noise
        of_shape = _near_pairs(kept, subset[inside], list(split))
        near = _of_one_draw(kept, of_shape, rows["parent_sample_id"].isna().to_numpy()[inside])
    return LeakageReport(
        rows={name: len(split[name]) for name in split},
        unassigned=int((~inside).sum()),
        shared_cells=list(splits.shared_cells(rows, subset).items()),
        separated_pairs=splits.separated_pairs(rows, subset),
        duplicates=[(ids[i], ids[j]) for i, j, _ in near if np.array_equal(kept[i], kept[j])],
        near_duplicates=[(ids[i], ids[j], distance) for i, j, distance in near],
    )


def read_split(path: Path) -> dict[str, list[str]]:
    """Read a split file: JSON that maps each subset to its sample ids, at the top level or under `sample_ids`.

    Raises:
        MagBridgeError: If the file is unreadable or has another form.
    """
    document = read_json(Path(path))
    return check_members(document.get("sample_ids", document), str(path))


def assign(sample_ids: Sequence[str], split: Mapping[str, Sequence[str]]) -> list[str | None]:
    """Return the subset of every row, None if it is in no subset.

    Raises:
        MagBridgeError: If an id is unknown or in two subsets, or there is only one subset.
    """
    if len(split) < 2:
        raise MagBridgeError(f"a split with the subsets {list(split)}: expected at least two")
    known = set(sample_ids)
    found: dict[str, str] = {}
    for name, ids in split.items():
        for sample_id in ids:
            if sample_id not in known:
                where = f"sample {sample_id!r} of subset {name!r}"
                raise MagBridgeError(f"{where} is not in the release; expected one of its sample ids")
            if sample_id in found:
                where = f"sample {sample_id!r} is in subset {found[sample_id]!r} and again in {name!r}"
                raise MagBridgeError(f"{where}; expected each sample once")
            found[sample_id] = name
    return [found.get(sample_id) for sample_id in sample_ids]


def noise_units(signals: np.ndarray) -> np.ndarray:
    """Return signals as (n, T * C) float32 numbers in units of their channel's typical noise.

    The noise of a channel is estimated from its steps: the median over signals of the standard deviation of
    x[t + 1] - x[t], divided by sqrt(2). Distances in these units do not depend on how signals vary with voltage.
    """
    noise = np.median(np.diff(signals, axis=1).std(axis=1), axis=0) / np.sqrt(2)
    centred = signals - signals.mean(axis=0)
    return np.ascontiguousarray((centred / np.where(noise > 0, noise, 1)).reshape(len(signals), -1), dtype=np.float32)


def _near_pairs(signals: np.ndarray, subset: np.ndarray, names: Sequence[str]) -> list[tuple[int, int, float]]:
    """Return pairs of rows in different subsets closer than `NEAR`: rms difference in noise units over sqrt(2)."""
    if not np.isfinite(signals).all():
        raise MagBridgeError("NaN or infinity in the signals: run `python -m bridge verify` on the release first")
    scaled = noise_units(signals)
    square = (scaled**2).sum(axis=1)
    bound = 2 * scaled.shape[1] * NEAR**2
    # float32 products lose about this much of the squared distance; exact distances are computed below.
    slack = 1e-5 * 2 * float(square.max(initial=0))
    pairs = []
    for first, second in combinations(names, 2):
        a, b = (np.flatnonzero(subset == name) for name in (first, second))
        for start in range(0, len(a), _BLOCK):
            block = a[start : start + _BLOCK]
            squared = square[block][:, None] + square[b] - 2 * scaled[block] @ scaled[b].T
            for i, j in np.argwhere(squared < bound + slack):
                difference = scaled[block[i]].astype(float) - scaled[b[j]]
                distance = float(np.sqrt((difference**2).mean() / 2))
                if distance < NEAR:
                    pairs.append((int(block[i]), int(b[j]), distance))
    return sorted(pairs, key=lambda pair: pair[2])


def _of_one_draw(
    signals: np.ndarray, pairs: list[tuple[int, int, float]], clean: np.ndarray
) -> list[tuple[int, int, float]]:
    """Return the pairs whose noise is also closer than `NEAR`.

    Smooth signals, whose steps depend on each other, come close by chance: they contain few independent numbers. Noise
    contains many, and no independent draws are close: the nearest of 31 million pairs of a v2 release are at .8.

    Args:
        signals: (n, T, C) in nT.
        pairs: Rows and their distance.
        clean: (n,) whether a row was not made from another; these rows show how noise varies.
    """
    if not pairs:
        return []
    noise = _white_noise(signals, clean)
    first, second = (np.array(rows) for rows in list(zip(*pairs))[:2])
    distance = np.sqrt(((noise[first] - noise[second]) ** 2).mean(axis=1) / 2)
    return [pair for pair, own in zip(pairs, distance) if own < NEAR]


def _white_noise(signals: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Return noise of the measured channels as (n, 312) uncorrelated numbers with mean square 1 over clean rows.

    The second moment is shrunk (Ledoit and Wolf 2004), so that few rows suffice.
    """
    from scipy.fft import dct
    from sklearn.covariance import ledoit_wolf

    fast = dct(signals[..., :MEASURED_CHANNELS], axis=1, norm="ortho")[:, SLOW:].reshape(len(signals), -1)
    scale = np.sqrt((fast[clean] ** 2).mean(axis=0))
    fast /= np.where(scale > 0, scale, 1)
    variance, directions = np.linalg.eigh(ledoit_wolf(fast[clean], assume_centered=True)[0])
    return fast @ directions / np.sqrt(np.where(variance > 0, variance, 1))
