"""The effect of a split on a score: leakage, and the luck of the batteries and rows drawn for the test.

Each official split is one draw. Batteries are dealt again into subsets of the same sizes, and so are rows. The scores
of a model on many such deals show how far one draw may be off, and how much of the gap is due to leakage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.baselines import get_model
from benchmark.data import REGIME_B_PREFIX, Subset, TaskData, load_task
from benchmark.models import Model
from benchmark.protocol import evaluate_model
from benchmark.tasks import OPTIMISTIC_SPLIT, PRIMARY_SPLIT
from dataset_card.contract.schema import table_of

DEALS = 15
"""Number of random splits by battery, and of random splits by row."""

MODELS = {
    "t1": ("ridge", "noise-level", "functional-signed"),
    "t2": ("ridge-classifier", "logistic-regression"),
    "t3": ("logistic-regression",),
    "t4": ("logistic-regression", "random-forest"),
}
"""Models that are fitted in seconds; readers are scored only on the releases of their bridge."""


@dataclass(frozen=True)
class Spread:
    """Headline scores of one model.

    Attributes:
        task: Task id.
        model: Name of the model.
        by_cell: Score on the official split by cell, mean over the model's seeds.
        by_row: Score on the official optimistic split, mean over the model's seeds.
        cell_deals: Score on each deal of cells, seed 0.
        row_deals: Score on each deal of rows into subsets of the same sizes, seed 0.
    """

    task: str
    model: str
    by_cell: float
    by_row: float
    cell_deals: tuple[float, ...]
    row_deals: tuple[float, ...]

    @property
    def gap(self) -> float:
        """Score on the optimistic split minus that on the split by cell: the sum of `luck`, `leakage` and `rest`."""
        return self.by_row - self.by_cell

    @property
    def luck(self) -> float:
        """Average score on deals of cells minus the score on the official split by cell."""
        return float(np.mean(self.cell_deals)) - self.by_cell

    @property
    def leakage(self) -> float:
        """Average score on deals of rows minus that on deals of cells, with equal numbers of training rows."""
        return float(np.mean(self.row_deals) - np.mean(self.cell_deals))

    @property
    def leakage_error(self) -> float:
        """Standard error of `leakage`."""
        return float(np.sqrt((np.var(self.row_deals, ddof=1) + np.var(self.cell_deals, ddof=1)) / len(self.cell_deals)))

    @property
    def stds(self) -> tuple[float, float]:
        """Standard deviations over the deals of cells and over the deals of rows."""
        return float(np.std(self.cell_deals, ddof=1)), float(np.std(self.row_deals, ddof=1))

    @property
    def rest(self) -> float:
        """Score on the official optimistic split minus the average on deals of rows: due to its draw and its size."""
        return self.by_row - float(np.mean(self.row_deals))


def spread(task: str, model: str, release: str | Path) -> Spread:
    """Score a model on both official splits and on `DEALS` deals of each kind."""
    declared = get_model(model)
    honest, leaking = (load_task(task, release, split) for split in (PRIMARY_SPLIT, OPTIMISTIC_SPLIT))
    by_cell, by_row = (evaluate_model(task, declared, data, sampling="rows").mean() for data in (honest, leaking))
    cells, rows = (tuple(_score(declared, data) for data in deals(honest, whole)) for whole in (True, False))
    return Spread(task, model, by_cell, by_row, cells, rows)


def deals(data: TaskData, whole_batteries: bool) -> Iterator[TaskData]:
    """Yield the rows of a task dealt at random into subsets of their present sizes, `DEALS` times.

    A deal that lacks a class in its test or training rows is repeated.

    Args:
        data: Rows of the split by cell.
        whole_batteries: Whether to keep the rows of a battery together; batteries are then dealt within their table,
            and Regime-B's pseudo-cells stay in their subsets.
    """
    subsets = data.subsets()
    pool = Subset.concatenate(subsets)
    home = np.repeat(np.arange(len(subsets)), [len(subset) for subset in subsets])
    batteries, first, battery_of = np.unique(pool.battery_ids, return_index=True, return_inverse=True)
    strata = np.array([b if b.startswith(REGIME_B_PREFIX) else _stratum(b) for b in batteries.tolist()])
    rng, dealt = np.random.default_rng(0), 0
    while dealt < DEALS:
        if whole_batteries:
            moved = home[first]
            for stratum in np.unique(strata):
                members = np.flatnonzero(strata == stratum)
                moved[members] = rng.permutation(moved[members])
            place = moved[battery_of]
        else:
            place = rng.permutation(home)
        train, *validation, test = (pool.take(place == number) for number in range(len(subsets)))
        if all(set(data.task.labels) <= set(part.target.tolist()) for part in (train, test)):
            dealt += 1
            rows = train, validation[0] if validation else None, test
            yield TaskData(data.task, *rows, load_clean=partial(dict, train=train))  # for models that fit on clean rows


def _stratum(battery: str) -> str:
    return "" if table_of(battery) == battery else table_of(battery)


def _score(model: Model, data: TaskData) -> float:
    return evaluate_model(data.task, model, data, sampling="rows", seeds=(0,)).mean()
