import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import Bridge, BridgeConfig, BridgeV2, BridgeV2Config
from bridge.generate import CONFIGS, INJECTORS, edition_of_upstream, generate_plan, inject, make_bridge, resolve
from bridge.plan import Composition, make_plan
from dataset_card.contract.editions import V1, V2
from dataset_card.contract.schema import ANOMALY_SUBTYPES
from dataset_card.errors import MagBridgeError

SMALL = Composition(variants=1, anomalies=8, regime_b=5)


@pytest.fixture(scope="module", params=["v1", "v2"])
def inputs(request):
    return resolve(request.param, "simulated")


def test_inputs_decide_the_bridge(inputs):
    edition = edition_of_upstream(inputs)
    bridge = make_bridge(inputs)
    assert isinstance(bridge, {V1: Bridge, V2: BridgeV2}[edition])
    assert bridge.config == CONFIGS[edition]()


def test_a_plan_becomes_what_each_request_gives(inputs):
    bridge = make_bridge(inputs)
    plan = make_plan(inputs.pulses, bridge.config, composition=SMALL, bridge_version=inputs.bridge_version)
    signals = generate_plan(bridge, plan, workers=2)
    rows = plan.rows
    for i in np.flatnonzero(plan.parent < 0)[[0, 7, -1]]:
        row = rows.iloc[i]
        cell = (row["battery_id"],) if isinstance(bridge, BridgeV2) else ()
        request = (row["voltage"], row["soc"], plan.signal_soh[i], int(row["generation_seed"]), *cell)
        assert np.array_equal(signals[i], bridge.generate(*request))
    befallen = 4 if isinstance(bridge, BridgeV2) else 6
    for child in np.flatnonzero(plan.parent >= 0):
        row, parent = rows.iloc[child], signals[plan.parent[child]]
        if isinstance(bridge, BridgeV2):
            own = (row["voltage"], row["soc"], row["soh"], int(row["generation_seed"]), row["battery_id"])
            mounted = rows["generation_seed"].to_numpy()[plan.parent[[child]]]
            parent = bridge.generate_many(*([value] for value in own), mounted=mounted)[0]
        parent = parent[:, :befallen]
        fault = inject(parent, row["anomaly_subtype"], row["anomaly_severity"], int(row["generation_seed"]))
        assert np.array_equal(signals[child, :, :befallen], fault) and not np.array_equal(parent, fault)


def test_no_two_rows_of_v2_share_a_reading():
    inputs = resolve("v2", "simulated")
    bridge = make_bridge(inputs)
    plan = make_plan(inputs.pulses, bridge.config, composition=SMALL, bridge_version=inputs.bridge_version)
    signals = generate_plan(bridge, plan)
    for channel in range(signals.shape[2]):
        assert len(np.unique(signals[..., channel])) == signals[..., channel].size


def test_derived_channels_of_v2_say_nothing_about_faults():
    """In every row, faulty or not, C^2 - Y^2 - Z^2 is the row's own unseen field: nothing is left for a check."""
    inputs = resolve("v2", "simulated")
    bridge = make_bridge(inputs)
    # The simulated sensors see all of the field, so there the difference is 0; others see less.
    for unseen in (0, 1e4):
        scan_map = dataclasses.replace(bridge.scan_map, unseen=np.full((5, 2), float(unseen)))
        bridge = BridgeV2(inputs, scan_map=scan_map)
        plan = make_plan(inputs.pulses, bridge.config, composition=SMALL, bridge_version=inputs.bridge_version)
        signals = generate_plan(bridge, plan)
        again = signals.copy()
        again[..., 4:] = np.nan
        rows = plan.rows
        bridge.derive_magnitudes(rows["voltage"].to_numpy(), rows["generation_seed"].to_numpy(), again)
        assert np.array_equal(again, signals)
    assert set(plan.rows["anomaly_subtype"]) == set(ANOMALY_SUBTYPES)


def test_what_does_not_fit_is_refused(inputs):
    other = BridgeV2Config() if edition_of_upstream(inputs) is V1 else BridgeConfig()
    with pytest.raises(MagBridgeError, match="configuration of type BridgeV?2?Config: expected Bridge"):
        make_bridge(inputs, other)
    with pytest.raises(MagBridgeError, match="bridge 'v3': expected v1 or v2"):
        resolve("v3")


X = np.cumsum(np.random.default_rng(0).standard_normal((100, 6)), axis=0) * 20 + 100
SEVERITY = st.floats(0.2, 1.0)
SEED = st.integers(0, 2**31 - 1)


@pytest.mark.parametrize("subtype", INJECTORS)
def test_depends_on_seed_and_leaves_its_input_alone(subtype):
    before = X.copy()
    first, again, other = (inject(X, subtype, 0.6, seed) for seed in (4, 4, 5))
    assert np.array_equal(first, again) and not np.array_equal(first, other) and np.array_equal(X, before)
    assert first.shape == X.shape and np.isfinite(first).all()


@settings(deadline=None)
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


@settings(deadline=None)
@given(SEVERITY, SEED)
def test_drift_is_one_gain_curve_for_all_channels(severity, seed):
    gain = inject(X, "calibration_drift", severity, seed) / X
    magnitude = 0.05 + 0.2 * (severity - 0.2) / 0.8
    assert gain == pytest.approx(np.repeat(gain[:, :1], 6, axis=1), abs=1e-9)
    assert gain[0] == pytest.approx(1) and np.abs(gain[-1] - 1) == pytest.approx(magnitude)


@settings(deadline=None)
@given(SEVERITY, SEED)
def test_warp_keeps_the_ends_and_stays_within_neighbours(severity, seed):
    out = inject(X, "temporal_warp", severity, seed)
    assert np.array_equal(out[[0, -1]], X[[0, -1]])
    neighbours = np.stack([X[:-2], X[1:-1], X[2:]])
    assert (out[1:-1] >= neighbours.min(0) - 1e-9).all() and (out[1:-1] <= neighbours.max(0) + 1e-9).all()


@settings(deadline=None)
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
