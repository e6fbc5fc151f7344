"""Fold predictions taken apart by what is known of the rows, and learning curves."""

import numpy as np
import pytest

from benchmark import cross_validate, load_task
from benchmark.analysis import measures as analysis
from benchmark.analysis.measures import OutOfFold
from benchmark.baselines import get_model


def test_out_of_fold_joins_each_row_to_its_metadata(release):
    data = load_task("t4", release)
    result = cross_validate("t4", get_model("logistic-regression"), data)
    rows = analysis.out_of_fold("t4", result.table, release)
    truth = {i: label for s in data.subsets() for i, label in zip(s.sample_ids, s.target)}
    assert rows.truth.tolist() == [truth[i] for i in result.table["sample_id"].to_pylist()]
    assert len(rows.prediction) == len(truth) and (rows.columns["anomaly_subtype"] == rows.truth).all()
    assert analysis.headline("t4", rows) > 0.5


def test_recall_by_severity_counts():
    subtype = np.array(["sensor_dropout"] * 4 + ["temporal_warp"] * 2)
    rows = OutOfFold(
        subtype,
        np.array(["sensor_dropout", "temporal_warp"] * 3),
        {"anomaly_severity": np.array([0.2, 0.39, 0.4, 1.0, 0.7, 0.7]), "anomaly_subtype": subtype},
    )
    bands = analysis.recall_by_severity(rows)
    assert bands["sensor_dropout"] == [(1, 2), (1, 1), (0, 0), (0, 1)]
    assert bands["temporal_warp"][2] == (1, 2) and bands["calibration_drift"][0][1] == 0


def test_a_share_has_an_interval_even_at_its_end():
    # Wilson (1927), (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), here p = 1, n = 10
    z = 1.959964
    value, low, high = analysis.share(10, 10)
    assert (value, high) == (1, 1) and low == pytest.approx(1 / (1 + z**2 / 10), abs=1e-6)
    assert np.isnan(analysis.share(0, 0)).all()


def test_soh_error_in_bins():
    cells = {"cell_id": np.array(["a", "b", "a", "b"])}
    rows = OutOfFold(np.zeros(4), np.array([1.0, -1.0, 3.0, 3.0]), cells)
    low, high = analysis.soh_error(rows, np.array([0, 0, 2, 2]), ["low", "empty", "high"])
    assert (low["name"], low["rows"], high["name"], high["rows"]) == ("low", 2, "high", 2)
    assert low["rmse"] == (1, 1, 1) and low["mean"] == (0, -1, 1), "a draw has the error of one cell or of both"
    assert high["rmse"] == (3, 3, 3) == high["mean"]


def test_soh_errors_cover_every_row_in_every_view():
    n, rng = 40, np.random.default_rng(0)
    columns = {
        "cell_id": np.array(["LFP-35Ah-001", "LMO-10Ah-002"] * 20),
        "soc": np.repeat([5.0, 50.0], 20),
        "voltage": rng.uniform(3, 3.3, n),
    }
    found = analysis.soh_errors(OutOfFold(rng.uniform(0.7, 1, n), rng.uniform(0.7, 1, n), columns))
    assert {name: sum(b["rows"] for b in bins) for name, bins in found.items()} == dict.fromkeys(found, n)
    assert [b["name"] for b in found["table"]] == ["LFP-35Ah", "LMO-10Ah"] and [b["name"] for b in found["SOC"]] == [
        5,
        50,
    ]
    assert len(found["voltage"]) == analysis.VOLTAGE_BINS and len(found["SOH"]) == analysis.SOH_BINS


def test_learning_curve_grows_and_keeps_left_out_rows_out(release, monkeypatch):
    monkeypatch.setattr(analysis, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(analysis, "CURVE_SEEDS", (0,))
    points = analysis.learning_curve("t1", "noise-level", release)
    assert [n for n, _, _ in points] == [120, 240] and points[1][1] > 0.5
    data = load_task("t1", release)
    part = analysis._share(data, 0.5, 0)
    assert set(part.clean()["train"].sample_ids) == set(part.train.sample_ids)
