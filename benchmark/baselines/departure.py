"""How a row departs from clean rows: the readout of faults where clean signals are smooth and channels correlated.

Clean signals fill few directions widely and the others hardly: 857 nT of standard deviation along the first, 0.5 nT
along the last, which is sensor noise. Scaled by these, a fault that changes little on the whole stands out. Scales are
learned from the clean training rows of the run alone. Chosen on v2 with the default seed: these groups of features, by
cross-validation of T4 over all cells (test cells took part as those of any fold). Trees and leaves are untuned.
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
"""Cosine coefficients of the signal's smooth part, for its slope."""

RANKS = (0, 5, 10, 20, 40, 60, 80, 100)
"""Directions by falling variance, in groups whose departures are summed."""

RIDGE = 1e-6
"""Share of the mean variance added to each direction: a few clean rows leave directions without any."""


class Departure:
    """Departures of signals from clean rows.

    - `RANKS`: log energy in each group of directions, each direction in its own standard deviations.
    - Each coefficient in standard deviations of what the other coefficients leave open.
    - Calibration drift: gain, and its significance, of a gain that grows over the scan, by generalised least squares;
      log energy in all and what the gain does not explain.
    - Temporal warp moves all channels along their slopes together: log energy of second differences along and across
      the slopes, and relative to them.
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
        """Features of signals (n, 100, 6): shape (n, 167)."""
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
    """Second differences along and across the slopes of the channels, (n, 100, C) to (n, 5)."""
    from scipy.fft import dct, idct

    spectrum = dct(signals, axis=1, norm="ortho")
    spectrum[:, SMOOTH:] = 0
    # The transform rings at the ends: three steps of each are left out.
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
        seed: Of the boosting.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> DepartureBoosting:
        """Fit features to a run's `clean` training rows, and trees to `signals`, (n, 100, 6) in nT, and labels (n,)."""
        self.features = Departure().fit(clean.signals)
        inputs = self.features.transform(signals)
        self.classifier = boosting(*FAULT_TREES, self.seed).fit(inputs, target)
        self.classes_, self.n_features_ = self.classifier.classes_, inputs.shape[1]
        return self


MODELS = (
    declare("departure-boosting", ("t3", "t4"), lambda seed, task: DepartureBoosting(seed), None, seeds=SEEDS[:3]),
)
