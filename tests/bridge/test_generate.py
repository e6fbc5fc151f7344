import numpy as np
import pytest

from bridge import Bridge, BridgeConfig, BridgeV2, BridgeV2Config
from bridge.anomalies import inject
from bridge.generate import CONFIGS, edition_of_upstream, generate_plan, make_bridge, resolve
from bridge.plan import Composition, make_plan
from dataset_card.editions import V1, V2
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
    for i in (0, 7, len(rows) - 1):
        row = rows.iloc[i]
        cell = (row["cell_id"],) if isinstance(bridge, BridgeV2) else ()
        request = (row["voltage"], row["soc"], plan.signal_soh[i], int(row["generation_seed"]), *cell)
        assert np.array_equal(signals[i], bridge.generate(*request))
    child = int(np.flatnonzero(plan.parent >= 0)[3])
    row = rows.iloc[child]
    fault = inject(
        signals[plan.parent[child]], row["anomaly_subtype"], row["anomaly_severity"], int(row["generation_seed"])
    )
    assert np.array_equal(signals[child], fault)


def test_what_does_not_fit_is_refused(inputs):
    other = BridgeV2Config() if edition_of_upstream(inputs) is V1 else BridgeConfig()
    with pytest.raises(MagBridgeError, match="configuration of type BridgeV?2?Config: expected Bridge"):
        make_bridge(inputs, other)
    with pytest.raises(MagBridgeError, match="bridge 'v3': expected v1 or v2"):
        resolve("v3")
