"""Noise-level features: SOH shows in how noisy a signal is, not in its shape."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from benchmark.baselines.spectrum import cosine_basis
from benchmark.refusals import refused
from dataset_card.contract.schema import CHANNELS, T

BANDS = ((1, 6), (6, 12), (12, 25), (25, 50), (50, 100))
"""Bands in half-cycles per scan, lower limit included, upper excluded. The SOC fluctuation stays in the first two; the
rest is white noise."""


class NoiseLevelFeatures(TransformerMixin, BaseEstimator):
    """The noise that remains in each channel, and the signal's position in voltage.

    A v1 base signal is white noise around an anchor mean. With the loss of SOH, a share 1.5 (1 - SOH) of it is replaced
    by an average of eight scans, which has almost no noise: the noise std falls by that share. The features allow that
    share to be read off a signal:

    - `log_power_<channel>`: log mean square of a channel's remainder after the mean and `components` principal
      components of clean rows are removed (voltage moves the first) and every sample is divided by its std over clean
      rows (the anchors' noise differs by time step and channel).
    - `log_power_<channel>_<from>_<to>`: the same in a band of half-cycles per scan, which separates the slow SOC
      fluctuation from the white noise.
    - `log_power_<channel>_steps`: the same for differences between neighbouring steps, which are insensitive to
      anything slow.
    - `score_<i>`, `score_<i>_<j>`: the components' scores and their products. The anchors' noise depends on
      voltage, so the same noise level means a different SOH at a different voltage.

    Args:
        components: Principal components of the background.
    """

    def __init__(self, components: int = 1):
        self.components = components

    def fit(self, signals: np.ndarray, y=None) -> NoiseLevelFeatures:
        """Fit background and noise profile.

        Args:
            signals: Clean rows, shape (n, 100, 6), nT.
            y: Ignored.

        Raises:
            MagBridgeError: If there are not more clean rows than twice the components.
        """
        if len(signals) < (least := 2 * self.components + 1):
            raise refused("few_rows_for_components", rows=len(signals), components=self.components, least=least)
        flat = signals.reshape(len(signals), -1)
        self.mean_ = flat.mean(axis=0)
        centred = flat - self.mean_
        _, vectors = np.linalg.eigh(centred.T @ centred)
        vectors = vectors[:, : -self.components - 1 : -1].T
        self.components_ = vectors * np.sign(vectors.sum(axis=1, keepdims=True))
        scores = centred @ self.components_.T
        self.score_std_ = scores.std(axis=0)
        self.noise_std_ = (centred - scores @ self.components_).std(axis=0)
        return self

    def transform(self, signals: np.ndarray) -> np.ndarray:
        """Compute the features of signals (n, 100, 6), by default (n, 44), named by `get_feature_names_out`."""
        centred = signals.reshape(len(signals), -1) - self.mean_
        scores = centred @ self.components_.T
        noise = ((centred - scores @ self.components_) / self.noise_std_).reshape(-1, T, len(CHANNELS))
        power = np.einsum("kt,ntc->nkc", cosine_basis(), noise, optimize=True) ** 2
        scores = scores / self.score_std_
        first, second = np.triu_indices(self.components)
        return np.concatenate(
            [
                np.log((noise**2).mean(axis=1)),
                *(np.log(power[:, low:high].mean(axis=1)) for low, high in BANDS),
                np.log((np.diff(noise, axis=1) ** 2).mean(axis=1)),
                scores,
                scores[:, first] * scores[:, second],
            ],
            axis=1,
        )

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the columns of `transform`, in order."""
        suffixes = ("", *(f"_{low}_{high}" for low, high in BANDS), "_steps")
        return np.array(
            [
                *(f"log_power_{channel}{suffix}" for suffix in suffixes for channel in CHANNELS),
                *(f"score_{i}" for i in range(self.components)),
                *(f"score_{i}_{j}" for i, j in zip(*np.triu_indices(self.components))),
            ],
            dtype=object,
        )
