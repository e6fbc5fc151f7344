"""The four sensor faults of a synthetic anomaly, injected into a clean signal.

Each takes a signal (T, C) in nT, a severity in [0.2, 1] and a generator, and returns a new signal. The channels are
those that a sensor measures on its own: all six in v1, without the derived magnitudes in v2.
"""

from __future__ import annotations

import numpy as np

from bridge.config import SEVERITY_MAX, SEVERITY_MIN
from dataset_card.errors import MagBridgeError


def _scaled(severity: float) -> float:
    """Severity mapped from [0.2, 1] to [0, 1]."""
    return (severity - SEVERITY_MIN) / (SEVERITY_MAX - SEVERITY_MIN)


def sensor_dropout(x: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """One to three channels fall silent for 10 to 50 % of the scan: only 3 % of their noise remains."""
    u, (steps, channels) = _scaled(severity), x.shape
    count = int(round(1 + 2 * u))
    window = max(1, int(round((0.10 + 0.40 * u) * steps)))
    chosen = rng.choice(channels, count, replace=False)
    start = int(rng.integers(0, steps - window + 1))
    x = x.copy()
    for c in chosen:
        before = x[:start, c] if start > 0 else x[:, c]
        x[start : start + window, c] = rng.standard_normal(window) * 0.03 * (before.std() or 1e-6)
    return x


def calibration_drift(x: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """The gain of every channel drifts by 5 to 25 % over the scan, with a slight bend."""
    magnitude = 0.05 + 0.20 * _scaled(severity)
    end = magnitude if rng.random() < 0.5 else -magnitude
    bend = rng.uniform(-0.3, 0.3) * end
    t = np.linspace(0, 1, len(x))
    return x * (1 + end * t + bend * (t**2 - t))[:, None]


def temporal_warp(x: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Sampling times jitter by up to 2 to 15 % of a step; the signal is resampled linearly."""
    time = np.linspace(0, 1, len(x))
    step = 1 / (len(x) - 1)
    jitter = (0.02 + 0.13 * _scaled(severity)) * step
    warped = time + rng.uniform(-jitter, jitter, len(x))
    warped[1:-1] = np.sort(np.clip(warped[1:-1], 0.0, 1.0))
    warped[0], warped[-1] = 0.0, 1.0
    return np.stack([np.interp(warped, time, channel) for channel in x.T], axis=1)


def periodic_interference(x: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """One to all channels pick up one or two sine waves of 2 to 10 cycles a scan."""
    u, channels = _scaled(severity), x.shape[1]
    amplitude = 0.10 + 0.30 * u
    chosen = rng.choice(channels, int(round(1 + (channels - 1) * u)), replace=False)
    frequencies = 2 if severity > 0.7 else 1
    t = np.linspace(0, 1, len(x))
    out = x.copy()
    for c in chosen:
        for _ in range(frequencies):
            cycles, phase = rng.uniform(2, 10), rng.uniform(0, 2 * np.pi)
            out[:, c] += amplitude * x[:, c].std() * np.sin(2 * np.pi * cycles * t + phase)
    return out


INJECTORS = {
    function.__name__: function
    for function in (sensor_dropout, calibration_drift, temporal_warp, periodic_interference)
}


def inject(x: np.ndarray, subtype: str, severity: float, seed: int) -> np.ndarray:
    """Inject a synthetic anomaly.

    Args:
        x: (T, C) clean signal in nT.
        subtype: Name of the sensor fault.
        severity: In [0.2, 1].
        seed: The row's generation seed; the severity was drawn from it, the fault is drawn from `seed + 1`.

    Raises:
        MagBridgeError: Unknown subtype or severity out of range.
    """
    if subtype not in INJECTORS:
        raise MagBridgeError(f"anomaly subtype {subtype!r}: expected one of {', '.join(INJECTORS)}")
    if not SEVERITY_MIN <= severity <= SEVERITY_MAX:
        raise MagBridgeError(f"severity {severity}: expected {SEVERITY_MIN} to {SEVERITY_MAX}")
    return INJECTORS[subtype](x, severity, np.random.default_rng(seed + 1))
