"""MiniRocket, MultiRocket, Hydra and QUANT: strong general learners on short time series, as aeon has them."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from benchmark.baselines.deep import private_randomness, require_torch
from benchmark.models import SEEDS, KeptByTask, Model
from benchmark.tasks import Task
from dataset_card.errors import MagBridgeError

PENALTIES = np.logspace(-3, 3, 10)
"""Ridge penalties; leave-one-out on the training rows picks one."""

READOUTS = ("estimator_", "clf_", "_clf")
"""Where aeon's learners keep the scikit-learn estimator that reads their features."""

_GLOBAL_GENERATOR = threading.Lock()


@contextmanager
def _private_global_generator() -> Iterator[None]:
    """aeon seeds and draws from numpy's global generator: one fit at a time, and its state as before afterwards."""
    with _GLOBAL_GENERATOR:
        state = np.random.get_state()  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


class Rocket(KeptByTask):
    """Ridge on the features of random convolutions (Dempster et al. 2021; Tan et al. 2022), as aeon computes them.

    Args:
        transform: Name of aeon's transformer.
        seed: Of the convolutions.
        task: Decides between regression and classification.
    """

    def __init__(self, transform: str, seed: int, task: Task):
        self.transform, self.seed, self.task = transform, seed, task

    def fit(self, signals: np.ndarray, target: np.ndarray) -> Rocket:
        """Fits convolutions and readout.

        Args:
            signals: Shape (n, 100, 6), nT.
            target: Shape (n,).

        Raises:
            MagBridgeError: aeon is not installed.
        """
        import joblib
        from sklearn.linear_model import RidgeClassifierCV, RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        try:
            import numba
            from aeon.transformations.collection import convolution_based
        except ImportError as error:
            raise MagBridgeError(f"{self.transform} needs aeon: pip install 'magbridge-battery[rocket]'") from error
        # numba, which aeon runs on, refuses more threads than this process has cores.
        threads = min(joblib.effective_n_jobs(None), numba.config.NUMBA_NUM_THREADS)
        self.convolutions = getattr(convolution_based, self.transform)(random_state=self.seed, n_jobs=threads)
        ridge = RidgeCV(PENALTIES) if self.task.is_regression else RidgeClassifierCV(PENALTIES, class_weight="balanced")
        self.readout = make_pipeline(StandardScaler(copy=False), ridge)
        with _private_global_generator():
            self.convolutions.fit(self._inputs(signals))
        self.readout.fit(self._features(signals), target)
        self.n_features_ = ridge.n_features_in_
        if not self.task.is_regression:
            self.classes_ = ridge.classes_
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Values, or labels, of shape (n,)."""
        return self.readout.predict(self._features(signals))

    def decision_function(self, signals: np.ndarray) -> np.ndarray:
        """Distance from the boundary, (n,) for two classes, else (n, K); for classification only."""
        return self.readout.decision_function(self._features(signals))

    def _features(self, signals: np.ndarray) -> np.ndarray:
        return self.convolutions.transform(self._inputs(signals))

    @staticmethod
    def _inputs(signals: np.ndarray) -> np.ndarray:
        """Signals as aeon wants them, (n, 6, 100)."""
        return np.ascontiguousarray(signals.transpose(0, 2, 1))


class AeonLearner:
    """A whole learner of aeon: Hydra (Dempster et al. 2023) or QUANT (Dempster et al. 2024), classes balanced.

    Args:
        family: aeon's module.
        name: Its estimator, without `Classifier` or `Regressor`.
        seed: Of the learner.
        task: Decides between regression and classification.
    """

    def __init__(self, family: str, name: str, seed: int, task: Task):
        self.family, self.name, self.seed, self.task = family, name, seed, task

    def fit(self, signals: np.ndarray, target: np.ndarray) -> AeonLearner:
        """Fits the learner; arguments as in `Rocket.fit`.

        Raises:
            MagBridgeError: aeon or torch is not installed.
        """
        torch, regression = require_torch(), self.task.is_regression
        kind, balanced = ("regression", {}) if regression else ("classification", {"class_weight": "balanced"})
        try:
            module = importlib.import_module(f"aeon.{kind}.{self.family}")
        except ImportError as error:
            raise MagBridgeError(f"{self.name} needs aeon: pip install 'magbridge-battery[rocket]'") from error
        build = getattr(module, self.name + ("Regressor" if regression else "Classifier"))
        self.learner = build(random_state=self.seed, **balanced)
        with private_randomness(torch, self.seed), _private_global_generator():
            self.learner.fit(Rocket._inputs(signals), target)
        readout = next(part for name, part in vars(self.learner).items() if name in READOUTS)
        self.n_features_ = getattr(readout, "steps", [("", readout)])[-1][1].n_features_in_
        if not regression:
            self.classes_ = self.learner.classes_
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Values, or labels, of shape (n,)."""
        with private_randomness(require_torch(), self.seed):
            return self.learner.predict(Rocket._inputs(signals))


def _declare(name: str, transform: str, words: str, seeds: tuple[int, ...]) -> Model:
    return Model(
        name,
        ("t1", "t2", "t3", "t4"),
        lambda seed, task: Rocket(transform, seed, task),
        f"Ridge on {words} of the signals, aeon's defaults; penalty chosen by leave-one-out on the training rows.",
        features=None,
        seeds=seeds,
    )


def _declare_learner(name: str, family: str, learner: str, words: str) -> Model:
    return Model(
        name,
        ("t1", "t2", "t3", "t4"),
        lambda seed, task: AeonLearner(family, learner, seed, task),
        f"{words}, aeon's defaults.",
        features=None,
        seeds=SEEDS[:3],
    )


MODELS = (
    _declare("minirocket", "MiniRocket", "the 9,996 MiniRocket features", SEEDS),
    _declare("multirocket", "MultiRocket", "the 49,728 MultiRocket features", SEEDS[:3]),
    _declare_learner("hydra", "convolution_based", "Hydra", "Ridge on the Hydra features of the signals"),
    _declare_learner("quant", "interval_based", "QUANT", "200 extra trees on the QUANT features of the signals"),
)
