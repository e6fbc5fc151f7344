"""Cells, life windows and degradation proxies, with which codes are later compared.

Everything here depends only on the table of discharge segments, not on codes or models.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError

from .features import require_columns, require_known

INITIAL_SEGMENTS = 5  # Q0 is the median capacity of this many first segments
ONSET_FRACTION = 0.9  # onset of degradation: capacity at most this share of Q0 ...
ONSET_MEDIAN = 3  # ... in the median of this many successive segments
ONSET_FIRST = 4  # ... from this position (0-based: the 5th segment) on
FEWEST_SEGMENTS = 10  # with fewer, thirds and windows of a life have too few segments to be meaningful

REQUIRED_COLUMNS = ("cell_id", "cohort", "cycle", "capacity")


@dataclass(frozen=True)
class CellIndex:
    """The cell of each segment and its position in that cell's life.

    Attributes:
        cell_ids: Names of the cells, (C,).
        cohorts: Cohort of each cell, (C,).
        cell: Index of the cell of each segment, (N,).
        position: 0-based position of each segment among its cell's kept segments, (N,).
        n_segments: Kept segments per cell, (C,).
    """

    cell_ids: np.ndarray
    cohorts: np.ndarray
    cell: np.ndarray
    position: np.ndarray
    n_segments: np.ndarray

    @property
    def life(self) -> np.ndarray:
        """Relative position of each segment in its cell's life, in [0, 1), (N,)."""
        return self.position / self.n_segments[self.cell]

    @property
    def starts(self) -> np.ndarray:
        """Row of each cell's first segment, then the number of rows, (C + 1,)."""
        return np.concatenate([[0], np.cumsum(self.n_segments)])

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Split the values of all segments, (N,), by cell."""
        return np.split(values, self.starts[1:-1])

    def early(self, fraction: float) -> np.ndarray:
        """Mark the early window: the first ceil(fraction * n_c) segments of each cell, (N,) bool."""
        lengths = np.array([window_length(n, fraction) for n in self.n_segments])
        return self.position < lengths[self.cell]

    def third(self) -> np.ndarray:
        """Return the third of life that each segment is in: 0, 1 or 2, (N,)."""
        return np.minimum((3 * self.position) // self.n_segments[self.cell], 2)


def window_length(n_segments: int, fraction: float) -> int:
    """Count the segments in a cell's early window: ceil(fraction * n), safe against 0.28 * 25 = 7.000000000000001."""
    return math.ceil(round(fraction * int(n_segments), 9))


def valid_segments(segments: pd.DataFrame) -> pd.DataFrame:
    """Keep the valid segments, ordered by cell and cycle.

    Args:
        segments: One row per discharge segment with `cell_id`, `cohort`, `cycle`, `capacity` [Ah] and optionally
            `valid` (bool).

    Returns:
        The valid rows with a fresh index.

    Raises:
        MagBridgeError: If a column is missing, a segment occurs twice, a cell has two cohorts, or no row is left.
    """
    require_columns(segments, REQUIRED_COLUMNS, f"one row per discharge segment with {', '.join(REQUIRED_COLUMNS)}")
    kept = segments[segments["valid"].astype(bool)] if "valid" in segments else segments
    if kept.empty:
        raise MagBridgeError(f"none of the {len(segments)} segments is valid; expected at least one")
    twice = kept.duplicated(["cell_id", "cycle"])
    if twice.any():
        row = kept[twice].iloc[0]
        raise MagBridgeError(f"cell {row.cell_id} has cycle {row.cycle} twice; expected one row per cell and cycle")
    cohorts = kept.groupby("cell_id")["cohort"].nunique()
    if (cohorts != 1).any():
        cell = cohorts.index[cohorts != 1][0]
        raise MagBridgeError(f"cell {cell} needs exactly one cohort, the same in all its rows")
    return kept.sort_values(["cell_id", "cycle"], kind="stable").reset_index(drop=True)


def index_cells(segments: pd.DataFrame) -> CellIndex:
    """Index the rows of a table ordered by cell and cycle, such as `valid_segments` returns."""
    grouped = segments.groupby("cell_id", sort=False)
    cell_ids = np.array(list(grouped.groups), dtype=object)
    cohorts = grouped["cohort"].first().to_numpy(dtype=object)
    cell, position, n_segments = grouped.ngroup(), grouped.cumcount(), grouped.size()
    return CellIndex(cell_ids, cohorts, cell.to_numpy(), position.to_numpy(), n_segments.to_numpy())


def initial_capacity(capacity: np.ndarray) -> float:
    """Compute Q0, the median capacity of a cell's first five segments.

    Args:
        capacity: Capacities of one cell in order, (n,), in Ah.

    Returns:
        Q0 in Ah; NaN if it is not positive.
    """
    first = np.asarray(capacity, dtype=float)[:INITIAL_SEGMENTS]
    first = first[np.isfinite(first)]
    value = float(np.median(first)) if len(first) else math.nan
    return value if value > 0 else math.nan


def degradation_onset(capacity: np.ndarray) -> int | None:
    """Find the first position, from the 5th segment, whose trailing 3-segment median capacity is at most 0.9 Q0.

    Args:
        capacity: Capacities of one cell in order, (n,), in Ah.

    Returns:
        The 0-based position, or None if the cell never reaches it.
    """
    q0 = initial_capacity(capacity)
    if not math.isfinite(q0):
        return None
    smooth = pd.Series(np.asarray(capacity, dtype=float)).rolling(ONSET_MEDIAN, min_periods=1).median().to_numpy()
    reached = np.flatnonzero(smooth[ONSET_FIRST:] <= ONSET_FRACTION * q0)
    return int(reached[0]) + ONSET_FIRST if len(reached) else None


def _third(n: int, which: int) -> slice:
    bounds = [math.ceil(n * i / 3) for i in range(4)]
    return slice(bounds[which], bounds[which + 1])


def _finite(values: np.ndarray, statistic: Callable[[np.ndarray], float]) -> float:
    values = values[np.isfinite(values)]
    return float(statistic(values)) if len(values) else math.nan


def capacity_fade(cell: pd.DataFrame) -> float:
    """Compute 1 - mean capacity over the last third of life / Q0; NaN if it cannot be computed."""
    capacity = cell["capacity"].to_numpy(dtype=float)
    return 1 - _finite(capacity[_third(len(capacity), 2)], np.mean) / initial_capacity(capacity)


def late_resistance(cell: pd.DataFrame) -> float:
    """Compute the median voltage-sag resistance over the last third of life, in ohm; NaN if none is known."""
    resistance = cell["resistance_ohm"].to_numpy(dtype=float)
    return _finite(resistance[_third(len(resistance), 2)], np.median)


def resistance_growth(cell: pd.DataFrame) -> float:
    """Compute the median voltage-sag resistance of the last third of life over that of the first, less 1.

    NaN if either is not known, or if the first is 0.
    """
    resistance = cell["resistance_ohm"].to_numpy(dtype=float)
    first = _finite(resistance[_third(len(resistance), 0)], np.median)
    return late_resistance(cell) / first - 1 if first > 0 else math.nan


@dataclass(frozen=True)
class Proxy:
    """A number per cell that represents its late degradation; larger means more degraded.

    Attributes:
        label: Name in figures and reports.
        needs: Column of segments that it is computed from.
        compute: Function of a cell's valid segments in order, with that column.
    """

    label: str
    needs: str
    compute: Callable[[pd.DataFrame], float]


PROXIES = {
    "fade": Proxy("capacity fade", "capacity", capacity_fade),
    "r_late": Proxy("late resistance", "resistance_ohm", late_resistance),
    "r_growth": Proxy("resistance growth", "resistance_ohm", resistance_growth),
}


def cell_table(segments: pd.DataFrame, proxy: str, *, min_segments: int, early_fraction: float) -> pd.DataFrame:
    """Describe each cell: length, Q0, onset of degradation, early capacity drop, proxy, and why it is left out.

    Args:
        segments: Valid segments as `valid_segments` returns them.
        proxy: Name of a proxy in `PROXIES`.
        min_segments: Cells with fewer segments are left out of every association.
        early_fraction: Share of a cell's segments that forms its early window.

    Returns:
        One row per cell: `cell_id`, `cohort`, `n_segments`, `q0_Ah`, `onset` (position, NaN if never), `early_drop`,
        `proxy`, `left_out` (the reason, empty if the cell takes part).

    Raises:
        MagBridgeError: If the proxy is unknown, its column is missing, or it can be computed for no cell.
    """
    require_known("proxy", proxy, PROXIES)
    chosen = PROXIES[proxy]
    require_columns(segments, [chosen.needs], f"the column of proxy {proxy!r}")
    rows = []
    for cell_id, cell in segments.groupby("cell_id", sort=False):
        capacity = cell["capacity"].to_numpy(dtype=float)
        onset = degradation_onset(capacity)
        q0 = initial_capacity(capacity)
        value = chosen.compute(cell)
        end = window_length(len(cell), early_fraction)
        reason = ""
        if len(cell) < min_segments:
            reason = f"{len(cell)} valid segments, fewer than {min_segments}"
        elif not math.isfinite(value):
            reason = f"{chosen.label} cannot be computed: no usable {chosen.needs} where it is needed"
        early_drop = 1 - _finite(capacity[max(end - ONSET_MEDIAN, 0) : end], np.median) / q0
        at = math.nan if onset is None else onset
        rows.append((cell_id, cell["cohort"].iloc[0], len(cell), q0, at, early_drop, value, reason))
    columns = ["cell_id", "cohort", "n_segments", "q0_Ah", "onset", "early_drop", "proxy", "left_out"]
    table = pd.DataFrame(rows, columns=columns)
    if not (table["left_out"] == "").any():
        reasons = "; ".join(f"{row.cell_id}: {row.left_out}" for row in table.head(3).itertuples())
        raise MagBridgeError(f"no cell can take part in the analysis of {chosen.label} ({reasons})")
    return table
