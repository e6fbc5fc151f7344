import hashlib
import json

from bridge.config import BridgeConfig
from bridge.identity import sample_id, sample_seed


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
