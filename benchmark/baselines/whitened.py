"""A dilated CNN and a small transformer on whitened signals, in which the common variation of clean rows is small.

If only standardised per channel, a v2 signal shows its place across the cell and its voltage in every sample: a network
sees the rest only after long training. Here, the cosine coefficients of the measured channels are divided by the spread
of clean rows along every direction and turned back into series (zero-phase whitening) of a third of the length. Log
roughness per window is added as further channels, because whitening removes everything faster.
"""

from functools import partial
from typing import Self

import numpy as np

from benchmark.baselines.convolutional import CLIP, NormalisedCNN, dilated_network
from benchmark.baselines.declaring import ALL, declare
from benchmark.baselines.deep import DEEP_SEEDS, require_torch
from benchmark.baselines.functional import FLOOR
from benchmark.data import Subset
from benchmark.features import cosine_coefficients
from benchmark.tasks import Task
from dataset_card.contract.schema import MEASURED_CHANNELS

STEPS = 32
"""Number of cosine coefficients kept, and of steps in the whitened series."""

RIDGE = 1e-6
"""Share of the mean variance added to each direction."""

PATCH, WIDTH, HEADS, LAYERS = 2, 64, 4, 2
"""The transformer: steps per token, width of a token, attention heads, layers."""


class WhitenedNetwork(NormalisedCNN):
    """A network on whitened series and roughness, trained like `NormalisedCNN`.

    Args:
        network: Function that builds the network for a number of outputs.
        seed: Seed of the initial weights, dropout and batch order.
        task: Task; it decides between squared error and cross-entropy.
    """

    def __init__(self, network, seed: int, task: Task):
        super().__init__(seed, task)
        self.network = network

    def fit(self, signals: np.ndarray, target: np.ndarray, *, validation: Subset, clean: Subset) -> Self:  # type: ignore[override]
        """Train for 15 epochs on a one-cycle schedule and keep the epoch with the best validation score.

        Args:
            signals: Shape (n, 100, 6), nT.
            target: Shape (n,).
            validation: Rows for choosing the epoch.
            clean: Clean training rows of the run, from which the whitening is learned.

        Raises:
            MagBridgeError: If there are fewer than two training rows.
        """
        rows = _cosine(clean.signals)
        self.mean = rows.mean(axis=0)
        variance, directions = np.linalg.eigh(np.cov(rows.T, bias=True))
        variance = np.maximum(variance, 0) + RIDGE * variance.mean() + FLOOR
        self.whiten = directions / np.sqrt(variance) @ directions.T
        rough = _roughness(clean.signals)
        self.level, self.spread = rough.mean(axis=0), rough.std(axis=0) + 1e-9
        return super().fit(signals, target, validation=validation)

    def _inputs(self, signals: np.ndarray):
        """Return whitened series and roughness as a float32 tensor (n, 8, 32) on the device."""
        from scipy.fft import idct

        white = ((_cosine(signals) - self.mean) @ self.whiten).reshape(-1, STEPS, MEASURED_CHANNELS)
        rough = (_roughness(signals) - self.level) / self.spread
        both = np.clip(np.concatenate([idct(white, axis=1, norm="ortho"), rough], axis=2), -CLIP, CLIP)
        return require_torch().from_numpy(both.transpose(0, 2, 1).astype(np.float32)).contiguous().to(self.device)


def _cosine(signals: np.ndarray) -> np.ndarray:
    """Compute the cosine coefficients of the measured channels, (n, 100, 6) to (n, 128)."""
    return cosine_coefficients(signals[..., :MEASURED_CHANNELS], STEPS)


def _roughness(signals: np.ndarray) -> np.ndarray:
    """Compute the log mean square of second differences in 32 windows of three steps, (n, 100, 6) to (n, 32, 4)."""
    rough = np.diff(signals[..., :MEASURED_CHANNELS], 2, axis=1)[:, 1:-1] ** 2
    return np.log(rough.reshape(len(signals), STEPS, -1, MEASURED_CHANNELS).mean(axis=2) + FLOOR)


def _transformer(outputs: int):
    torch = require_torch()
    nn = torch.nn

    class Transformer(nn.Module):  # type: ignore[name-defined]
        """Tokens of neighbouring steps, learned positions, encoder layers, and a linear head on all tokens."""

        def __init__(self):
            super().__init__()
            self.tokens = nn.Conv1d(2 * MEASURED_CHANNELS, WIDTH, PATCH, stride=PATCH)
            self.positions = nn.Parameter(0.02 * torch.randn(STEPS // PATCH, WIDTH))
            layer = nn.TransformerEncoderLayer(
                WIDTH, HEADS, 2 * WIDTH, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
            )
            self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
            self.head = nn.Sequential(nn.LayerNorm(WIDTH * STEPS // PATCH), nn.Linear(WIDTH * STEPS // PATCH, outputs))

        def forward(self, x):
            """Map (n, 8, 32) to (n, outputs)."""
            return self.head(self.encoder(self.tokens(x).transpose(1, 2) + self.positions).flatten(1))

    return Transformer()


def _dilated(outputs: int):
    return dilated_network(outputs, 2 * MEASURED_CHANNELS)


MODELS = (
    # Only for faults: pooling over time loses the position along the scan, and T1 falls to R2 .88.
    declare("whitened-cnn", ("t3", "t4"), partial(WhitenedNetwork, _dilated), None, "full", DEEP_SEEDS),
    declare("whitened-transformer", ALL, partial(WhitenedNetwork, _transformer), None, "full", DEEP_SEEDS),
)
