"""Matched features: for each sensor fault, how well a signal fits what the fault would do to it."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from benchmark.baselines.background import LevelBackground, Whitened
from benchmark.baselines.spectrum import FREQUENCY, SEVERITIES, WARPS, WHITE_FROM, NoiseModel
from dataset_card.contract.schema import T

WINDOWS = (10, 20, 40)
"""Steps of a rolling window; a dropout lasts 10 to 50 of 100 steps."""

GAINS = np.concatenate([-np.linspace(0.05, 0.25, 9), np.linspace(0.05, 0.25, 9)])
"""Gain change over a scan under a calibration drift."""

BLOCK = 256
"""Rows handled at once, so that temporaries stay in the processor's cache."""

NAMES = (
    *(f"quietest_{rank}_window_{window}" for window in WINDOWS for rank in (1, 2, 3)),
    *(f"drift_{name}" for name in ("log_ratio", "gain", "significance", "disagreement", "energy")),
    "noise_gain",
    "warp_log_ratio",
    *(f"warp_log_ratio_{round(100 * shift)}" for shift in WARPS),
    "neighbour_correlation",
    "fast_slope",
    "interference_log_ratio",
    *(f"interference_log_ratio_{round(100 * s)}" for s in SEVERITIES),
    *(f"peak_{rank}" for rank in (1, 2, 3)),
    *("soc_strength", "warp_over_interference", "fault_log_ratio"),
)


class MatchedFeatures(TransformerMixin, BaseEstimator):
    """One small group of features for the trace that each fault of the generator leaves.

    Signals are first measured against the clean background (`LevelBackground`). Then:

    - Sensor dropout replaces a window of up to three channels by 3 % of their noise. `quietest_<rank>_window_<w>`:
      log std in the quietest window of w steps over the expected std, of the three quietest channels.
    - Calibration drift multiplies all channels by one gain that changes over the scan. The residual then follows the
      mean times (t - 1/2); how channels follow it by chance, alone and together, is measured on clean rows.
      `drift_gain` is the size of the gain fitted to all channels at once, `drift_significance` the same in standard
      errors, `drift_energy` what channels fitted one by one explain, `drift_disagreement` what the common gain leaves
      of it (a drift has little, other slow traces much), `noise_gain` the growth of the noise itself in the direction
      of the drift, and `drift_log_ratio` the log likelihood ratio over the generator's gains.
    - Temporal warp interpolates between neighbours, which takes fast noise away and correlates neighbours.
      `warp_log_ratio` and `warp_log_ratio_<p>` (for a jitter of p % of a step) compare the spectra; `fast_slope` and
      `neighbour_correlation` say the same without a model.
    - Periodic interference adds sines of 2 to 10 cycles. `interference_log_ratio` and `interference_log_ratio_<s>`
      (for a severity of s %) are likelihood ratios with phase, frequency and channels integrated out; `peak_<rank>`
      are the highest periodogram peaks of the three most periodic channels, in logs of noise.
    - `soc_strength` tells the SOC fluctuation, the clean signal's own slow noise, `warp_over_interference` the
      difference of the two ratios that are easiest to confuse, and `fault_log_ratio` the ratio of any of the three
      faults that have one, all as likely.
    """

    def fit(self, signals: np.ndarray, y=None) -> MatchedFeatures:
        """Fit the background on clean rows.

        Args:
            signals: Shape (n, 100, 6), clean rows, nT.
            y: Ignored.
        """
        self.background_ = LevelBackground().fit(signals)
        matches = np.concatenate([_drift_matches(self.background_.whiten(rows))[0] for rows in _blocks(signals)])
        self.drift_precision_ = np.linalg.inv(matches.T @ matches / len(matches))
        return self

    def transform(self, signals: np.ndarray) -> np.ndarray:
        """Features of signals (n, 100, 6): shape (n, 35), as `get_feature_names_out` lists them."""
        return np.concatenate([self._block(rows) for rows in _blocks(signals)])

    def _block(self, signals: np.ndarray) -> np.ndarray:
        white = self.background_.whiten(signals)
        scale = 1 / np.sqrt((1 / white.scale**2).mean(axis=1))
        noise = NoiseModel(white.residual, scale, np.ptp(signals, axis=1), signals.std(axis=1))
        drift, warp, interference = _drift(white, self.drift_precision_), noise.warp(), noise.interference()
        faults = np.logaddexp.reduce([drift[:, 0], _log_mean(warp), _log_mean(interference)]) - np.log(3)
        spectral = _spectral(noise, warp, interference)
        return np.column_stack([_dropout(signals, white.scale), drift, spectral, faults])

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the columns of `transform`, in order."""
        return np.array(NAMES, dtype=object)


def _blocks(signals: np.ndarray) -> list[np.ndarray]:
    return np.split(signals, range(BLOCK, len(signals), BLOCK))


def _dropout(signals: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Log std of each channel's quietest window over the expected std; the three lowest, for each window."""
    centred = signals - signals.mean(axis=1, keepdims=True)
    start = np.zeros((len(signals), 1, signals.shape[2]))
    sums = np.concatenate([start, np.cumsum(centred, axis=1)], axis=1)
    squares = np.concatenate([start, np.cumsum(centred**2, axis=1)], axis=1)
    expected = np.log(scale.mean(axis=1))
    columns = []
    for window in WINDOWS:
        mean = (sums[:, window:] - sums[:, :-window]) / window
        variance = (squares[:, window:] - squares[:, :-window]) / window - mean**2
        # A window of almost nothing leaves rounding errors of the cumulative sums: any small floor will do.
        quietest = np.log(np.maximum(variance.min(axis=1), 1e-6)) / 2 - expected
        columns.append(np.sort(quietest, axis=1)[:, :3])
    return np.concatenate(columns, axis=1)


def _drift_matches(white: Whitened) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a unit gain drift would look like, against each channel.

    Returns:
        Match of residual and trace, (n, C), in standard errors of white noise; its expectation under a gain of 1,
        (n, C); and the growth of the log noise power over the scan, (n,).
    """
    ramp = np.linspace(-0.5, 0.5, T)
    level = np.maximum(np.sqrt((np.diff(white.residual, axis=1) ** 2).mean(axis=1) / 2), 1e-3)[:, None]
    residual = white.residual / level
    mean = white.mean / (white.scale * level)
    trace = mean * ramp[:, None]
    # The medians already explain a constant gain: only what is orthogonal to it speaks of a drift.
    constant = (trace * mean).sum(axis=1) / np.maximum((mean**2).sum(axis=1), 1e-12)
    trace -= mean * constant[:, None]
    expected = np.sqrt(np.maximum((trace**2).sum(axis=1), 1e-12))
    growth = (np.log(residual**2 + 0.05) * ramp[:, None]).sum(axis=1).mean(axis=1) / (ramp**2).sum()
    return (residual * trace).sum(axis=1) / expected, expected, growth


def _drift(white: Whitened, precision: np.ndarray) -> np.ndarray:
    """The six features of a calibration drift, with clean matches' precision (C, C)."""
    match, expected, growth = _drift_matches(white)
    agreement = np.einsum("na,ab,nb->n", match, precision, expected)
    information = np.einsum("na,ab,nb->n", expected, precision, expected)
    explained, common = np.einsum("na,ab,nb->n", match, precision, match), agreement**2 / information
    log_ratio = np.logaddexp.reduce(agreement[:, None] * GAINS - information[:, None] * GAINS**2 / 2, axis=1)
    gain, growth = np.abs(agreement / information), growth * np.sign(agreement)
    log_ratio -= np.log(len(GAINS))
    return np.column_stack([log_ratio, gain, np.sqrt(common), explained - common, explained, growth])


def _spectral(noise: NoiseModel, warp: np.ndarray, interference: np.ndarray) -> np.ndarray:
    """Features of warp and interference."""
    warped, periodic = _log_mean(warp), _log_mean(interference)
    residual = noise.residual / np.sqrt(noise.white)[:, None]
    neighbours = ((residual[:, 1:] * residual[:, :-1]).mean(axis=1) / (residual**2).mean(axis=1)).mean(axis=1)
    fast = -np.cos(FREQUENCY[WHITE_FROM:])
    fast = (fast - fast.mean()) / np.sqrt(((fast - fast.mean()) ** 2).sum())
    slope = (np.einsum("k,nkc->nc", fast, noise.power[:, WHITE_FROM:]) / noise.white).mean(axis=1)
    peaks = np.sort(np.log(noise.periodogram().max(axis=1)), axis=1)[:, :-4:-1]
    of_warp = warped, warp, neighbours, slope
    return np.column_stack([*of_warp, periodic, interference, peaks, noise.soc_strength(), warped - periodic])


def _log_mean(log_ratios: np.ndarray) -> np.ndarray:
    return np.logaddexp.reduce(log_ratios, axis=1) - np.log(log_ratios.shape[1])
