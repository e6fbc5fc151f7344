"""Benchmark models that depend on the bridge; they are defined here because the benchmark never imports it.

    magbridge benchmark run --model reservoir-ridge
    magbridge benchmark run --task t5 --model matched-filters --data magbridge-battery-v3

`reservoir-ridge` is MagBridge-Embed, the 171 features of the quantum reservoir, with a linear readout;
`matched-filters` is derived from the equations of the cell and identifies defects and gradients on v3.
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
"""Number of rows processed at a time."""


@lru_cache(maxsize=len(CHEMISTRIES) * len(STACKS))
def filters(chemistry: str, stack: str) -> Filters:
    """Return the filters of one of the release's designs; building them takes some seconds."""
    return Filters(chemistry, stack, PhysicsConfig())


class MatchedFilters(KeptByTask):
    """Statistics from matched filters, weighed by a learner; places come from the filters alone.

    The mean load field of each design is taken from healthy training rows: the mesh of the release changes it more than
    most defects do.
    """

    n_features_ = 2 + len(CLASSES) + 3 + 10 + 2

    def __init__(self, seed: int, task: Task):
        self.seed, self.task = seed, task

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> MatchedFilters:
        """Compute the healthy load field of each design from the clean rows, and fit the learner.

        Args:
            signals: (n, 681) training signals in the layout of v3.
            target: (n,) classes or gradients; unused for places.
            clean: The healthy training rows.
        """
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
        """Infer the (n,) chemistries from the size of the scan: the moments of NMC and LFP differ threefold."""
        size = np.log(np.linalg.norm(fields[:, SCAN], axis=1))
        at = [np.log(np.linalg.norm(filters(kind, next(iter(STACKS))).mean[SCAN])) for kind in CHEMISTRIES]
        return np.array(CHEMISTRIES)[np.abs(size[:, None] - at).argmin(axis=1)]

    def statistics(self, signals: np.ndarray) -> np.ndarray:
        """Compute the filter statistics of rows.

        Args:
            signals: (n, 681) in the layout of v3.

        Returns:
            (n, F): place; evidence of each of `CLASSES`; logarithms of the mean squares of load, rest and scan;
            gradients and filtered readings; chemistry and stack as numbers; and, for regression, the voltages.
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
        """Compute the statistics of rows of one chemistry, each with the stack that better explains its load field."""
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
    """Return the `matched-filters` model for tasks t5, t6 and t7."""
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
    """Return the `reservoir-ridge` model, which embeds each row only once, even across several fits.

    Angles are scaled by the upstream that `bridge.upstream.resolve` finds.
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
