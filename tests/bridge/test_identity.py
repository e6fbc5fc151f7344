import hashlib
import json

import numpy as np
import pytest

from bridge.config import BridgeConfig
from bridge.generate import make_bridge, resolve
from bridge.identity import SEED_LIMIT, checked_requests, sample_id, sample_seed
from dataset_card.errors import MagBridgeError


def test_config_hash_is_that_of_v1():
    assert BridgeConfig().hash() == "87134d007deb"


def test_another_configuration_has_another_hash():
    assert BridgeConfig(decode_k=9).hash() != BridgeConfig().hash()


def test_seed_is_31_bits_of_the_hash_of_its_parts():
    expected = int(hashlib.sha256(b"20260512::regimeb/7/2.81").hexdigest()[:8], 16) & 0x7FFFFFFF
    assert sample_seed(20260512, "regimeb", 7, 2.81) == expected < 2**31


ROW = {
    "cell_id": "3", "voltage": 3.20001, "soc": 5.0, "soh": 0.8123456789, "generation_seed": 17, "regime": "grounded",
    "anomaly_subtype": "none", "anomaly_origin": "none", "anomaly_severity": 0.0, "parent_sample_id": None,
    "bridge_version": "v1.3", "bridge_config_hash": "87134d007deb",
}  # fmt: skip


def test_id_hashes_the_identity_fields_only():
    identity = {k: v for k, v in ROW.items() if k != "regime"} | {"voltage": 3.2, "soh": 0.812346}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    assert sample_id(ROW) == f"lfp_3_soc05_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    assert sample_id({**ROW, "nearest_anchor": 3.1}) == sample_id(ROW)


def test_id_names_the_anomaly_and_the_anchor():
    assert sample_id({**ROW, "anomaly_subtype": "temporal_warp"}).startswith("lfp_3_soc05_twarp_")
    low = {**ROW, "regime": "extrapolation", "voltage": 3.0, "soh": None, "anomaly_subtype": "low_voltage_regime_B"}
    assert sample_id(low).startswith("lfp_regimeb_v300_")


def test_a_simulated_row_has_another_id():
    assert sample_id({**ROW, "bridge_version": "v1.3-simulated"}) != sample_id(ROW)


ANCHORS = (2.54, 3.34)


def test_good_requests_come_back_as_plain_numbers():
    found = checked_requests([3, 3.1], np.array([0, 100]), (0.5, 1.05), [np.int64(7), SEED_LIMIT - 1], voltages=ANCHORS)
    assert found.seed == [7, SEED_LIMIT - 1] and all(type(s) is int for s in found.seed)
    assert found.voltage.tolist() == [3.0, 3.1] and found.cell == [None, None]


@pytest.mark.parametrize("change, words", [
    ({"voltage": [3.1, 3.35]}, "request 1: voltage 3.35 V: expected 2.54 to 3.34 V"),
    ({"voltage": [float("nan"), 3.1]}, "request 0: voltage nan V"),
    ({"soc": [50, 101]}, "request 1: SOC 101.0: expected 0 to 100 %"),
    ({"soh": [1.06, 1.0]}, "request 0: SOH 1.06: expected a fraction above 0, at most 1.05"),
    ({"soh": [1.0, 85]}, "request 1: SOH 85.0"),
    ({"seed": [0, -1]}, "request 1: seed -1"),
    ({"seed": [0, 2**64]}, "request 1: seed 18446744073709551616"),
    ({"seed": [True, 0]}, "request 0: seed True"),
    ({"cell": ["LFP-35Ah-001", 7]}, "request 1: cell 7: expected a name"),
    ({"seed": [0]}, "2 voltages, 2 SOC, 2 SOH, 1 seeds, 1 cells"),
    ({"soc": ["full", 50]}, "must be sequences of numbers"),
])  # fmt: skip
def test_the_first_bad_request_is_named(change, words):
    good = {"voltage": [3.1, 3.2], "soc": [50, 50], "soh": [1.0, 0.9], "seed": [0, 1]}
    with pytest.raises(MagBridgeError) as error:
        checked_requests(**(good | change), voltages=ANCHORS)
    assert words in str(error.value)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_both_bridges_refuse_alike(version):
    with pytest.raises(MagBridgeError, match="request 0: SOH 1.06"):
        make_bridge(resolve(version, "simulated")).generate(3.1, 50, 1.06, 0)


def test_an_unknown_cell_is_a_virtual_cell_like_any_other():
    bridge = make_bridge(resolve("v2", "simulated"))
    one, other = (bridge.generate(3.1, 50, 0.9, 0, cell) for cell in ("nobody's", "somebody's"))
    assert np.isfinite(one).all() and np.abs(one - other).max() > 1
