"""MiniRocket, MultiRocket, Hydra and QUANT, strong general learners for short time series, as implemented in aeon."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmark.baselines.declaring import ALL, declare
from benchmark.baselines.deep import private_randomness, require_torch
from benchmark.features import channels_first
from benchmark.models import SEEDS, KeptByTask
from benchmark.tasks import Task
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.errors import optional

PENALTIES = np.logspace(-3, 3, 10)
"""Ridge penalties; leave-one-out on the training rows chooses one."""

_GLOBAL_GENERATOR = threading.Lock()


@contextmanager
def _private_global_generator() -> Iterator[None]:
    """Run one fit at a time and restore numpy's global generator, which aeon seeds and draws from."""
    with _GLOBAL_GENERATOR:
        state = np.random.get_state()  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


@dataclass(eq=False)
class Rocket(KeptByTask):
    """Ridge on aeon's features of random convolutions (Dempster et al. 2021; Tan et al. 2022).

    Attributes:
        transform: Name of aeon's transformer.
        seed: Seed of the convolutions.
        task: Task; it decides between regression and classification.
    """

    transform: str
    seed: int
    task: Task

    def fit(self, signals: np.ndarray, target: np.ndarray) -> Rocket:
        """Fit convolutions and readout.

        Args:
            signals: Shape (n, 100, 6), nT.
            target: Shape (n,).

        Raises:
            MagBridgeError: If aeon is not installed.
        """
        import joblib
        from sklearn.linear_model import RidgeClassifierCV, RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        with optional("aeon"):
            import numba
            from aeon.transformations.collection import convolution_based
        # numba, on which aeon runs, refuses more threads than this process has cores.
        threads = min(joblib.effective_n_jobs(None), numba.config.NUMBA_NUM_THREADS)
        self.convolutions = getattr(convolution_based, self.transform)(random_state=self.seed, n_jobs=threads)
        ridge = RidgeCV(PENALTIES) if self.task.is_regression else RidgeClassifierCV(PENALTIES, class_weight="balanced")
        self.readout = make_pipeline(StandardScaler(copy=False), ridge)
        with _private_global_generator():
            self.convolutions.fit(np.ascontiguousarray(channels_first(signals)))
        self.readout.fit(self._features(signals), target)
        self.n_features_ = ridge.n_features_in_
        if not self.task.is_regression:
            self.classes_ = ridge.classes_
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Predict values or labels, shape (n,)."""
        return self.readout.predict(self._features(signals))

    def decision_function(self, signals: np.ndarray) -> np.ndarray:
        """Compute distances from the boundary, (n,) for two classes, else (n, K); only for classification."""
        return self.readout.decision_function(self._features(signals))

    def _features(self, signals: np.ndarray) -> np.ndarray:
        return self.convolutions.transform(np.ascontiguousarray(channels_first(signals)))


@dataclass(eq=False)
class AeonLearner(KeptByTask):
    """A complete learner of aeon: Hydra (Dempster et al. 2023) or QUANT (Dempster et al. 2024), classes balanced.

    Attributes:
        family: Module of aeon.
        name: Name of its estimator, without `Classifier` or `Regressor`.
        seed: Seed of the learner.
        task: Task; it decides between regression and classification.
    """

    family: str
    name: str
    seed: int
    task: Task

    def fit(self, signals: np.ndarray, target: np.ndarray) -> AeonLearner:
        """Fit the learner; arguments as in `Rocket.fit`.

        Raises:
            MagBridgeError: If aeon or torch is not installed.
        """
        regression = self.task.is_regression
        kind, balanced = ("regression", {}) if regression else ("classification", {"class_weight": "balanced"})
        with optional("aeon"):
            import torch  # noqa: F401

            module = importlib.import_module(f"aeon.{kind}.{self.family}")
        learner = getattr(module, self.name + ("Regressor" if regression else "Classifier"))
        with self._private_randomness():
            inputs = np.ascontiguousarray(channels_first(signals))
            fitted = vars(learner(random_state=self.seed, **balanced).fit(inputs, target))
        # Take it apart, because only the parts can be saved without pickle. aeon's names differ by kind of learner.
        pipeline = fitted.get("clf_", fitted.get("_clf"))
        if pipeline is not None:
            *self.transforms, self.readout = (part for _, part in pipeline.steps)
        else:
            self.transforms = [fitted.get("transformer_", fitted.get("_transformer"))]
            self.readout = fitted["estimator_"]
        self.n_features_ = self.readout.n_features_in_
        if not regression:
            self.classes_ = self.readout.classes_
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Predict values or labels, shape (n,)."""
        features = np.ascontiguousarray(channels_first(signals))
        with self._private_randomness():
            for transform in self.transforms:
                features = transform.transform(features)
            return self.readout.predict(features)

    def __getstate__(self) -> dict[str, Any]:
        """Return arrays and plain values, so that a fitted learner can be saved without pickle."""
        state = super().__getstate__()
        if "transforms" in state:
            holders = map(vars, _tensor_holders(state.pop("transforms")))
            state["tensors"] = [{k: _as_arrays(v) for k, v in holder.items() if _is_tensor(v)} for holder in holders]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        tensors = state.pop("tensors", None)
        super().__setstate__(state)
        if tensors is not None:
            with self._private_randomness():
                self.transforms = _unfitted(self.name, self.seed)
                # aeon creates the transform's parts in a fit, here on zeros; their contents are restored below.
                self.transforms[0].fit(np.zeros((1, len(CHANNELS), T)))
            for holder, kept in zip(_tensor_holders(self.transforms), tensors):
                vars(holder).update({name: _as_tensors(value) for name, value in kept.items()})

    @contextmanager
    def _private_randomness(self) -> Iterator[None]:
        with private_randomness(require_torch(), self.seed), _private_global_generator():
            yield


def _unfitted(name: str, seed: int) -> list:
    """Build the transforms of one of aeon's learners."""
    from aeon.classification.convolution_based._hydra import _SparseScaler
    from aeon.transformations.collection.convolution_based import HydraTransformer
    from aeon.transformations.collection.interval_based import QUANTTransformer

    return [HydraTransformer(random_state=seed), _SparseScaler()] if name == "Hydra" else [QUANTTransformer()]


def _tensor_holders(transforms: list) -> list:
    """Return the objects that have the transforms' tensors as attributes."""
    return [getattr(transform, "_hydra", transform) for transform in transforms]


def _is_tensor(value) -> bool:
    return bool(value) if isinstance(value, list) else hasattr(value, "numpy")


def _as_arrays(value):
    return [_as_arrays(one) for one in value] if isinstance(value, list) else value.numpy()


def _as_tensors(value):
    return [_as_tensors(one) for one in value] if isinstance(value, list) else require_torch().from_numpy(value)


MODELS = (
    declare("minirocket", ALL, partial(Rocket, "MiniRocket"), None),
    declare("multirocket", ALL, partial(Rocket, "MultiRocket"), None, seeds=SEEDS[:3]),
    declare("hydra", ALL, partial(AeonLearner, "convolution_based", "Hydra"), None, seeds=SEEDS[:3]),
    declare("quant", ALL, partial(AeonLearner, "interval_based", "QUANT"), None, seeds=SEEDS[:3]),
)
