"""A model of clean signals: mean and noise of every sample, given the levels of the channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.refusals import refused
from dataset_card.contract.schema import CHANNELS, T

LEVEL_LIMIT = 4.0
"""Limit to which standardised levels are clipped: the regression is quadratic in them and must not extrapolate."""

MEAN_LOG_CHI2 = -1.2703628454614782
"""Mean of log(z^2) for a standard normal z; it turns a fit of log squares into a fit of log variances."""

MIN_ROWS = 60
"""Fewest clean rows for a fit: about twice the terms of the quadratic regression."""

_PAIRS = np.triu_indices(len(CHANNELS))


@dataclass(frozen=True)
class Whitened:
    """Signals measured against the clean background.

    Attributes:
        residual: Signal minus `mean`, in units of `scale`, shape (n, T, C).
        mean: Predicted mean in nT, shape (n, T, C).
        scale: Predicted noise std in nT, shape (n, T, C).
    """

    residual: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


class LevelBackground:
    """Prediction of the mean and noise std of each sample from the six channel medians.

    The bridge draws a base signal around a mean that moves with voltage between two anchors, and blends it with scans
    of its neighbours: a few numbers determine all 600 means, and the six medians reveal them. The medians hardly move
    under any of the four sensor faults, so the prediction describes the signal before the fault.
    """

    def fit(self, signals: np.ndarray) -> LevelBackground:
        """Fit both regressions by least squares.

        Args:
            signals: Shape (n, 100, 6), clean rows, nT.

        Raises:
            MagBridgeError: If there are fewer clean rows than the regression needs.
        """
        if len(signals) < MIN_ROWS:
            raise refused("few_clean_rows", rows=len(signals), min_rows=MIN_ROWS)
        medians = np.median(signals, axis=1)
        self.centre = np.median(medians, axis=0)
        self.spread = 1.4826 * np.median(np.abs(medians - self.centre), axis=0)
        terms = self._terms(signals)
        flat = signals.reshape(len(signals), -1)
        self.mean_weights = np.linalg.lstsq(terms, flat, rcond=None)[0]
        log_squares = np.log((flat - terms @ self.mean_weights) ** 2 + 1e-12) - MEAN_LOG_CHI2
        self.log_variance_weights = np.linalg.lstsq(self._linear(terms), log_squares, rcond=None)[0]
        return self

    def whiten(self, signals: np.ndarray) -> Whitened:
        """Measure signals (n, 100, 6) against the background."""
        terms = self._terms(signals)
        mean = (terms @ self.mean_weights).reshape(-1, T, len(CHANNELS))
        scale = np.exp(self._linear(terms) @ self.log_variance_weights / 2).reshape(mean.shape)
        return Whitened((signals - mean) / scale, mean, scale)

    def distance(self, signals: np.ndarray) -> np.ndarray:
        """Compute how far at least three channels have moved from their clean level, in robust standard deviations.

        Regime-B moves every channel to another anchor's level. A sensor dropout moves at most three, and only for part
        of the scan. The third largest of the six deviations separates the two.

        Returns:
            Shape (n,).
        """
        deviation = np.abs((np.median(signals, axis=1) - self.centre) / self.spread)
        return np.sort(deviation, axis=1)[:, -3]

    def _terms(self, signals: np.ndarray) -> np.ndarray:
        """Compute the terms of the regression, (n, 28): the constant, the levels and their products."""
        level = np.clip((np.median(signals, axis=1) - self.centre) / self.spread, -LEVEL_LIMIT, LEVEL_LIMIT)
        return np.concatenate([np.ones((len(level), 1)), level, level[:, _PAIRS[0]] * level[:, _PAIRS[1]]], axis=1)

    @staticmethod
    def _linear(terms: np.ndarray) -> np.ndarray:
        return terms[:, : 1 + len(CHANNELS)]
