"""Baselines of v3, each on the terminals only, on the magnetic readings only, and on both.

Every choice is made on training cells: penalties by leave-one-out, weights of stacked readers on held-out cells;
boosting has fixed settings. The chemistry of a cell is recognised from its readings, and one learner is fitted per
chemistry: the moments and voltages of NMC and LFP are far apart. Readings are compressed with one scale per channel,
which keeps their patterns, and reduced to principal components.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmark.baselines.declaring import declare, histogram_boosting, scaled
from benchmark.baselines.functional import inner_folds
from benchmark.data import Subset
from benchmark.models import KeptByTask, Model
from benchmark.tasks import V3_TASKS, Task
from dataset_card.contract.editions import V3
from dataset_card.contract.physics import MAGNETICS, TERMINALS
from dataset_card.storage.arrays import spans

VIEWS = {"terminals": TERMINALS, "magnetics": MAGNETICS, "both": (*TERMINALS, *MAGNETICS)}
"""Views, the sets of channels that a baseline may see, by name."""

PARTS = {**{channel: (channel,) for channel in MAGNETICS}, **VIEWS}
STACKED = {name: [part for part, read in PARTS.items() if set(read) <= set(VIEWS[name])] for name in VIEWS}
"""Names in `PARTS` whose readers are stacked, by view."""

COMPONENTS = {"voltage": 12, "load": 24, "rest": 40, "scan": 24}
"""Number of principal components kept per channel; further ones carry noise."""

PENALTIES = tuple(10.0**k for k in range(-2, 7))
SQUARED = 5
"""Number of leading components per channel whose squares and products the quadratic ridge sees."""

BOOSTING: dict[str, Any] = {"max_iter": 100, "learning_rate": 0.06, "max_leaf_nodes": 8, "min_samples_leaf": 15}
NEIGHBOURS = 8
STEPS_KEPT = 16
"""Number of principal components of a pulse's steps that the discriminant sees."""

GAP = 0.1
"""Smallest gap between the readings of two chemistries, as a share of the range of all readings."""

DEFECT = 2.0
"""Root mean square, in standard deviations of healthy cells, from which a pattern has its full weight."""


def view(signals: np.ndarray, name: str) -> np.ndarray:
    """Select the channels of a view: signals (n, 681) of v3 to inputs (n, D)."""
    places = spans(V3)
    return np.concatenate([signals[:, places[channel]] for channel in PARTS[name]], axis=1, dtype=np.float64)


def channels(inputs: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Split the inputs (n, D) of a view into its channels, by name."""
    places = [spans(V3)[channel] for channel in PARTS[name]]
    edges = np.cumsum([place.stop - place.start for place in places])
    return dict(zip(PARTS[name], np.split(inputs, edges[:-1], axis=1)))


class Components:
    """Principal components of each channel, fitted on training rows.

    Heavy tails, such as the load field of a half-torn weld, are compressed: the components are computed from asinh of
    the distance from the median, in units of the channel's median absolute deviation.
    """

    def __init__(self, name: str):
        self.name = name

    def fit(self, inputs: np.ndarray) -> Components:
        """Fit the components of each channel."""
        self.fitted = {}
        for channel, x in channels(inputs, self.name).items():
            centre = np.median(x, axis=0)
            scale = float(np.median(np.abs(x - centre))) or 1.0
            drawn = np.arcsinh((x - centre) / scale)
            mean = drawn.mean(axis=0)
            _, _, axes = np.linalg.svd(drawn - mean, full_matrices=False)
            axes = axes[: COMPONENTS[channel]]
            spread = ((drawn - mean) @ axes.T).std(axis=0)
            # Few rows span fewer directions: leave out those without spread.
            spread[spread < 1e-6 * spread.max()] = np.inf
            self.fitted[channel] = centre, scale, mean, axes, spread
        return self

    def transform(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Compute the components (n, K) of each channel."""
        out = []
        for channel, x in channels(inputs, self.name).items():
            centre, scale, mean, axes, spread = self.fitted[channel]
            out.append((np.arcsinh((x - centre) / scale) - mean) @ axes.T / spread)
        return out


class HealthyMetric:
    """Readings in the metric of healthy cells: directions that vary among healthy cells get little weight.

    Each channel is whitened in its own coordinates, by the shrunk covariance (Ledoit and Wolf) of healthy rows.
    """

    def __init__(self, name: str):
        self.name = name

    def fit(self, healthy: np.ndarray) -> HealthyMetric:
        """Learn the metric from inputs (n, D) of healthy cells."""
        from sklearn.covariance import ledoit_wolf

        self.fitted = {}
        for channel, x in channels(healthy, self.name).items():
            if channel != "rest":
                mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-12
                variance, axes = np.linalg.eigh(ledoit_wolf((x - mean) / spread)[0])
                self.fitted[channel] = mean, spread, (axes / np.sqrt(variance)) @ axes.T
        return self

    def transform(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Compute the whitened readings (n, D) of each channel except `rest`, which is too long for so few rows."""
        read = channels(inputs, self.name)
        return [(read[c] - mean) / spread @ white for c, (mean, spread, white) in self.fitted.items()]


class Quadratic(KeptByTask):
    """Quadratic ridge on components, with a penalty chosen by leave-one-out on training rows."""

    scored_by = "decision_function"
    """Name of the learner's method that scores each class."""

    def __init__(self, name: str, seed: int, task: Task):
        self.name, self.seed, self.task = name, seed, task

    def fit(self, inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, healthy: tuple | None) -> Quadratic:
        """Fit components and learner."""
        self.components = Components(self.name).fit(inputs)
        self.learner = self._learner().fit(self.features(inputs), target)
        return self

    def _learner(self) -> Any:
        from sklearn.linear_model import RidgeClassifierCV, RidgeCV

        balanced = {"class_weight": "balanced"}
        return scaled(RidgeClassifierCV(PENALTIES, **balanced) if self.task.labels else RidgeCV(PENALTIES))

    def features(self, inputs: np.ndarray) -> np.ndarray:
        """Compute features (n, F): the components, and products of the leading ones."""
        parts = self.components.transform(inputs)
        main = np.concatenate([part[:, :SQUARED] for part in parts], axis=1)
        first, second = np.triu_indices(main.shape[1])
        return np.concatenate([*parts, main[:, first] * main[:, second]], axis=1)

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Predict the numbers or places of rows, or the score of each class, (n, K)."""
        return getattr(self.learner, self.scored_by if self.task.labels else "predict")(self.features(inputs))


class Boosted(Quadratic):
    """Boosting on components."""

    scored_by = "predict_proba"

    def _learner(self) -> Any:
        return boosting(self.task, self.seed)

    def features(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the components, (n, F)."""
        return np.concatenate(self.components.transform(inputs), axis=1)


def boosting(task: Task, seed: int):
    """Build the unfitted boosting for a task's target."""
    from sklearn.multioutput import MultiOutputRegressor

    learner = histogram_boosting(bool(task.labels), seed, **BOOSTING)
    return learner if task.second is None else MultiOutputRegressor(learner)


class Metric(Boosted):
    """Boosting for the defect's class, or nearest neighbours for its place, in the metric of healthy cells.

    For classes, the metric of each fold is learned without the fold's cells: a cell that took part in the metric looks
    healthier than one that did not.
    """

    def fit(self, inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, healthy: tuple | None) -> Metric:
        """Fit metric and learner."""
        from sklearn.neighbors import KNeighborsRegressor

        assert healthy is not None
        rows, cells = healthy
        self.metric = HealthyMetric(self.name).fit(rows)
        if not self.task.labels:
            self.learner = KNeighborsRegressor(NEIGHBOURS, weights="distance").fit(self.features(inputs), target)
            return self
        found = self.features(inputs)
        for fold in inner_folds(groups):
            others = HealthyMetric(self.name).fit(rows[~np.isin(cells, groups[fold])])
            found[fold] = self._features(others, inputs[fold])
        self.learner = boosting(self.task, self.seed).fit(found, target)
        return self

    def features(self, inputs: np.ndarray) -> np.ndarray:
        """Compute whitened readings, compressed for trees or as directions for neighbours, and their size, (n, F)."""
        return self._features(self.metric, inputs)

    def _features(self, metric: HealthyMetric, inputs: np.ndarray) -> np.ndarray:
        out = []
        # Voltages carry no place: for neighbours they are noise (26.1 mm without, 27.7 with, on validation cells).
        first = int(self.name == "both" and not self.task.labels)
        for white in metric.transform(inputs)[first:]:
            size = np.sqrt((white**2).mean(axis=1, keepdims=True))
            if self.task.labels:
                out += [np.arcsinh(white), np.log(size)]
            else:
                direction = white / (size * np.sqrt(white.shape[1]))
                out += [direction * np.minimum(size / DEFECT, 1), np.log(size)]
        return np.concatenate(out, axis=1)


class Discriminant(Quadratic):
    """Linear discriminant of a pulse's steps, the best of eight learners on terminals over folds of cells."""

    def fit(self, inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, healthy: tuple | None) -> Discriminant:
        """Fit the learner."""
        self.learner = self._learner().fit(self.features(inputs), target)
        return self

    def _learner(self) -> Any:
        from sklearn.decomposition import PCA
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        even = np.full(len(self.task.labels), 1 / len(self.task.labels))
        return scaled(PCA(STEPS_KEPT, whiten=True), LinearDiscriminantAnalysis(priors=even))

    def features(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the voltage before the pulse and the differences of the others from it, (n, 33)."""
        return np.concatenate([inputs[:, :1], inputs[:, 1:] - inputs[:, :1]], axis=1)


class Stacked(KeptByTask):
    """Readers of each channel, of several, and of all, weighted by their performance on held-out cells.

    Readings without information on the target then do no harm: otherwise, a learner on all readings fits their noise
    and does worse than one on the terminals.
    """

    def __init__(self, kind: str, name: str, seed: int, task: Task):
        self.kind, self.name, self.seed, self.task = kind, name, seed, task

    def fit(self, inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, healthy: tuple | None) -> Stacked:
        """Fit readers and weights."""
        from scipy.optimize import nnls

        held_out = np.empty((len(STACKED[self.name]), len(target)))
        for fold in inner_folds(groups):
            rest = np.setdiff1d(np.arange(len(target)), fold)
            readers = self._readers(inputs[rest], target[rest], groups[rest])
            held_out[:, fold] = [reader.scores(part) for reader, part in zip(readers, self._parts(inputs[fold]))]
        self.offset = float(target.mean())
        self.weights = nnls(held_out.T - self.offset, target - self.offset)[0]
        self.readers = self._readers(inputs, target, groups)
        return self

    def _parts(self, inputs: np.ndarray) -> list[np.ndarray]:
        read = channels(inputs, self.name)
        return [np.concatenate([read[c] for c in PARTS[part]], axis=1) for part in STACKED[self.name]]

    def _readers(self, inputs: np.ndarray, target: np.ndarray, groups: np.ndarray) -> list[Any]:
        make = KINDS[self.kind][0]
        parts = zip(STACKED[self.name], self._parts(inputs))
        return [make(name, self.seed, self.task).fit(part, target, groups, None) for name, part in parts]

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Predict the numbers of rows, (n,)."""
        found = [reader.scores(part) for reader, part in zip(self.readers, self._parts(inputs))]
        return self.offset + (np.array(found) - self.offset).T @ self.weights


class Reader(KeptByTask):
    """A learner for each chemistry, which is recognised from the readings.

    Args:
        kind: Key of `KINDS`.
        name: Name of the view.
        seed: Seed of the learner.
        task: Task that the reader is for.
    """

    def __init__(self, kind: str, name: str, seed: int, task: Task):
        self.kind, self.name, self.seed, self.task = kind, name, seed, task

    def _one(self) -> Any:
        if len(STACKED[self.name]) > 1 and self.task.is_regression and self.task.second is None:
            return Stacked(self.kind, self.name, self.seed, self.task)
        return KINDS[self.kind][0](self.name, self.seed, self.task)

    def fit(self, inputs: np.ndarray, target: np.ndarray, *, groups: np.ndarray, clean: Subset) -> Reader:
        """Fit the learners.

        Args:
            inputs: Inputs of the view, shape (n, D).
            target: Shape (n,), or (n, 2) for places in mm.
            groups: Cells, shape (n,).
            clean: Rows of healthy training cells.
        """
        if self.task.labels:
            self.classes_ = np.unique(target)
        of = self._level(inputs)
        self.border = border(of)
        sides = target[of > self.border], target[of <= self.border]
        if self.task.labels and any(len(np.unique(side)) < len(self.classes_) for side in sides):
            self.border = np.inf  # a learner of one chemistry would lack a class
        healthy, cells = view(clean.signals, self.name), clean.battery_ids
        self.learners = []
        for side in (False, True):
            rows, others = (of > self.border) == side, (self._level(healthy) > self.border) == side
            if rows.any():
                known = healthy[others], cells[others]
                self.learners.append(self._one().fit(inputs[rows], target[rows], groups[rows], known))
        self.n_features_ = inputs.shape[1]
        return self

    def _level(self, inputs: np.ndarray) -> np.ndarray:
        return level(channels(inputs, self.name))

    def decision_function(self, inputs: np.ndarray) -> np.ndarray:
        """Predict the score of each class, (n, K), or the numbers or places of rows."""
        side = self._level(inputs) > self.border
        out: np.ndarray | None = None
        for learner, rows in zip(self.learners, (~side, side)):
            if rows.any():
                found = learner.scores(inputs[rows])
                out = np.empty((len(inputs), *found.shape[1:])) if out is None else out
                out[rows] = found
        assert out is not None
        return out

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predict the labels, numbers or places of rows."""
        found = self.decision_function(inputs)
        return self.classes_[found.argmax(axis=1)] if self.task.labels else found


def level(read: dict[str, np.ndarray]) -> np.ndarray:
    """Compute the value (n,) that separates chemistries: the log size of the scan, or the voltage before the pulse."""
    return np.log(np.linalg.norm(read["scan"], axis=1)) if "scan" in read else read["voltage"][:, 0]


def border(of: np.ndarray) -> float:
    """Return the middle of the widest gap in values (n,), or infinity if no gap is wide and all are of one kind."""
    values = np.sort(of)
    edge = len(values) // 10  # each kind has at least a tenth of the rows
    gaps = np.diff(values[edge : len(values) - edge])
    if not len(gaps) or gaps.max() < GAP * (values[-1] - values[0]):
        return np.inf
    place = edge + int(gaps.argmax())
    return float(values[place : place + 2].mean())


class Constant(KeptByTask):
    """The training median of places, mean of numbers, or most frequent class; it reads no signal."""

    n_features_ = 0

    def __init__(self, task: Task):
        self.task = task

    def fit(self, inputs: np.ndarray, target: np.ndarray) -> Constant:
        """Keep the best constant."""
        if self.task.labels:
            labels, counts = np.unique(target, return_counts=True)
            self.value = labels[counts.argmax()]
        else:
            self.value = np.median(target, axis=0) if self.task.second else target.mean()
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return the constant, once per row."""
        return np.repeat(np.asarray(self.value)[None], len(inputs), axis=0)


TASKS = tuple(task.id for task in V3_TASKS)
KINDS = {
    "discriminant": (Discriminant, ("t5",), "Linear discriminant of the steps of {}, equal priors"),
    "ridge": (Quadratic, TASKS, "Quadratic ridge on principal components of {}, penalty by leave-one-out"),
    "boosting": (Boosted, TASKS, "Histogram gradient boosting on principal components of {}"),
    "metric": (Metric, ("t5", "t6"), "Boosting (T5) or neighbours (T6) of {} in the metric of healthy cells"),
}


def _model(kind: str, name: str) -> Model:
    """Declare a kind of reader on one view."""
    _, tasks, words = KINDS[kind]
    about = f"{words.format(' and '.join(VIEWS[name]))}; a learner for each chemistry."
    return Model(f"{kind}-{name}", tasks, partial(Reader, kind, name), about, partial(view, name=name), "full", (0,))


MODELS = (
    declare("constant-v3", TASKS, lambda seed, task: Constant(task), None, "full", (0,)),
    *(_model(kind, name) for kind in KINDS for name in VIEWS if kind != "discriminant" or name == "terminals"),
)
