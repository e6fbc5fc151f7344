"""Gradient boosting without knowledge of the generator: scikit-learn's, CatBoost and LightGBM."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmark.baselines.declaring import ALL, declare, histogram_boosting
from benchmark.baselines.functional import shape_features
from benchmark.models import SEEDS, KeptByTask
from benchmark.tasks import Task
from dataset_card.errors import optional
from dataset_card.storage.documents import packaged

ITERATIONS, LEAVES = 150, 6
"""Settings of scikit-learn's boosting; those of the other libraries are in `boosting.yaml`."""

LIBRARIES: dict[str, dict[str, Any]] = packaged("benchmark.baselines", "boosting.yaml")
SETTINGS = {name: library["settings"] for name, library in LIBRARIES.items()}


@dataclass(eq=False)
class Boosting(KeptByTask):
    """A library's gradient boosting, classes weighted equally.

    Attributes:
        library: `catboost` or `lightgbm`.
        seed: Seed of the boosting.
        task: Task; it decides between regression and classification.
    """

    library: str
    seed: int
    task: Task

    def fit(self, features: np.ndarray, target: np.ndarray) -> Boosting:
        """Fit the trees to features (n, F) and targets (n,).

        Raises:
            MagBridgeError: If the library is not installed.
        """
        about = LIBRARIES[self.library]
        kind, weights = ("Regressor", {}) if self.task.is_regression else ("Classifier", about["balanced"])
        with optional(self.library):
            estimator = getattr(importlib.import_module(self.library), about["estimator"] + kind)
        self.trees = estimator(random_state=self.seed, **SETTINGS[self.library], **weights).fit(features, target)
        if not self.task.is_regression:
            self.classes_ = self.trees.classes_
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict values or labels, shape (n,)."""
        return np.ravel(self.trees.predict(features))

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Predict class probabilities, shape (n, K), columns as in `classes_`."""
        return self.trees.predict_proba(features)


def _boosting(seed: int, task: Task):
    return histogram_boosting(not task.is_regression, seed, max_iter=ITERATIONS, max_leaf_nodes=LEAVES)


MODELS = (
    declare("gradient-boosting", ALL, _boosting),
    *(declare(name, ALL, partial(Boosting, name), shape_features, seeds=SEEDS[:3]) for name in SETTINGS),
)
