"""The matched features: each group answers to its own fault, injected by the bridge itself."""

import numpy as np
import pytest

from benchmark.baselines.background import LevelBackground
from benchmark.baselines.matched import GAINS, NAMES, MatchedFeatures
from benchmark.baselines.recipe import SUBTYPE_FEATURES
from bridge.generate import INJECTORS, inject
from dataset_card.errors import MagBridgeError


def signals(n, seed):
    """Rows whose level and course follow one hidden voltage, with white noise."""
    rng = np.random.default_rng(seed)
    voltage = rng.uniform(-1, 1, size=(n, 1, 1))
    course = np.sin(np.linspace(0, 3, 100))[:, None] * np.arange(1, 7) * 5
    return (
        300
        + 40 * voltage
        + course * (1 + 0.2 * voltage)
        + np.array([25, 50, 20, 60, 50, 60]) * (1 + 0.1 * voltage) * rng.standard_normal((n, 100, 6))
    )


@pytest.fixture(scope="module")
def features():
    return MatchedFeatures().fit(signals(600, 0))


def column(features, rows, name):
    return features.transform(rows)[:, NAMES.index(name)]


def test_every_column_has_a_name_of_its_own(features):
    assert features.transform(signals(5, 1)).shape == (5, len(NAMES)) and len(set(NAMES)) == len(NAMES) == 35
    assert set(SUBTYPE_FEATURES) < set(NAMES) == set(features.get_feature_names_out())


@pytest.fixture(scope="module")
def shift(features):
    """Median move of every feature under each fault at full severity, in standard deviations over clean rows."""
    clean = signals(200, 2)
    before = features.transform(clean)
    after = {
        fault: features.transform(np.stack([inject(x, fault, 1.0, seed) for seed, x in enumerate(clean)]))
        for fault in INJECTORS
    }
    return {
        fault: dict(zip(NAMES, np.median(values - before, axis=0) / before.std(axis=0)))
        for fault, values in after.items()
    }


@pytest.mark.parametrize(
    "fault, name, sign",
    [
        ("sensor_dropout", "quietest_1_window_10", -1),
        ("calibration_drift", "drift_log_ratio", 1),
        ("calibration_drift", "drift_significance", 1),
        ("temporal_warp", "fast_slope", -1),
        ("periodic_interference", "interference_log_ratio", 1),
    ],
)
def test_a_fault_moves_its_own_feature_most(shift, fault, name, sign):
    assert sign * shift[fault][name] > 1
    assert all(sign * shift[fault][name] > 1.5 * sign * shift[other][name] for other in shift if other != fault)


def test_warp_and_interference_are_told_apart_by_their_ratio(shift):
    """Both correlate neighbours; the likelihoods know how."""
    warp, interference = shift["temporal_warp"], shift["periodic_interference"]
    assert (
        warp["warp_log_ratio"] > 1 and warp["neighbour_correlation"] > 1 and interference["neighbour_correlation"] > 1
    )
    assert warp["warp_over_interference"] > 0.3 and interference["warp_over_interference"] < -5


def test_the_drift_gain_is_read_off(features):
    clean = signals(300, 3)
    drifted = clean * (1 + 0.2 * np.linspace(0, 1, 100))[:, None]
    # A gain of 1 at the start and 1.2 at the end, 1.1 in the middle: 0.2 / 1.1 of the level that the medians tell.
    assert np.median(column(features, drifted, "drift_gain")) == pytest.approx(0.2 / 1.1, abs=0.03)
    assert np.abs(GAINS).min() == 0.05 and np.abs(GAINS).max() == 0.25


def test_a_row_is_measured_by_itself(features):
    rows = signals(300, 4)
    np.testing.assert_allclose(features.transform(rows)[[290]], features.transform(rows[[290]]), rtol=1e-6, atol=1e-8)


def test_the_gate_needs_three_channels():
    rows = signals(300, 6)
    background = LevelBackground().fit(rows)
    two, four = rows.copy(), rows.copy()
    two[..., :2] -= 500
    four[..., :4] -= 500
    assert background.distance(two).max() < 10 < background.distance(four).min()


def test_too_few_rows_are_refused():
    with pytest.raises(MagBridgeError, match="59 clean rows.*at least 60"):
        MatchedFeatures().fit(signals(59, 7))
