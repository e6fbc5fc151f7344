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
    assert bands["sensor_dropout"][:2] == [(0.5, 2), (1.0, 1)] and bands["sensor_dropout"][3] == (0.0, 1)
    assert bands["temporal_warp"][2] == (0.5, 2) and bands["calibration_drift"][0][1] == 0


def test_soh_error_in_bins():
    rows = OutOfFold(np.zeros(4), np.array([1.0, -1.0, 3.0, 3.0]), {})
    bins = analysis.soh_error(rows, np.array([5.0, 5.0, 50.0, 50.0]), np.array([0.0, 10.0, 20.0, 60.0]))
    assert bins[0] == (1.0, 0.0, 2) and bins[2] == (3.0, 3.0, 2) and bins[1][2] == 0
    assert analysis.soh_resolution(rows) == pytest.approx(np.sqrt(5))


def test_learning_curve_grows_and_keeps_left_out_rows_out(release, monkeypatch):
    monkeypatch.setattr(analysis, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(analysis, "CURVE_SEEDS", (0,))
    points = analysis.learning_curve("t1", "noise-level", release)
    assert [n for n, _, _ in points] == [120, 240] and points[1][1] > 0.5
    data = load_task("t1", release)
    part = analysis._share(data, 0.5, 0)
    assert set(part.clean()["train"].sample_ids) == set(part.train.sample_ids)
