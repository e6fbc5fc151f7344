"""HQ-VQVAE latents and codes of the static descriptor as features, with and without the quantum circuit.

The HQ-VQVAE is trained on the run's training rows without labels; a linear model predicts the target from its latents
and codes. The two models differ only in the bottleneck: a quantum circuit, or tanh in its place.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmark.baselines.declaring import ALL, declare, scaled
from benchmark.features import FEATURE_NAMES
from benchmark.models import KeptByTask
from benchmark.tasks import Task
from dataset_card.errors import optional

CONFIGURATION = "recommended"
"""Name of the model's configuration in `hqvqvae`: circuit with a bypass, codebook from k-means, updated by moving
averages."""

LOGISTIC_MAX_ITER = 2000


class CodesModel(KeptByTask):
    """Standardised static features, HQ-VQVAE, then a linear model on latents and one-hot codes.

    Args:
        bottleneck: `quantum` or `tanh`.
        seed: Seed of the HQ-VQVAE's weights, batches and codebook.
        task: Task; it decides between ridge and logistic regression.
    """

    def __init__(self, bottleneck: str, seed: int, task: Task):
        self.bottleneck, self.seed, self.task = bottleneck, seed, task

    def fit(self, features: np.ndarray, target: np.ndarray) -> CodesModel:
        """Train the HQ-VQVAE on the features without labels, then the linear model on its latents and codes.

        Args:
            features: Static descriptor, shape (n, 57).
            target: Shape (n,).
        """
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.preprocessing import StandardScaler

        configuration, training = _hqvqvae()
        # Scale in float64, before the model's float32: the energies are large and differ little.
        self.scaler = StandardScaler().fit(features)
        own = {"feature_names": FEATURE_NAMES, "bottleneck": self.bottleneck}
        config = configuration.HQVQVAEConfig.named(CONFIGURATION, **own)
        result = training.fit(config, self.scaler.transform(features), training.TrainingConfig(seed=self.seed))
        self.model = result.model
        linear = Ridge(alpha=1.0) if self.task.is_regression else LogisticRegression(max_iter=LOGISTIC_MAX_ITER)
        self.readout = scaled(linear).fit(self.encode(features), target)
        self.n_features_ = self.readout.n_features_in_
        if not self.task.is_regression:
            self.classes_ = self.readout.classes_
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return arrays and plain values, so that a fitted model can be saved without pickle."""
        state = super().__getstate__()
        if "model" in state:
            model = state.pop("model")
            state["config"] = model.config.to_dict()
            state["weights"] = {name: x.cpu().numpy() for name, x in model.state_dict().items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        config, weights = state.pop("config", None), state.pop("weights", None)
        super().__setstate__(state)
        if weights is not None:
            import torch

            from hqvqvae import HQVQVAEModel

            configuration, _ = _hqvqvae()
            self.model = HQVQVAEModel(configuration.HQVQVAEConfig.from_dict(config)).eval()
            self.model.load_state_dict({name: torch.as_tensor(array) for name, array in weights.items()})

    def encode(self, features: np.ndarray) -> np.ndarray:
        """Compute the latents and one-hot codes of each row, (n, D + K)."""
        import torch

        _, training = _hqvqvae()
        scaled = torch.as_tensor(self.scaler.transform(features), dtype=torch.float32)
        with torch.no_grad(), training.single_thread():
            encoding = self.model.encode(scaled)
        one_hot = np.eye(self.model.config.codebook_size)[encoding.codes.numpy()]
        return np.hstack([encoding.latents.double().numpy(), one_hot])

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict values or labels, shape (n,)."""
        return self.readout.predict(self.encode(features))

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Predict class probabilities, shape (n, K), columns as in `classes_`."""
        return self.readout.predict_proba(self.encode(features))


def _hqvqvae():
    with optional("torch"):
        from hqvqvae import configuration_hqvqvae
        from hqvqvae.training import fit as training
    return configuration_hqvqvae, training


MODELS = (
    declare("hqvqvae-quantum", ALL, partial(CodesModel, "quantum")),
    declare("hqvqvae-classical", ALL, partial(CodesModel, "tanh")),
)
