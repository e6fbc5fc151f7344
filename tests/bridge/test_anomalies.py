import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.anomalies import INJECTORS, inject
from dataset_card.errors import MagBridgeError

X = np.cumsum(np.random.default_rng(0).standard_normal((100, 6)), axis=0) * 20 + 100
SEVERITY = st.floats(0.2, 1.0)
SEED = st.integers(0, 2**31 - 1)


@pytest.mark.parametrize("subtype", INJECTORS)
def test_depends_on_seed_and_leaves_its_input_alone(subtype):
    before = X.copy()
    first, again, other = (inject(X, subtype, 0.6, seed) for seed in (4, 4, 5))
    assert np.array_equal(first, again) and not np.array_equal(first, other) and np.array_equal(X, before)
    assert first.shape == X.shape and np.isfinite(first).all()


@given(SEVERITY, SEED)
def test_dropout_silences_one_to_three_channels_in_one_window(severity, seed):
    changed = inject(X, "sensor_dropout", severity, seed) != X
    u = (severity - 0.2) / 0.8
    channels, steps = changed.any(axis=0), changed.any(axis=1)
    assert channels.sum() == round(1 + 2 * u)
    assert steps.sum() == max(1, round((0.1 + 0.4 * u) * 100))
    window = np.flatnonzero(steps)
    assert window[-1] - window[0] + 1 == len(window)


def test_dropout_of_a_constant_channel_keeps_a_trace_of_noise():
    out = inject(np.full((100, 6), 7.0), "sensor_dropout", 1.0, 3)
    assert 0 < np.abs(out[out != 7.0]).max() < 1e-6


@given(SEVERITY, SEED)
def test_drift_is_one_gain_curve_for_all_channels(severity, seed):
    gain = inject(X, "calibration_drift", severity, seed) / X
    magnitude = 0.05 + 0.2 * (severity - 0.2) / 0.8
    assert gain == pytest.approx(np.repeat(gain[:, :1], 6, axis=1), abs=1e-9)
    assert gain[0] == pytest.approx(1) and np.abs(gain[-1] - 1) == pytest.approx(magnitude)


@given(SEVERITY, SEED)
def test_warp_keeps_the_ends_and_stays_within_neighbours(severity, seed):
    out = inject(X, "temporal_warp", severity, seed)
    assert np.array_equal(out[[0, -1]], X[[0, -1]])
    neighbours = np.stack([X[:-2], X[1:-1], X[2:]])
    assert (out[1:-1] >= neighbours.min(0) - 1e-9).all() and (out[1:-1] <= neighbours.max(0) + 1e-9).all()


@given(SEVERITY, SEED, st.sampled_from([4, 6]))
def test_interference_adds_low_frequency_waves_of_bounded_size(severity, seed, channels):
    x = X[:, :channels]
    added = inject(x, "periodic_interference", severity, seed) - x
    u = (severity - 0.2) / 0.8
    waves = 2 if severity > 0.7 else 1
    assert (np.abs(added) > 0).any(axis=0).sum() == round(1 + (channels - 1) * u)
    assert (np.abs(added).max(axis=0) <= waves * (0.1 + 0.3 * u) * x.std(axis=0) + 1e-9).all()


@pytest.mark.parametrize("subtype, severity, words", [
    ("rust", 0.5, "subtype 'rust': expected one of sensor_dropout"),
    ("sensor_dropout", 0.1, "severity 0.1: expected 0.2 to 1.0"),
    ("sensor_dropout", float("nan"), "severity nan"),
])  # fmt: skip
def test_bad_requests(subtype, severity, words):
    with pytest.raises(MagBridgeError, match=words):
        inject(X, subtype, severity, 1)
