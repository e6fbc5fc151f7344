import json


def test_v1_counts_its_rows_by_kind(tiny_release):
    manifest = json.loads((tiny_release / "manifest.json").read_text())
    assert manifest["counts"]["provenance"] == {"anomaly": 600, "clean": 1120, "regime_b": 560}
    assert manifest["counts"]["cells"] == 56 and "tables" not in manifest["counts"]
    primary = manifest["splits"]["by_cell_primary"]
    assert primary["leakage"] == {"cells_in_more_than_one_subset": 0, "parent_child_pairs_across_subsets": 0}
    assert sum(subset["rows"] for subset in primary["subsets"].values()) == manifest["counts"]["rows"] == 2280


def test_the_manifest_and_card_say_what_it_is(v2_release):
    manifest = json.loads((v2_release / "manifest.json").read_text())
    assert (manifest["name"], manifest["version"]) == ("magbridge-battery-v2-simulated", "2.1.0")
    assert (manifest["schema_version"], manifest["bridge_version"]) == ("1.3", "v2.1-simulated")
    assert manifest["rebuild"] == "python -m bridge build --bridge v2 --upstream simulated --variants 1 --regime-b 500"
    assert {name: table["cells"] for name, table in manifest["counts"]["tables"].items()} == {
        "LFP-35Ah": 56, "LMO-10Ah": 95, "NMC-2.1Ah": 67, "NMC-21Ah": 52,
    }  # fmt: skip
    assert manifest["counts"]["batteries"] == 215
    laws = manifest["counts"]["ageing_law"]
    assert sum(laws.values()) == 215 and 80 < laws["inventory"] < 135
    assert manifest["overridden"] == {
        "voltages clipped to 3.06 to 3.34 V": 0, "voltages replaced by the scanned cell's at the same SOC": 2140,
    }  # fmt: skip
    card = (v2_release / "README.md").read_text()
    assert card.index("## Limitations") < card.index("## Contents")
