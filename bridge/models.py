"""Models that the bridge supplies to the benchmark, which never imports it: both rest on what only the bridge has.

    magbridge benchmark run --model reservoir-ridge
    magbridge benchmark run --task t5 --model matched-filters --data magbridge-battery-v3

`reservoir-ridge` is MagBridge-Embed, the 171 features of the quantum reservoir, with a linear readout;
`matched-filters` are made from the equations of the cell and name defects and gradients on v3.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import logsumexp

from benchmark import Model
from benchmark.baselines.declaring import scaled
from benchmark.baselines.physics import boosting
from benchmark.data import Subset
from benchmark.models import KeptByTask
from benchmark.tasks import Task
from bridge import upstream
from bridge.v1 import reservoir
from bridge.v3.config import CHEMISTRIES, STACKS, PhysicsConfig
from bridge.v3.filters import CLASSES, CURRENT, LOAD, SCAN, Filters
from dataset_card.contract.physics import STEPS

CHUNK = 100
"""Rows read at a time."""


@lru_cache(maxsize=len(CHEMISTRIES) * len(STACKS))
def filters(chemistry: str, stack: str) -> Filters:
    """Return the filters of a design of the release, which take some seconds to make."""
    return Filters(chemistry, stack, PhysicsConfig())


class MatchedFilters(KeptByTask):
    """What filters say of a row, and a learner that weighs it; a place is the filters' own.

    The mean load field of each design is that of healthy training rows: it depends on the mesh of the release more than
    on most defects.
    """

    n_features_ = 2 + len(CLASSES) + 3 + 10 + 2

    def __init__(self, seed: int, task: Task):
        self.seed, self.task = seed, task

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> MatchedFilters:
        """Take the healthy load fields of the designs from clean rows, and fit the learner."""
        voltage, fields = np.split(clean.signals.astype(np.float64), [STEPS], axis=1)
        chemistry = self._chemistry(fields)
        size = np.log(np.linalg.norm(fields[:, LOAD], axis=1))
        self.load = {}
        for kind in CHEMISTRIES:
            at = [np.log(np.linalg.norm(filters(kind, stack).mean[LOAD])) for stack in STACKS]
            own = np.abs(size[:, None] - at).argmin(axis=1)
            for k, stack in enumerate(STACKS):
                rows = (chemistry == kind) & (own == k)
                self.load[kind, stack] = (
                    fields[rows][:, LOAD].mean(axis=0) if rows.any() else filters(kind, stack).mean[LOAD]
                )
        if self.task.second is None:
            said = self.statistics(signals)
            self.learner = self._learner().fit(said, target)
            if self.task.labels:
                self.classes_ = self.learner.classes_
        return self

    def _learner(self):
        from sklearn.compose import make_column_transformer
        from sklearn.decomposition import PCA
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.pipeline import make_pipeline

        if self.task.labels:
            return boosting(self.task, self.seed)
        trees = ExtraTreesRegressor(200, min_samples_leaf=3, max_features=0.5, random_state=self.seed)
        count = self.n_features_
        columns = (PCA(8, whiten=True, random_state=0), slice(count, None)), ("passthrough", slice(2, count))
        return make_pipeline(make_column_transformer(*columns), trees)

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Return classes, gradients, or places in mm."""
        said = self.statistics(signals)
        return said[:, :2] if self.task.second else self.learner.predict(said)

    def predict_proba(self, signals: np.ndarray) -> np.ndarray:
        """Return (n, K) probabilities of the classes."""
        return self.learner.predict_proba(self.statistics(signals))

    def _chemistry(self, fields: np.ndarray) -> np.ndarray:
        """(n,) chemistry by the size of the scan: moments of NMC and LFP differ threefold."""
        size = np.log(np.linalg.norm(fields[:, SCAN], axis=1))
        at = [np.log(np.linalg.norm(filters(kind, next(iter(STACKS))).mean[SCAN])) for kind in CHEMISTRIES]
        return np.array(CHEMISTRIES)[np.abs(size[:, None] - at).argmin(axis=1)]

    def statistics(self, signals: np.ndarray) -> np.ndarray:
        """Return what filters say of rows.

        Args:
            signals: (n, 681) as v3 has them.

        Returns:
            (n, F): place; evidence of each of `CLASSES`; logarithm of the mean squares of load, rest and scan;
            gradients and filtered readings; chemistry and stack as numbers; for numbers to predict the voltages.
        """
        voltage, fields = np.split(np.asarray(signals, np.float64), [STEPS], axis=1)
        chemistry = self._chemistry(fields)
        out = np.empty((len(fields), self.n_features_))
        for code, kind in enumerate(CHEMISTRIES):
            own = np.flatnonzero(chemistry == kind)
            for rows in np.split(own, range(CHUNK, len(own), CHUNK)):
                if len(rows):
                    out[rows] = self._read(fields[rows], voltage[rows], kind, code)
        return out if self.task.labels else np.concatenate([out, voltage], axis=1)

    def _read(self, fields: np.ndarray, voltage: np.ndarray, chemistry: str, code: int) -> np.ndarray:
        """Statistics of rows of one chemistry, each by the stack that explains its load field better."""
        said, explained = [], []
        for k, stack in enumerate(STACKS):
            own = filters(chemistry, stack)
            change = fields - own.mean
            change[:, LOAD] = fields[:, LOAD] - self.load[chemistry, stack]
            found, square = own.evidence(change)
            best = np.max([found[kind].max(axis=1) for kind in CURRENT], axis=0)
            explained.append(np.maximum(best, 0) - LOAD.stop / 2 * square[:, 0])
            likely = [logsumexp(found[kind], axis=1) - np.log(found[kind].shape[1]) for kind in CLASSES]
            design = np.broadcast_to([code, k], (len(fields), 2))
            parts = own.places(found), np.stack(likely, axis=1), np.log(square), own.gradients(change, voltage), design
            said.append(np.concatenate(parts, axis=1))
        return np.where((explained[1] > explained[0])[:, None], said[1], said[0])


def matched_filters() -> Model:
    """Return the model."""
    return Model(
        "matched-filters",
        ("t5", "t6", "t7"),
        MatchedFilters,
        "Filters from the equations of the cell, mounting and gains marginalised to second order; classes by boosting "
        "and gradients by extra trees on what they say, places by the filters alone.",
        None,
        "full",
        (0,),
    )


def readout(seed: int, task: Task):
    """Return a ridge regressor or classifier whose penalty is chosen on the training rows."""
    from sklearn.linear_model import RidgeClassifierCV, RidgeCV

    penalties = np.logspace(-1, 4, 11)
    ridge = RidgeCV(penalties) if task.is_regression else RidgeClassifierCV(penalties, class_weight="balanced")
    return scaled(ridge)


def reservoir_ridge() -> Model:
    """Return the model, which embeds each row once, however many fits see it.

    Angles are scaled as those of the upstream that `bridge.upstream.resolve` finds.
    """
    scaler = upstream.resolve().angle_scaler
    embedded: dict[bytes, np.ndarray] = {}

    def embedding(signals):
        new = [i for i, x in enumerate(signals) if x.tobytes() not in embedded]
        if new:
            features = reservoir.embed(signals[new], scaler.mean, scaler.std)
            embedded.update(zip((signals[i].tobytes() for i in new), features))
        return np.stack([embedded[x.tobytes()] for x in signals])

    return Model(
        "reservoir-ridge",
        ("t1", "t2", "t3", "t4"),
        readout,
        "Ridge on the 171 features of the quantum reservoir, penalty chosen by leave-one-out on the training rows.",
        embedding,
    )
