"""Noise tells SOH in v1 and not in v2; a leak that is put in is found."""

import numpy as np
import pytest

from bridge.generate import make_bridge, resolve
from bridge.validation.noise_leak import check_noise_leak, noise_levels
from bridge.validation.readout import clean_rows


@pytest.mark.parametrize("version, leaks", [("v1", True), ("v2", False)])
def test_noise_tells_soh_in_v1_only(version, leaks):
    bridge = make_bridge(resolve(version, "simulated"))
    rows = clean_rows(bridge, variants=1)
    noise, state = check_noise_leak(rows, rows.signals(bridge), blocking=not leaks)
    assert (noise.figure > 0.5 and not noise.passed) if leaks else (noise.figure < 0.05 and noise.passed)
    assert noise.blocking != leaks
    assert state.figure < 0.05


def test_a_leak_is_found():
    bridge = make_bridge(resolve("v2", "simulated"))
    rows = clean_rows(bridge, variants=1)
    white = np.random.default_rng(0).standard_normal((len(rows.soh), 100, 6))
    noise, _ = check_noise_leak(rows, white * (2 - rows.soh)[:, None, None], blocking=True)
    assert noise.figure > 0.7 and not noise.passed


def test_slow_shapes_are_not_noise():
    steps = np.arange(100)
    slow = np.cos(2 * np.pi * steps / 50)[None, :, None] * np.ones((1, 1, 6))
    fast = np.cos(0.45 * 2 * np.pi * steps)[None, :, None] * np.ones((1, 1, 6))
    # A whole cosine leaks a little through the ends of the inner steps.
    assert (noise_levels(fast) - noise_levels(slow) > 5).all()
