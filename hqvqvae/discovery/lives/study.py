"""The cells of a search for codes that predict lives, and the plan that is fixed beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError

from ...cells.features import CHARGE_FEATURES, less_the_beginning
from ...cells.matr import CURVE_POINTS, load_cycles
from ...cells.proxies import CellIndex, index_cells

REFERENCE_WINDOW = (7, 11)  # cycles 8 to 12 of the MATR cells, whose first is cycle 2
TRAIN_STEP = 8  # models are trained on every 8th segment, because neighbours are alike; all segments get codes


@dataclass(frozen=True)
class LifePlan:
    """Choices fixed before the run and written into its report.

    Attributes:
        n_codes: Codebook sizes that each fold chooses from.
        folds: Number of parts that the cells are divided into, each cohort evenly; each part is held out once.
        inner_folds: Number of parts of the training cells, to choose the codebook size.
        min_cells_present: A code is eligible if at least this many training cells have it.
        reference_window: First and last segment, from 1, whose mean is a cell's beginning; None for unchanged features.
        n_permutations: Draws per null.
        n_alarm_orders: Draws for the null of alarms, each of which fits sixty warning scores.
        seed: Seed of folds, models and nulls.
    """

    n_codes: tuple[int, ...] = (3, 4, 6, 8)
    folds: int = 10
    inner_folds: int = 5
    min_cells_present: int = 6
    reference_window: tuple[int, int] | None = REFERENCE_WINDOW
    n_permutations: int = 199
    n_alarm_orders: int = 39
    seed: int = 0

    def __post_init__(self):
        if min(self.folds, self.inner_folds) < 2 or self.n_permutations < 99 or not self.n_codes:
            sizes = f"{self.n_permutations} permutations, codebooks of {list(self.n_codes)}"
            expected = "expected at least 2 folds, 2 inner folds, 99 permutations and one codebook size"
            raise MagBridgeError(f"{self.folds} folds, {self.inner_folds} inner folds, {sizes}; {expected}")


@dataclass(frozen=True)
class LifeStudy:
    """Cells with known lives, prepared once for all methods.

    Attributes:
        plan: The choices fixed beforehand.
        table: The model's input, one row per segment after the reference window, in order of cell and cycle.
        names: Names of its features.
        index: Cells and their segments.
        lives: Life of each cell in cycles, (C,).
        splits: Published split of each cell, (C,).
        bounds: Features of the predictors without codes, one row per cell (C rows).
    """

    plan: LifePlan
    table: pd.DataFrame
    names: tuple[str, ...]
    index: CellIndex
    lives: np.ndarray
    splits: np.ndarray
    bounds: pd.DataFrame = field(repr=False)

    @property
    def severity(self) -> np.ndarray:
        """Minus the log of the life, (C,): lives span a factor of 15; larger means more degraded."""
        return -np.log(self.lives)

    @property
    def features(self) -> np.ndarray:
        """The model's input, (N, F)."""
        return self.table[list(self.names)].to_numpy(dtype=float)


def prepare(
    plan: LifePlan = LifePlan(),
    cells: Sequence[str] | None = None,
    cycles: pd.DataFrame | None = None,
    curves: pd.DataFrame | None = None,
) -> LifeStudy:
    """Prepare the MATR cells, or some of them.

    Args:
        plan: The choices fixed before the run.
        cells: The cells to take; all by default.
        cycles: A table to use in place of that of `matr.load_cycles`.
        curves: A table from `matr.read_curves`, to use as the model's input in place of the features.

    Returns:
        The prepared cells.

    Raises:
        MagBridgeError: If there are fewer than two cells per fold.
    """
    table = load_cycles() if cycles is None else cycles
    if cells is not None:
        table = table[table["cell_id"].isin(cells)]
    names = CHARGE_FEATURES
    if curves is not None:
        table = table.merge(curves, on=["cell_id", "cycle"], how="left")
        names = CURVE_POINTS
    last = table.groupby("cell_id", sort=True).tail(1).sort_values("cell_id")
    if plan.reference_window is None:
        first = table.groupby("cell_id", sort=False).cumcount() >= REFERENCE_WINDOW[1]
        table = table[first].sort_values(["cell_id", "cycle"], kind="stable").reset_index(drop=True)
    else:
        table = less_the_beginning(table, list(dict.fromkeys((*CHARGE_FEATURES, *names))), plan.reference_window)
    index = index_cells(table)
    if len(index.cell_ids) < 2 * plan.folds:
        raise MagBridgeError(f"{len(index.cell_ids)} cells in {plan.folds} folds; expected at least two per fold")
    of_cells = table.groupby("cell_id", sort=True)
    drift = of_cells[list(CHARGE_FEATURES)].apply(lambda rows: rows.tail(10).mean())
    bounds = drift.assign(dq_log_var=last.set_index("cell_id")["dq_log_var"])
    lives, splits = (of_cells[name].first().to_numpy() for name in ("life_cycles", "split"))
    return LifeStudy(plan, table, names, index, lives.astype(float), splits.astype(object), bounds)


def balanced_folds(cohorts: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Assign each cell to a fold, (C,), spreading each cohort over the folds as evenly as possible."""
    fold = np.empty(len(cohorts), dtype=int)
    offset = 0
    for cohort in np.unique(cohorts):
        members = rng.permutation(np.flatnonzero(cohorts == cohort))
        fold[members] = (offset + np.arange(len(members))) % n
        offset += len(members)
    return fold
