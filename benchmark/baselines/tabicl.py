"""TabICLv2 (Qu et al. 2026): a transformer pretrained on synthetic tables, read from local checkpoints.

Its weights are open but not part of any package. Nothing is downloaded here: `run --model tabicl` reads the published
checkpoints from the folder named in the environment, and stops without them. It is therefore not on the shipped boards.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmark.baselines.declaring import ALL, declare
from benchmark.baselines.deep import DEEP_SEEDS, private_randomness, require_torch
from benchmark.baselines.functional import shape_features
from benchmark.refusals import refused
from benchmark.tasks import Task
from dataset_card.errors import optional

FOLDER = "MAGBRIDGE_TABICL"
"""Environment variable that names the folder of the checkpoints."""

CHECKPOINTS = {"Regressor": "tabicl-regressor-v2-20260212.ckpt", "Classifier": "tabicl-classifier-v2-20260212.ckpt"}


class PretrainedTable:
    """TabICL with the training rows as context: nothing is fitted.

    Args:
        seed: Seed of the shuffles and scalings of its eight views of a table.
        task: Task; it decides between regression and classification.
    """

    def __init__(self, seed: int, task: Task):
        self.seed, self.task = seed, task

    def fit(self, features: np.ndarray, target: np.ndarray) -> PretrainedTable:
        """Read the checkpoint and keep the rows.

        Args:
            features: Shape (n, F).
            target: Shape (n,).

        Raises:
            MagBridgeError: If tabicl is not installed or its checkpoint is missing.
        """
        kind = "Regressor" if self.task.is_regression else "Classifier"
        checkpoint = Path(os.environ.get(FOLDER, "")) / CHECKPOINTS[kind]
        if FOLDER not in os.environ or not checkpoint.is_file():
            raise refused("no_checkpoint", checkpoint=checkpoint, file=CHECKPOINTS[kind], folder=FOLDER)
        torch = require_torch()
        with optional("tabicl"):
            import tabicl
        build = getattr(tabicl, f"TabICL{kind}")
        self.learner = build(model_path=checkpoint, allow_auto_download=False, random_state=self.seed)
        with private_randomness(torch, self.seed):
            self.learner.fit(features, target)
        if not self.task.is_regression:
            self.classes_ = self.learner.classes_
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict values or labels, shape (n,)."""
        with private_randomness(require_torch(), self.seed):
            return self.learner.predict(features)

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Predict class probabilities, shape (n, K), columns as in `classes_`."""
        with private_randomness(require_torch(), self.seed):
            return self.learner.predict_proba(features)


MODEL = declare("tabicl", ALL, PretrainedTable, shape_features, seeds=DEEP_SEEDS)
