"""Departures of a row from clean rows: a readout of faults for smooth clean signals with correlated channels.

Clean signals spread widely along a few directions and hardly along the others: their standard deviation is 857 nT along
the first and 0.5 nT along the last, which is sensor noise. After scaling by these, even a small fault stands out. The
scales are learned only from the clean training rows of the run. The groups of features were chosen on v2 with the
default seed, by cross-validation of T4 over all cells, including test cells. Trees and leaves are untuned.
"""

from __future__ import annotations

import numpy as np

from benchmark.baselines.declaring import declare
from benchmark.baselines.functional import FAULT_TREES, FLOOR, roughness
from benchmark.baselines.recipe import Featured, boosting
from benchmark.data import Subset
from benchmark.features import cosine_coefficients
from benchmark.models import SEEDS
from dataset_card.contract.schema import MEASURED_CHANNELS, T

COEFFICIENTS = 30
"""Cosine coefficients of each measured channel."""

SMOOTH = 22
"""Cosine coefficients of the signal's smooth part, from which slopes are computed."""

RANKS = (0, 5, 10, 20, 40, 60, 80, 100)
"""First direction of each group, in order of falling variance; departures are summed within a group."""

RIDGE = 1e-6
"""Share of the mean variance added to each direction: with few clean rows, some directions have no variance."""


class Departure:
    """Departures of signals from clean rows.

    - `RANKS`: log energy in each group of directions, each direction in its own standard deviations.
    - Each coefficient in standard deviations of its distribution given the other coefficients.
    - Calibration drift: size and significance of a gain that grows over the scan, by generalised least squares; log of
      the total energy and of the energy that the gain does not explain.
    - Temporal warp, which moves all channels along their slopes together: log energy of second differences along and
      across the slopes, and relative to them.
    - `roughness` of the measured channels.
    """

    def fit(self, signals: np.ndarray) -> Departure:
        """Learn centre and directions from clean rows (n, 100, 6)."""
        rows = cosine_coefficients(signals[..., :MEASURED_CHANNELS], COEFFICIENTS)
        self.mean = rows.mean(axis=0)
        variance, directions = np.linalg.eigh(np.atleast_2d(np.cov(rows.T, bias=True)))
        variance = np.maximum(variance[::-1], 0) + RIDGE * variance.mean() + FLOOR
        self.whiten = directions[:, ::-1] / np.sqrt(variance)
        return self

    def transform(self, signals: np.ndarray) -> np.ndarray:
        """Compute the features of signals (n, 100, 6), shape (n, 167)."""
        signals = signals[..., :MEASURED_CHANNELS]
        white = (cosine_coefficients(signals, COEFFICIENTS) - self.mean) @ self.whiten
        energy = np.log(np.add.reduceat(white**2, RANKS, axis=1) + FLOOR)
        alone = white @ self.whiten.T / np.linalg.norm(self.whiten, axis=1)
        return np.concatenate([energy, alone, self._drift(signals, white), _warp(signals), roughness(signals)], axis=1)

    def _drift(self, signals: np.ndarray, white: np.ndarray) -> np.ndarray:
        trace = cosine_coefficients(signals * np.linspace(-0.5, 0.5, T)[:, None], COEFFICIENTS) @ self.whiten
        match, information = (white * trace).sum(axis=1), (trace**2).sum(axis=1) + FLOOR
        energy = (white**2).sum(axis=1)
        gain, significance = match / information, match / np.sqrt(information)
        left = np.maximum(energy - significance**2, 0)
        logs = np.log(np.stack([energy, left], axis=1) + FLOOR)
        return np.column_stack([gain, np.abs(gain), significance, np.abs(significance), logs])


def _warp(signals: np.ndarray) -> np.ndarray:
    """Compute second differences along and across the slopes of the channels, (n, 100, C) to (n, 5)."""
    from scipy.fft import dct, idct

    spectrum = dct(signals, axis=1, norm="ortho")
    spectrum[:, SMOOTH:] = 0
    # The transform rings at both ends: leave out three steps at each.
    slope = np.gradient(idct(spectrum, axis=1, norm="ortho"), axis=1)[:, 3:-3]
    rough = np.diff(signals, 2, axis=1)[:, 2:-2]
    steep = (slope**2).sum(axis=2)
    along = (slope * rough).sum(axis=2) ** 2 / (steep + FLOOR)
    across = ((rough**2).sum(axis=2) - along) / max(signals.shape[2] - 1, 1)
    share = steep / (steep.sum(axis=1, keepdims=True) + FLOOR)
    means = [rows.mean(axis=1) for rows in (along, across)] + [(share * rows).sum(axis=1) for rows in (along, across)]
    return np.log(np.stack([*means, np.median(along / (steep + 1), axis=1)], axis=1) + FLOOR**2)


class DepartureBoosting(Featured):
    """T3 and T4: boosted small trees on `Departure`.

    Args:
        seed: Seed of the boosting.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> DepartureBoosting:
        """Fit features to the `clean` training rows, and trees to `signals` (n, 100, 6) in nT and labels (n,)."""
        self.features = Departure().fit(clean.signals)
        inputs = self.features.transform(signals)
        self.classifier = boosting(*FAULT_TREES, self.seed).fit(inputs, target)
        self.classes_, self.n_features_ = self.classifier.classes_, inputs.shape[1]
        return self


MODELS = (
    declare("departure-boosting", ("t3", "t4"), lambda seed, task: DepartureBoosting(seed), None, seeds=SEEDS[:3]),
)
