import dataclasses

import numpy as np
import pytest

from bridge.generate import resolve
from bridge.plan import Composition, make_plan
from bridge.v2 import BridgeV2Config
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def plan(published):
    return make_plan(published.pulses)


def test_counts(plan):
    assert plan.rows["anomaly_origin"].value_counts().to_dict() == {
        "none": 5600, "synthetic_sensor_perturbation": 600, "bridge_extrapolation": 560
    }  # fmt: skip
    low = plan.rows[plan.rows["regime"] == "extrapolation"]
    assert low["cell_id"].value_counts().to_dict() == {"regimeB_v254": 183, "regimeB_v281": 178, "regimeB_v300": 199}
    assert (plan.rows["soh"].min(), plan.rows["soh"].max()) == pytest.approx((0.744, 0.962), abs=5e-4)


def test_anomalies_carry_their_parents_labels(plan):
    rows = plan.rows
    children = np.flatnonzero(plan.parent >= 0)
    for column in ("cell_id", "voltage", "soc", "soh", "nearest_anchor", "second_life_class", "regime"):
        assert (rows[column].to_numpy()[children] == rows[column].to_numpy()[plan.parent[children]]).all()
    assert (rows["parent_sample_id"].to_numpy()[children] == rows["sample_id"].to_numpy()[plan.parent[children]]).all()
    assert rows.loc[children, "anomaly_severity"].between(0.2, 1).all()


def test_regime_b_has_no_health_labels(plan):
    low = plan.rows["regime"] == "extrapolation"
    assert plan.rows.loc[low, ["soh", "second_life_class"]].isna().all().all()
    assert np.isnan(plan.u_features[low]).all() and not np.isnan(plan.u_features[~low]).any()
    assert (plan.rows.loc[low, "anomaly_severity"] == 1).all() and (plan.signal_soh[low] == 1).all()


def test_another_seed_is_another_plan(published, plan):
    other = make_plan(published.pulses, master_seed=1)
    assert not set(other.rows["sample_id"]) & set(plan.rows["sample_id"])


@pytest.mark.parametrize("arguments, words", [
    ({"variants": 0}, "variants 0: expected"),
    ({"variants": 2.5}, "variants 2.5: expected"),
    ({"master_seed": -1}, "seed -1: expected"),
    ({"anomalies": 602}, "anomalies 602: expected a multiple of 4"),
    ({"anomalies": (1, 2, 3)}, "expected 4 numbers"),
    ({"regime_b": -1}, "regime_b -1: expected"),
    ({"severity": (0.5, 0.4)}, "severity 0.5 to 0.4: expected a range"),
])  # fmt: skip
def test_bad_requests(published, arguments, words):
    with pytest.raises(MagBridgeError, match=words):
        make_plan(published.pulses, master_seed=arguments.pop("master_seed", 0), composition=Composition(**arguments))


def test_records_decide_parents_by_row_number(published, plan):
    pulses = published.pulses
    reversed_table = dataclasses.replace(
        pulses, cell=pulses.cell[::-1], soc=pulses.soc[::-1], soh=pulses.soh[::-1], u=pulses.u[::-1]
    )
    assert set(make_plan(reversed_table).rows["parent_sample_id"].dropna()) != set(
        plan.rows["parent_sample_id"].dropna()
    )


@pytest.fixture(scope="module")
def v2_plan():
    upstream = resolve("v2", "simulated")
    return make_plan(upstream.pulses, BridgeV2Config(), bridge_version=upstream.bridge_version)


def test_v2_has_16000_rows_of_270_cells(v2_plan):
    rows = v2_plan.rows
    clean = rows[rows["anomaly_origin"] == "none"]
    assert (len(rows), len(clean), clean["cell_id"].nunique()) == (16_000, 13_500, 270)
    assert rows["anomaly_subtype"].value_counts().to_dict() == {
        "none": 13_500, "low_voltage_regime_B": 1000, "sensor_dropout": 375, "calibration_drift": 375,
        "temporal_warp": 375, "periodic_interference": 375,
    }  # fmt: skip
    assert rows["sample_id"].is_unique and rows["generation_seed"].is_unique
    assert rows["generation_seed"].max() > 2**60
    assert clean["chemistry"].value_counts().to_dict() == {"NMC": 5950, "LMO": 4750, "LFP": 2800}


def test_one_variant_is_enough_for_v1_too():
    pulses = resolve("v1", "simulated").pulses
    rows = make_plan(pulses, composition=Composition(variants=1)).rows
    assert (rows["anomaly_origin"] == "synthetic_sensor_perturbation").sum() == 600
    assert rows["sample_id"].is_unique
