"""Matched features: for each sensor fault, how well a signal matches the trace of that fault."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from benchmark.baselines.background import LevelBackground, Whitened
from benchmark.baselines.spectrum import FREQUENCY, SEVERITIES, WARPS, WHITE_FROM, NoiseModel
from dataset_card.contract.schema import T

WINDOWS = (10, 20, 40)
"""Lengths of the rolling windows, in steps; a dropout lasts 10 to 50 of 100 steps."""

GAINS = np.concatenate([-np.linspace(0.05, 0.25, 9), np.linspace(0.05, 0.25, 9)])
"""Changes of gain over a scan under a calibration drift."""

BLOCK = 256
"""Rows processed at a time, so that temporaries fit in the processor's cache."""

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
    """A small group of features for the trace of each of the generator's faults.

    Signals are first measured against the clean background (`LevelBackground`). Then:

    - Sensor dropout replaces a window of up to three channels by 3 % of their noise. `quietest_<rank>_window_<w>`:
      log of the std in the quietest window of w steps over the expected std, for the three quietest channels.
    - Calibration drift multiplies all channels by one gain that changes over the scan. The residual then follows the
      mean times (t - 1/2); how strongly channels follow it by chance, singly and jointly, is measured on clean rows.
      `drift_gain` is the size of the gain fitted to all channels together, `drift_significance` the same in standard
      errors, `drift_energy` the energy explained by separate fits to the channels, `drift_disagreement` the part of it
      that the common gain does not explain (small for a drift, large for other slow traces), `noise_gain` the growth of
      the noise itself in the direction of the drift, and `drift_log_ratio` the log likelihood ratio over the
      generator's gains.
    - Temporal warp interpolates between neighbours, which removes fast noise and correlates neighbours.
      `warp_log_ratio` and `warp_log_ratio_<p>` (for a jitter of p % of a step) compare the spectra; `fast_slope` and
      `neighbour_correlation` measure the same effect without a model.
    - Periodic interference adds sines of 2 to 10 cycles. `interference_log_ratio` and `interference_log_ratio_<s>`
      (for a severity of s %) are log likelihood ratios with phase, frequency and channels integrated out;
      `peak_<rank>` are the logs of the highest periodogram peaks over the noise, for the three most periodic channels.
    - `soc_strength` is the strength of the SOC fluctuation, the slow noise of clean signals; `warp_over_interference`
      is the difference of the two ratios that are easiest to confuse; `fault_log_ratio` is the ratio for any of the
      three faults that have one, taken as equally likely.
    """

    def fit(self, signals: np.ndarray, y=None) -> MatchedFeatures:
        """Fit the background on clean rows.

        Args:
            signals: Clean rows, shape (n, 100, 6), nT.
            y: Ignored.
        """
        self.background_ = LevelBackground().fit(signals)
        matches = np.concatenate([_drift_matches(self.background_.whiten(rows))[0] for rows in _blocks(signals)])
        self.drift_precision_ = np.linalg.inv(matches.T @ matches / len(matches))
        return self

    def transform(self, signals: np.ndarray) -> np.ndarray:
        """Compute the features of signals (n, 100, 6), shape (n, 35), named by `get_feature_names_out`."""
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
        """Return the names of the columns of `transform`, in order."""
        return np.array(NAMES, dtype=object)


def _blocks(signals: np.ndarray) -> list[np.ndarray]:
    return np.split(signals, range(BLOCK, len(signals), BLOCK))


def _dropout(signals: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Compute the log std of each channel's quietest window over the expected std; keep the lowest three per length."""
    centred = signals - signals.mean(axis=1, keepdims=True)
    start = np.zeros((len(signals), 1, signals.shape[2]))
    sums = np.concatenate([start, np.cumsum(centred, axis=1)], axis=1)
    squares = np.concatenate([start, np.cumsum(centred**2, axis=1)], axis=1)
    expected = np.log(scale.mean(axis=1))
    columns = []
    for window in WINDOWS:
        mean = (sums[:, window:] - sums[:, :-window]) / window
        variance = (squares[:, window:] - squares[:, :-window]) / window - mean**2
        # In an almost silent window, only rounding errors of the cumulative sums remain: any small floor will do.
        quietest = np.log(np.maximum(variance.min(axis=1), 1e-6)) / 2 - expected
        columns.append(np.sort(quietest, axis=1)[:, :3])
    return np.concatenate(columns, axis=1)


def _drift_matches(white: Whitened) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Match each channel with the trace of a unit gain drift.

    Returns:
        Match of residual and trace, (n, C), in standard errors under white noise; its expectation for a gain of 1,
        (n, C); and the growth of the log noise power over the scan, (n,).
    """
    ramp = np.linspace(-0.5, 0.5, T)
    level = np.maximum(np.sqrt((np.diff(white.residual, axis=1) ** 2).mean(axis=1) / 2), 1e-3)[:, None]
    residual = white.residual / level
    mean = white.mean / (white.scale * level)
    trace = mean * ramp[:, None]
    # The medians already explain a constant gain: only the part orthogonal to it is evidence of a drift.
    constant = (trace * mean).sum(axis=1) / np.maximum((mean**2).sum(axis=1), 1e-12)
    trace -= mean * constant[:, None]
    expected = np.sqrt(np.maximum((trace**2).sum(axis=1), 1e-12))
    growth = (np.log(residual**2 + 0.05) * ramp[:, None]).sum(axis=1).mean(axis=1) / (ramp**2).sum()
    return (residual * trace).sum(axis=1) / expected, expected, growth


def _drift(white: Whitened, precision: np.ndarray) -> np.ndarray:
    """Compute the six features of a calibration drift; `precision` (C, C) is that of matches on clean rows."""
    match, expected, growth = _drift_matches(white)
    agreement = np.einsum("na,ab,nb->n", match, precision, expected)
    information = np.einsum("na,ab,nb->n", expected, precision, expected)
    explained, common = np.einsum("na,ab,nb->n", match, precision, match), agreement**2 / information
    log_ratio = np.logaddexp.reduce(agreement[:, None] * GAINS - information[:, None] * GAINS**2 / 2, axis=1)
    gain, growth = np.abs(agreement / information), growth * np.sign(agreement)
    log_ratio -= np.log(len(GAINS))
    return np.column_stack([log_ratio, gain, np.sqrt(common), explained - common, explained, growth])


def _spectral(noise: NoiseModel, warp: np.ndarray, interference: np.ndarray) -> np.ndarray:
    """Compute the features of temporal warp and periodic interference."""
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
