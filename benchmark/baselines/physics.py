"""Baselines of v3, each on the terminals alone, on the magnetic readings alone, and on both.

Every choice is made on training cells: ridge penalties by leave-one-out within them, boosting at its library's
defaults. Readings are standardised and reduced to their largest principal components.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmark.models import KeptByTask, Model
from benchmark.tasks import V3_TASKS, Task
from dataset_card.contract.editions import V3
from dataset_card.contract.physics import MAGNETICS, TERMINALS
from dataset_card.storage.arrays import spans

VIEWS = {"terminals": TERMINALS, "magnetics": MAGNETICS, "both": (*TERMINALS, *MAGNETICS)}
"""What a baseline sees: channels by the name of the view."""

COMPONENTS = {"voltage": 12, "load": 24, "rest": 40, "scan": 24}
"""Principal components kept of each channel, the largest. More carry noise."""

PENALTIES = tuple(10.0**k for k in range(-2, 7))
SQUARED = 12
"""Components of each channel, the largest, whose squares and products the quadratic ridge sees."""


def view(signals: np.ndarray, name: str) -> np.ndarray:
    """(n, D) the channels of a view, from the signals (n, 681) of v3."""
    places = spans(V3)
    return np.concatenate([signals[:, places[channel]] for channel in VIEWS[name]], axis=1, dtype=np.float64)


class Components:
    """Standardised principal components of each channel, fitted on training rows.

    Heavy tails, as of the load field of a half-torn weld, are drawn in: sign(z) log(1 + |z|).
    """

    def __init__(self, name: str):
        self.name = name

    def _channels(self, inputs: np.ndarray):
        places, start = spans(V3), 0
        for channel in VIEWS[self.name]:
            width = places[channel].stop - places[channel].start
            yield channel, inputs[:, start : start + width]
            start += width

    def fit(self, inputs: np.ndarray) -> Components:
        """Fits the components of each channel."""
        self.fitted = {}
        for channel, x in self._channels(inputs):
            mean, scale = x.mean(axis=0), x.std(axis=0)
            white = _drawn_in((x - mean) / scale)
            centre = white.mean(axis=0)
            _, _, axes = np.linalg.svd(white - centre, full_matrices=False)
            axes = axes[: COMPONENTS[channel]]
            self.fitted[channel] = mean, scale, centre, axes, ((white - centre) @ axes.T).std(axis=0)
        return self

    def transform(self, inputs: np.ndarray) -> list[np.ndarray]:
        """(n, K) components of each channel."""
        out = []
        for channel, x in self._channels(inputs):
            mean, scale, centre, axes, spread = self.fitted[channel]
            out.append((_drawn_in((x - mean) / scale) - centre) @ axes.T / spread)
        return out


def _drawn_in(z: np.ndarray) -> np.ndarray:
    return np.sign(z) * np.log1p(np.abs(z))


class Reader(KeptByTask):
    """Components of a view, read by a linear or a boosted learner.

    Args:
        kind: `ridge` (quadratic) or `boosting`.
        name: View.
        seed: Of the learner.
        task: Its task.
    """

    def __init__(self, kind: str, name: str, seed: int, task: Task):
        self.kind, self.name, self.seed, self.task = kind, name, seed, task

    def fit(self, inputs: np.ndarray, target: np.ndarray) -> Reader:
        """Fits components and learner on training rows."""
        self.components = Components(self.name).fit(inputs)
        features = self._features(inputs)
        self.n_features_ = features.shape[1]
        self.learner = self._learner().fit(features, target)
        if self.task.labels:
            self.classes_ = self.learner.classes_
        return self

    def _features(self, inputs: np.ndarray) -> np.ndarray:
        parts = self.components.transform(inputs)
        linear = np.concatenate(parts, axis=1)
        if self.kind == "boosting":
            return linear
        main = np.concatenate([part[:, :SQUARED] for part in parts], axis=1)
        first, second = np.triu_indices(main.shape[1])
        return np.concatenate([linear, main[:, first] * main[:, second]], axis=1)

    def _learner(self):
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from sklearn.linear_model import RidgeClassifierCV, RidgeCV
        from sklearn.multioutput import MultiOutputRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if self.kind == "ridge":
            ridge = RidgeClassifierCV(PENALTIES, class_weight="balanced") if self.task.labels else RidgeCV(PENALTIES)
            return make_pipeline(StandardScaler(), ridge)
        if self.task.labels:
            return HistGradientBoostingClassifier(class_weight="balanced", random_state=self.seed)
        boosting = HistGradientBoostingRegressor(random_state=self.seed)
        return boosting if self.task.second is None else MultiOutputRegressor(boosting)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Labels, numbers or places of rows."""
        return self.learner.predict(self._features(inputs))

    def decision_function(self, inputs: np.ndarray) -> np.ndarray:
        """(n, K) score of each class."""
        features = self._features(inputs)
        return (
            self.learner.predict_proba(features)
            if self.kind == "boosting"
            else self.learner.decision_function(features)
        )


class Constant(KeptByTask):
    """The training median of a place or mean of a number, or the most frequent class; it looks at no reading."""

    n_features_ = 0

    def __init__(self, task: Task):
        self.task = task

    def fit(self, inputs: np.ndarray, target: np.ndarray) -> Constant:
        """Keeps the best constant."""
        if self.task.labels:
            labels, counts = np.unique(target, return_counts=True)
            self.value = labels[counts.argmax()]
        else:
            self.value = np.median(target, axis=0) if self.task.second else target.mean()
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """The constant, once a row."""
        return np.repeat(np.asarray(self.value)[None], len(inputs), axis=0)


def _reader(kind: str, name: str, seed: int, task: Task) -> Reader:
    return Reader(kind, name, seed, task)


def _constant(seed: int, task: Task) -> Constant:
    return Constant(task)


TASKS = tuple(task.id for task in V3_TASKS)
KINDS = {
    "ridge": ("Quadratic ridge, penalty by leave-one-out on training rows", (0,)),
    "boosting": ("Histogram gradient boosting at scikit-learn's defaults", (0,)),
}
MODELS = (
    Model("constant-v3", TASKS, _constant, "The best constant of the training rows.", None, "full", (0,)),
    *(
        Model(
            f"{kind}-{name}",
            TASKS,
            partial(_reader, kind, name),
            f"{words}, on principal components of {' and '.join(VIEWS[name])}.",
            partial(view, name=name),
            "full",
            seeds,
        )
        for kind, (words, seeds) in KINDS.items()
        for name in VIEWS
    ),
)
