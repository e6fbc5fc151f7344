"""A baseline on a user's own scans: intervals that hold by battery, a warning for scans like no other."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmark import load_task
from benchmark.baselines import hub
from benchmark.baselines.hub import fit_baseline
from bridge.measured.prediction import _quantile, predict_scans
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError
from tests.bridge.measured.conftest import write_scans


@pytest.fixture(scope="module")
def scans(v2_release, tmp_path_factory):
    """Forty of the release's own test scans, the last one twenty times as strong; and their SOH."""
    test = load_task("t1", v2_release).test
    rows = np.linspace(0, len(test) - 1, 40).astype(int)
    x = test.signals[rows].copy()
    x[-1] *= 20
    path = tmp_path_factory.mktemp("own") / "scans.parquet"
    write_scans(x, path)
    return path, test.target[rows]


def test_intervals_hold_and_a_strange_scan_is_named(v2_release, scans):
    path, soh = scans
    found = predict_scans("ridge", path, v2_release, "t1")
    low, high = np.array(found.sets).T
    assert len(found.scan_ids) == 40 and (low <= found.predictions).all() and (found.predictions <= high).all()
    assert ((low <= soh) & (soh <= high))[:-1].mean() >= 0.8  # in calibration too: a check of the sense, not of 0.9
    assert np.unique(np.round(high - low, 9)).size == 1
    assert found.unlikeness[-1] > 5 and (found.unlikeness[:-1] <= 1).mean() > 0.8
    assert "guarantee nothing" in found.notes[1] and "do not rely on their predictions" in found.notes[2]
    narrow = predict_scans("ridge", path, v2_release, "t1", level=0.5)
    assert np.ptp(narrow.sets[0]) < np.ptp(found.sets[0])


def test_classes_come_as_sets(v2_release, scans):
    found = predict_scans("ridge-classifier", scans[0], v2_release, "t2")
    assert set(found.predictions) <= {"reuse", "recondition"} and not any("faults" in note for note in found.notes)
    assert all(set(limits) <= {"reuse", "recondition"} for limits in found.sets)
    shares = predict_scans("logistic-regression", scans[0], v2_release, "t2", level=0.6)
    assert any(limits == (prediction,) for limits, prediction in zip(shares.sets, shares.predictions))


def test_the_quantile_weighs_batteries_alike():
    scores, weights = np.array([1.0, 2.0, 3.0, 9.0]), np.array([1 / 3, 1 / 3, 1 / 3, 1.0])
    assert _quantile(scores, weights, 2, 1 / 3) == 3.0  # a third of two batteries and a new one: the first battery
    assert _quantile(scores, weights, 2, 0.5) == 9.0
    with pytest.raises(MagBridgeError, match="level 0.9 with 2 calibration batteries: expected at most 0.67"):
        _quantile(scores, weights, 2, 0.9)


def test_coverage_of_new_batteries_is_what_it_says():
    rng, hits = np.random.default_rng(0), []
    for _ in range(400):
        spread = rng.exponential(size=20)  # batteries differ in their noise
        counts = rng.integers(1, 9, 20)
        scores = np.concatenate([np.abs(rng.normal(scale=s, size=n)) for s, n in zip(spread[:-1], counts[:-1])])
        weights = np.repeat(1 / counts[:-1], counts[:-1])
        hits.append(abs(rng.normal(scale=spread[-1])) <= _quantile(scores, weights, 19, 0.9))
    assert 0.86 < np.mean(hits) < 0.98


def test_a_model_from_the_hub_needs_its_release(v2_release, tiny_release, scans, monkeypatch):
    import bridge.measured.prediction as prediction

    fitted = fit_baseline("t1", "ridge", v2_release)
    monkeypatch.setattr(prediction, "pull_baseline", lambda repo_id: fitted)
    assert len(predict_scans("user/ridge", scans[0], v2_release, "t1").predictions) == 40
    with pytest.raises(MagBridgeError, match="expected the release that it was fitted on"):
        predict_scans("user/ridge", scans[0], tiny_release, "t1")
    assert hub.FILE == "baseline.json"


def test_mistakes_have_a_line(v2_release, scans, tmp_path):
    for arguments, message in (
        (("rigde", scans[0], v2_release, "t1"), "did you mean ridge"),
        (("ridge", scans[0], v2_release, "t7"), "t7 is a task on v3's readings, not on scans"),
        (("ridge", tmp_path / "none.parquet", v2_release, "t1"), "no such file or folder"),
        (("ridge", scans[0], tmp_path / "none", "t1"), "no release at"),
    ):
        with pytest.raises(MagBridgeError, match=message):
            predict_scans(*arguments)
    with pytest.raises(MagBridgeError, match="level 90: expected a share"):
        predict_scans("ridge", scans[0], v2_release, "t1", level=90)


def test_the_command_prints_a_table_or_json(v2_release, scans):
    command = [sys.executable, "-m", "bridge", "predict", "ridge", str(scans[0]), "--data", str(v2_release)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("scan_id,prediction,low,high,unlikeness\n") and done.stdout.count("\n") == 41
    assert "note: the sets cover 90%" in done.stderr
    told = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True).stdout)
    assert told["scans"][0].keys() == {"scan_id", "prediction", "low", "high", "unlikeness"} and len(CHANNELS) == 6
