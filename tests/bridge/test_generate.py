import dataclasses

import numpy as np
import pytest

from bridge import Bridge, BridgeConfig, BridgeV2, BridgeV2Config
from bridge.anomalies import inject
from bridge.generate import CONFIGS, edition_of_upstream, generate_plan, make_bridge, resolve
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
