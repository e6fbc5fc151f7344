"""Readouts of a signal's shape: cosine coefficients whose weights follow the place of the scan.

A smooth signal is a few cosine coefficients a channel. Where across the cell a scan was taken changes what ageing does
to them, and no column tells it: it is estimated from the coefficients, and products with the estimates let every weight
follow the place. The measured channels alone enter the regression; nothing above `COEFFICIENTS` half waves a scan
does, so it reads no noise.

Chosen by cross-validation over the cells of a v2 release with the default seed: the number of coefficients (14, 22 and
30 tried) and the estimates multiplied (linear, squared, other components; R2 .914 without any, .929 with these). Test
cells of the release took part in that choice as those of any fold: the cross-validated figure is a little flattered.
The penalty is chosen anew in each fit, by cross-validation over its own training cells.
"""

from __future__ import annotations

import numpy as np

from benchmark.baselines.recipe import SecondLifeThreshold
from benchmark.data import Subset
from benchmark.models import Model
from benchmark.tasks import Task

COEFFICIENTS = 22
"""Cosine coefficients of each channel: half waves over the scan, 0 to 21."""

MEASURED = 4
"""The first four channels are measured, the last two derived from them."""

COMPONENTS = 4
"""Principal components of the unscaled coefficients that weights follow: place, level and voltage."""

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
INNER_FOLDS = 5
"""Folds over training cells that choose the penalty."""

BANDS = (22, 36, 61, 81, 100)
"""Edges of the bands of cosine coefficients whose power is a feature: mains lines lie in the last two."""

WINDOW = 10
TREES, LEAVES = 80, 8
FLOOR = 1e-6
"""Added to powers in nT^2 before the logarithm: far below any noise, far above rounding."""


def coefficients(signals: np.ndarray, channels: int = MEASURED) -> np.ndarray:
    """Orthonormal cosine coefficients of the first channels, (n, 100, 6) to (n, 22 * channels), in nT."""
    from scipy.fft import dct

    return dct(signals[..., :channels], axis=1, norm="ortho")[:, :COEFFICIENTS].reshape(len(signals), -1)


class Place:
    """Products of cosine coefficients with what tells a scan's place, level and voltage.

    Standardised coefficients' first component is the place across the cell but for noise (R2 .96 on v2); it enters with
    its square, the first four components of the unscaled coefficients at half weight.
    """

    def fit(self, rows: np.ndarray) -> Place:
        """Learns scales and components from coefficients (n, F)."""
        self.mean, self.scale = rows.mean(axis=0), rows.std(axis=0) + 1e-12
        centred = rows - self.mean
        self.place = _components(centred / self.scale, 1)
        self.components = _components(centred, COMPONENTS)
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Coefficients (n, F) to products (n, 7 F + 6)."""
        centred = rows - self.mean
        scaled = centred / self.scale
        place = scaled @ self.place
        factors = np.concatenate([place, place**2 - 1, 0.5 * centred @ self.components], axis=1)
        products = (scaled[:, None, :] * factors[:, :, None]).reshape(len(rows), -1)
        return np.concatenate([scaled, products, factors], axis=1)


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
    """T1: ridge regression of SOH on the products of `Place`."""

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> FunctionalRegressor:
        """Fits features, penalty and weights.

        Args:
            signals: Shape (n, 100, 6), nT.
            target: Shape (n,), SOH.
            clean: The same rows; their cells divide the folds that choose the penalty.
        """
        rows = coefficients(signals)
        self.features = Place().fit(rows)
        inputs = self.features.transform(rows)
        self.mean, self.offset = inputs.mean(axis=0), float(np.mean(target))
        inputs -= self.mean
        self.penalty_, self.weights = _ridge(inputs, target - self.offset, clean.cell_ids)
        self.n_features_ = inputs.shape[1]
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """SOH of each row, (n,)."""
        return (self.features.transform(coefficients(signals)) - self.mean) @ self.weights + self.offset


def _ridge(inputs: np.ndarray, target: np.ndarray, cells: np.ndarray) -> tuple[float, np.ndarray]:
    """The penalty with the least squared error over folds of the cells, and the weights (F,) it gives on all rows."""
    names, index = np.unique(cells, return_inverse=True)
    if len(names) < 2:
        index = np.arange(len(cells))  # one cell: its rows are all there is to divide
    fold = np.random.default_rng(0).permutation(index.max() + 1)[index] % INNER_FOLDS
    members = [np.flatnonzero(fold == f) for f in np.unique(fold)]
    squares = [inputs[rows].T @ inputs[rows] for rows in members]
    products = [inputs[rows].T @ target[rows] for rows in members]
    square, product, unit = sum(squares), sum(products), np.eye(inputs.shape[1])

    def error(penalty: float) -> float:
        total = 0.0
        for rows, s, p in zip(members, squares, products):
            weights = np.linalg.solve(square - s + penalty * unit, product - p)
            total += float(((target[rows] - inputs[rows] @ weights) ** 2).sum())
        return total

    penalty = min(PENALTIES, key=error)
    return penalty, np.linalg.solve(square + penalty * unit, product)


class FunctionalSecondLife(SecondLifeThreshold):
    """T2: the regressor's SOH against the threshold that defines the classes."""

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> FunctionalSecondLife:
        """Fits the regression on the SOH of the same rows; arguments as in `SecondLifeThreshold.fit`."""
        self.regressor = FunctionalRegressor().fit(clean.signals, clean.target, clean=clean)
        self.n_features_ = self.regressor.n_features_
        return self


def shape_features(signals: np.ndarray) -> np.ndarray:
    """What a fault changes in a smooth signal, (n, 100, 6) to (n, 174).

    Cosine coefficients of all channels, log power a band of higher ones, and the log roughness (second differences) of
    each channel's quietest and roughest window and of the whole row's windows in order.
    """
    from scipy.fft import dct

    n = len(signals)
    spectrum = dct(signals, axis=1, norm="ortho")
    power = [
        np.log((spectrum[:, low:high] ** 2).mean(axis=1) + FLOOR) for low, high in zip(BANDS, BANDS[1:], strict=False)
    ]
    rough = np.diff(signals, 2, axis=1)[:, : (signals.shape[1] - 2) // WINDOW * WINDOW]
    windows = np.log((rough**2).reshape(n, -1, WINDOW, signals.shape[2]).mean(axis=2) + FLOOR)
    quiet, loud = windows.min(axis=1), windows.max(axis=1)
    return np.concatenate(
        [spectrum[:, :COEFFICIENTS].reshape(n, -1), *power, quiet, loud, np.sort(quiet, axis=1)], axis=1
    )


class Consistency:
    """Whether the derived channels still follow from the measured ones.

    On v2, channel 5 is sqrt(Y^2 + Z^2 + xi) of its sensor with xi, what the sensor does not see, a function of voltage
    and step alone. So C^2 - Y^2 - Z^2 of clean rows lies on a line in voltage. Faulty rows would leave it if faults
    befell derived channels too; they befall the measured ones alone, so that this check has nothing to find there.
    """

    def fit(self, signals: np.ndarray) -> Consistency:
        """Learns the line of each sensor from clean rows (n, 100, 6)."""
        unseen = _unseen(signals)
        self.mean = unseen.mean(axis=0)
        centred = unseen - self.mean
        self.line = [np.linalg.eigh(c.T @ c)[1][:, -1] for c in (centred[..., 0], centred[..., 1])]
        return self

    def transform(self, signals: np.ndarray) -> np.ndarray:
        """Departures from the line, (n, 100, 6) to (n, 60): log mean square of windows, in order; log cosine powers.

        Departures are divided by twice the derived channel, to be in nT of that channel.
        """
        from scipy.fft import dct

        centred = _unseen(signals) - self.mean
        columns = []
        for sensor, line in enumerate(self.line):
            left = centred[..., sensor] - (centred[..., sensor] @ line)[:, None] * line
            left /= 2 * np.sqrt((signals[..., MEASURED + sensor] ** 2).mean(axis=1, keepdims=True)) + FLOOR
            windows = (left**2).reshape(len(left), -1, WINDOW).mean(axis=2)
            columns.append(np.sort(np.log(windows + FLOOR**2), axis=1))
            columns.append(np.log(dct(left, axis=1, norm="ortho")[:, : 2 * WINDOW] ** 2 + FLOOR**2))
        return np.concatenate(columns, axis=1)


def _unseen(signals: np.ndarray) -> np.ndarray:
    """C^2 - Y^2 - Z^2 of each sensor, (n, 100, 2) in nT^2."""
    squares = signals**2
    return squares[..., 4:6] - squares[..., 0:4:2] - squares[..., 1:4:2]


class BoostedShapes:
    """T3 and T4: boosted small trees on `shape_features`, and on `Consistency` where told.

    Args:
        seed: Of the boosting.
        consistent: Whether to add the consistency of derived channels.
    """

    def __init__(self, seed: int, consistent: bool):
        self.seed, self.consistent = seed, consistent

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> BoostedShapes:
        """Fits features and trees.

        Args:
            signals: Shape (n, 100, 6), nT.
            target: Shape (n,), labels.
            clean: The clean training rows of the run.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.consistency = Consistency().fit(clean.signals)
        inputs = self._features(signals)
        self.trees = HistGradientBoostingClassifier(
            max_iter=TREES,
            max_leaf_nodes=LEAVES,
            max_bins=64,
            class_weight="balanced",
            early_stopping=False,
            random_state=self.seed,
        ).fit(inputs, target)
        self.classes_, self.n_features_ = self.trees.classes_, inputs.shape[1]
        return self

    def predict_proba(self, signals: np.ndarray) -> np.ndarray:
        """Share of each class, (n, K), columns as in `classes_`."""
        return self.trees.predict_proba(self._features(signals))

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Class of each row, (n,)."""
        return self.trees.predict(self._features(signals))

    def _features(self, signals: np.ndarray) -> np.ndarray:
        shapes = shape_features(signals)
        return np.concatenate([shapes, self.consistency.transform(signals)], axis=1) if self.consistent else shapes


def _shape_model(seed: int, task: Task):
    return FunctionalRegressor() if task.is_regression else FunctionalSecondLife()


MODELS = (
    Model(
        "functional-ridge",
        ("t1", "t2"),
        _shape_model,
        "Ridge on 22 cosine coefficients of each measured channel and their products with the place estimated from "
        "them; for T2 its SOH against 0.85. Penalty chosen by cross-validation over training cells.",
        features=None,
    ),
    Model(
        "functional-boosting",
        ("t3", "t4"),
        lambda seed, task: BoostedShapes(seed, consistent=False),
        "Boosting, 80 trees of 8 leaves a class, on cosine coefficients, power a band and roughness a window; untuned.",
        features=None,
        seeds=(0, 1, 2),
    ),
    Model(
        "consistency-boosting",
        ("t3", "t4"),
        lambda seed, task: BoostedShapes(seed, consistent=True),
        "As functional-boosting, and whether derived channels still follow from measured ones; untuned.",
        features=None,
        seeds=(0, 1, 2),
    ),
)
