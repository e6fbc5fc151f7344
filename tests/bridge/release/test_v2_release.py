"""A release of the second dataset, from plan to `datasets`."""

import json

import numpy as np
import pandas
import pytest
from datasets import load_dataset

from bridge.audit.promises import audit_release
from bridge.generate import resolve
from bridge.plan import Composition, make_plan
from bridge.release import bundle, splits
from bridge.release import folder as release
from bridge.scan_map import BridgeV2Config, ScanMap
from dataset_card.arrays import signals


@pytest.fixture(scope="module")
def upstream():
    return resolve("v2", "simulated")


@pytest.fixture(scope="module")
def plan(upstream):
    return make_plan(upstream.pulses, BridgeV2Config(), bridge_version=upstream.bridge_version)


def test_the_default_release_has_16000_rows_of_270_cells(plan):
    rows = plan.rows
    clean = rows[rows["anomaly_origin"] == "none"]
    assert (len(rows), len(clean), clean["cell_id"].nunique()) == (16_000, 13_500, 270)
    assert rows["anomaly_subtype"].value_counts().to_dict() == {
        "none": 13_500, "low_voltage_regime_B": 1000, "sensor_dropout": 375, "calibration_drift": 375,
        "temporal_warp": 375, "periodic_interference": 375,
    }  # fmt: skip
    assert rows["sample_id"].is_unique and rows["generation_seed"].is_unique
    assert rows["generation_seed"].max() > 2**60
    assert clean["chemistry"].value_counts().to_dict() == {"NMC": 5950, "LMO": 4750, "LFP": 2800}


def test_the_primary_split_is_stratified_by_table_and_keeps_cells_and_families_apart(plan):
    rows = plan.rows
    subset = splits.by_cell_primary(rows)
    assert splits.leakage(rows, subset) == {"cells_in_more_than_one_subset": 0, "parent_child_pairs_across_subsets": 0}
    clean = (rows["anomaly_origin"] == "none").to_numpy()
    cells = pandas.DataFrame({"cell": rows["cell_id"], "subset": subset})[clean].drop_duplicates()
    table = cells["cell"].str.rpartition("-")[0]
    counts = pandas.crosstab(table, cells["subset"])
    assert counts["test"].sum() == 55
    assert counts.loc["LFP-35Ah"].to_dict() == {"train": 34, "validation": 11, "test": 11}
    share = counts.div(counts.sum(axis=1), axis=0)
    assert share["train"].between(0.58, 0.62).all() and share["test"].between(0.18, 0.23).all()


def test_every_subset_has_every_regime_b_voltage_range(plan):
    rows = plan.rows
    low = (rows["regime"] == "extrapolation").to_numpy()
    voltage, subset = rows["voltage"].to_numpy()[low], splits.by_cell_primary(rows)[low]
    assert voltage.min() >= 2.54 and voltage.max() < 3.06
    for name in ("train", "validation", "test"):
        assert (np.histogram(voltage[subset == name], [2.54, 2.81, 3.00, 3.06])[0] >= 10).all()


def test_one_variant_is_enough_for_v1_too():
    pulses = resolve("v1", "simulated").pulses
    rows = make_plan(pulses, composition=Composition(variants=1)).rows
    assert (rows["anomaly_origin"] == "synthetic_sensor_perturbation").sum() == 600
    assert rows["sample_id"].is_unique


def test_it_is_sound_and_loads(v2_release):
    assert audit_release(v2_release) == []
    data = load_dataset(str(v2_release), "by_cell_primary")
    assert sum(len(part) for part in data.values()) == 4700
    assert not set(data["train"]["cell_id"]) & set(data["test"]["cell_id"])
    assert set(load_dataset(str(v2_release), "nmc", split="test")["chemistry"]) == {"NMC"}


def test_two_builds_on_one_thread_and_on_many_are_the_same_bytes(v2_release, upstream, tmp_path):
    again = tmp_path / "magbridge-battery-v2"
    release.build(again, upstream, variants=1, anomalies=1500, regime_b=500, workers=1)
    for path in sorted(v2_release.rglob("*")):
        assert path.is_dir() or path.read_bytes() == (again / path.relative_to(v2_release)).read_bytes(), path


def test_the_shipped_map_generates_the_release(v2_release, upstream):
    from bridge.scan_map import BridgeV2

    table = release.read_table(v2_release)
    row = table.slice(123, 1).to_pylist()[0]
    bridge = BridgeV2(upstream, scan_map=ScanMap.load(v2_release / release.SCAN_MAP))
    again = bridge.generate(row["voltage"], row["soc"], row["soh"], row["generation_seed"], row["cell_id"])
    assert (again == signals(table.slice(123, 1))[0]).all()


def test_a_bundle_brings_it_back_whole(v2_release, tmp_path):
    packed = bundle.write_bundle(v2_release, tmp_path / "v2.zip")
    bundle.import_bundle(packed, tmp_path / "magbridge-battery-v2")
    for path in sorted(v2_release.rglob("*")):
        other = tmp_path / "magbridge-battery-v2" / path.relative_to(v2_release)
        assert path.is_dir() or path.read_bytes() == other.read_bytes(), path


def test_the_manifest_and_card_say_what_it_is(v2_release):
    manifest = json.loads((v2_release / "manifest.json").read_text())
    assert (manifest["name"], manifest["version"]) == ("magbridge-battery-v2-simulated", "2.0.0")
    assert (manifest["schema_version"], manifest["bridge_version"]) == ("1.1", "v2.0-simulated")
    assert manifest["rebuild"] == "python -m bridge build --bridge v2 --upstream simulated --variants 1 --regime-b 500"
    assert {name: table["cells"] for name, table in manifest["counts"]["tables"].items()} == {
        "LFP-35Ah": 56, "LMO-10Ah": 95, "NMC-2.1Ah": 67, "NMC-21Ah": 52,
    }  # fmt: skip
    card = (v2_release / "README.md").read_text()
    assert card.index("## Limitations") < card.index("## What it holds")
