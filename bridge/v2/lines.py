"""Aliased mains lines in scans: found in the pooled spectrum, followed from scan to scan, subtracted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridge.v2.config import BridgeV2Config

LINES = 2
"""Number of lines for which a signal draws amplitudes, whether or not they were found."""


ROUNDS = 8
"""Steps that refine each scan's frequencies off the grid, because nearby lines leak into each other's maxima."""


class MainsLines(NamedTuple):
    """The lines of an archive's scans.

    Attributes:
        frequency: (L,) mean frequencies in 1 / step.
        spread: (L,) population standard deviations over scans, in 1 / step.
        amplitude: (S, L, C) complex amplitudes A in each scan, in nT; the signal is Re(A exp(2 pi i f n)).
        waves: (S, T, C) sum of the lines in each scan, in nT.
    """

    frequency: np.ndarray
    spread: np.ndarray
    amplitude: np.ndarray
    waves: np.ndarray


def find_lines(x: np.ndarray, config: BridgeV2Config) -> MainsLines:
    """Find up to two lines, strongest first.

    Args:
        x: (S, T, C) scans without mean, map and offset, in nT.
        config: Band, threshold and window.
    """
    low, high = config.line_band
    grid = low + config.line_grid * np.arange(round((high - low) / config.line_grid) + 1)
    centres: list[float] = []
    own: list[np.ndarray] = []
    amplitude, waves = _fit(x, own, config)
    while len(centres) < LINES:
        rest = x - waves.sum(axis=1)
        power = _periodogram(rest, grid, config).sum(axis=0)
        if power.max() <= 0 or power.max() < config.line_threshold * np.median(power):
            break
        centres.append(float(grid[power.argmax()]))
        own.append(_own_maximum(rest, centres[-1], config))
        amplitude, waves = _fit(x, own, config)
    for line, centre in enumerate(centres):
        others = np.delete(waves, line, axis=1).sum(axis=1)
        own[line] = _own_maximum(x - others, centre, config)
        amplitude, waves = _fit(x, own, config)
    for _ in range(ROUNDS if centres else 0):
        own = _refined(x, own, amplitude, waves, config)
        amplitude, waves = _fit(x, own, config)
    strength = np.linalg.norm(amplitude, axis=2)
    clear = strength >= config.line_share * np.median(strength, axis=0)
    seen = [frequencies[clear[:, line]] for line, frequencies in enumerate(own)]
    return MainsLines(
        np.array([f.mean() for f in seen]), np.array([f.std() for f in seen]), amplitude, waves.sum(axis=1)
    )


def _inner(x: np.ndarray, config: BridgeV2Config) -> np.ndarray:
    return x[:, config.edge_steps : x.shape[1] - config.edge_steps]


def _periodogram(x: np.ndarray, frequencies: np.ndarray, config: BridgeV2Config) -> np.ndarray:
    """Compute the Hann periodogram of the inner steps, summed over channels: (S, F)."""
    inner = _inner(x, config)
    steps = inner.shape[1]
    turn = np.exp(-2j * np.pi * np.outer(np.arange(steps), frequencies)) * np.hanning(steps)[:, None]
    return (np.abs(inner.swapaxes(1, 2) @ turn) ** 2).sum(axis=1)


def _own_maximum(x: np.ndarray, centre: float, config: BridgeV2Config) -> np.ndarray:
    """Find the (S,) frequency of each scan's maximum near a line's centre."""
    reach = round(config.line_window / config.line_grid)
    near = centre + config.line_grid * np.arange(-reach, reach + 1)
    return near[_periodogram(x, near, config).argmax(axis=1)]


def _refined(
    x: np.ndarray, own: list[np.ndarray], amplitude: np.ndarray, waves: np.ndarray, config: BridgeV2Config
) -> list[np.ndarray]:
    """Refine all frequencies of each scan by one Gauss-Newton step on the residual; return L arrays (S,)."""
    scans, steps, _ = x.shape
    f, n = np.stack(own, axis=1), np.arange(steps)
    # around the middle of the scan, where a change of frequency leaves the phase unchanged
    turn = 2j * np.pi * (n - n.mean()) * np.exp(2j * np.pi * f[:, :, None] * n)
    slope = (amplitude[:, :, None] * turn[..., None]).real
    design = _inner(slope.swapaxes(1, 2), config).swapaxes(2, 3).reshape(scans, -1, len(own))
    rest = _inner(x - waves.sum(axis=1), config)
    rest = (rest - rest.mean(axis=1, keepdims=True)).reshape(scans, -1, 1)
    step = (np.linalg.pinv(design) @ rest)[:, :, 0]
    return list((f + np.clip(step, -config.line_grid, config.line_grid)).T)


def _fit(x: np.ndarray, own: list[np.ndarray], config: BridgeV2Config) -> tuple[np.ndarray, np.ndarray]:
    """Fit all lines and a constant to the inner steps by least squares: amplitudes (S, L, C), waves (S, L, T, C)."""
    scans, steps, channels = x.shape
    if not own:
        return np.zeros((scans, 0, channels), complex), np.zeros((scans, 0, steps, channels))
    phase = 2 * np.pi * np.stack(own, axis=1)[:, :, None] * np.arange(steps)  # (S, L, T)
    design = np.concatenate([np.cos(phase), -np.sin(phase), np.ones((scans, 1, steps))], axis=1).swapaxes(1, 2)
    solution = np.linalg.pinv(_inner(design, config)) @ _inner(x, config)
    real, imaginary = solution[:, : len(own)], solution[:, len(own) : 2 * len(own)]
    waves = np.cos(phase)[..., None] * real[:, :, None] - np.sin(phase)[..., None] * imaginary[:, :, None]
    return real + 1j * imaginary, waves
