"""Mains lines: planted ones are found, and none in noise."""

import numpy as np
import pytest

from bridge.v2.config import BridgeV2Config
from bridge.v2.lines import find_lines

CONFIG = BridgeV2Config()


def planted(rng, scans=60):
    """Scans with two lines of known frequency and amplitude in white noise."""
    n = np.arange(100)
    frequency = np.array([0.476, 0.437]) + rng.uniform(-0.01, 0.01, (scans, 2))
    gain = np.array([[0.05, 1.0, 0.05, 1.1], [0.05, 1.0, 0.05, 0.9]])
    size = np.array([20.0, 8.0])[:, None] * gain
    amplitude = size * (rng.standard_normal((scans, 2, 1)) + 1j * rng.standard_normal((scans, 2, 1)))
    waves = (amplitude[:, :, None] * np.exp(2j * np.pi * frequency[:, :, None] * n)[..., None]).real.sum(axis=1)
    return waves, waves + 0.5 * rng.standard_normal(waves.shape), frequency, amplitude


def test_planted_lines_are_found():
    waves, x, frequency, amplitude = planted(np.random.default_rng(0))
    lines = find_lines(x, CONFIG)
    assert lines.frequency == pytest.approx(frequency.mean(axis=0), abs=1e-3)
    assert lines.spread == pytest.approx(frequency.std(axis=0), rel=0.15)
    assert np.abs(lines.amplitude - amplitude).mean() < 0.1 * np.abs(amplitude).mean()
    assert (lines.waves - waves).std() < 0.1 * waves.std()


def test_noise_has_no_line():
    lines = find_lines(np.random.default_rng(1).standard_normal((50, 100, 4)), CONFIG)
    assert lines.frequency.shape == (0,) and lines.amplitude.shape == (50, 0, 4) and not lines.waves.any()
    assert len(find_lines(np.zeros((5, 100, 4)), CONFIG).frequency) == 0
