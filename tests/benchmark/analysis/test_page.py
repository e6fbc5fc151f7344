"""The analysis: predictions taken apart by what is known of the rows, and the page made of them."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark import evaluate_model, load_task
from benchmark.analysis import measures as analysis
from benchmark.analysis import page as analysis_page
from benchmark.analysis.measures import OutOfFold
from benchmark.baselines import get_model
from benchmark.leaderboard.boards import leaderboard
from benchmark.results import check, to_json
from tests.benchmark.conftest import CELLS


def test_out_of_fold_covers_every_row_once(release):
    rows = analysis.out_of_fold("t4", release)
    data = load_task("t4", release)
    assert rows.truth.tolist() == [label for s in data.subsets() for label in s.target]
    assert len(rows.prediction) == len(rows.truth) and set(rows.columns["anomaly_subtype"]) == set(rows.truth)
    assert (rows.columns["anomaly_subtype"] == rows.truth).all(), "columns are those of the same rows"
    assert analysis.headline("t4", rows) > 0.5


def test_out_of_fold_never_fits_on_the_rows_own_cell(release, monkeypatch):
    seen = []

    class Recorder:
        def fit(self, signals, target, clean):
            seen.append(set(clean.cell_ids))
            return self

        def predict(self, signals):
            return np.repeat("sensor_dropout", len(signals))

    matched = get_model("matched")
    monkeypatch.setattr(analysis, "get_model", lambda name: replace(matched, build=lambda seed, task: Recorder()))
    analysis.out_of_fold("t4", release)
    cells = {cell for members in CELLS.values() for cell in members}
    assert len(seen) == 7 and set.intersection(*seen) == set() and set.union(*seen) == cells


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


@pytest.mark.slow
def test_page(release, tmp_path, monkeypatch):
    monkeypatch.setattr(analysis, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(analysis, "CURVE_SEEDS", (0,))
    page = analysis_page.write_page(release, tmp_path / "page")
    text = page.read_text()
    assert {p.name for p in page.parent.iterdir()} == {
        "README.md",
        "severity.png",
        "soh_error.png",
        "learning_curves.png",
    }
    assert all(f"({name})" in text for name in ("severity.png", "soh_error.png", "learning_curves.png"))


def test_a_ceiling_is_never_ranked(release):
    result = evaluate_model("t4", get_model("constant"), release, seeds=(0,))
    ceiling = replace(result, model="fresh-rows", protocol="ceiling")
    assert [e.result.model for board in leaderboard([result, ceiling]) for e in board.entries] == ["constant"]
    assert leaderboard([ceiling]) == []
    check(to_json(ceiling), "ceiling")
