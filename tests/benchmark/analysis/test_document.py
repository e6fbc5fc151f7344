"""What is measured of a release, and the documents that hold it."""

import math

import pytest

from benchmark import cross_validate
from benchmark.analysis import document, measures, splits
from benchmark.analysis.figures import FIGURES
from benchmark.analysis.page import write_page
from benchmark.baselines import get_model
from benchmark.results import write_result
from benchmark.running import run_baselines
from benchmark.running.yardsticks import READERS
from dataset_card.errors import MagBridgeError


def test_missing_results_are_named_before_the_work(release, tmp_path):
    reader = READERS["v1"]["t1"]
    with pytest.raises(MagBridgeError, match="no results on tiny.* run models with --out"):
        write_page([release], tmp_path / "page", tmp_path)
    run_baselines(release, task="t1", model=reader, out=tmp_path / "results")
    with pytest.raises(MagBridgeError, match=f"no predictions of t1 {reader} .*--protocol cross_validation"):
        write_page([release], tmp_path / "page", tmp_path / "results")
    assert not (tmp_path / "page").exists()


def test_nothing_measured_is_an_error(tmp_path):
    with pytest.raises(MagBridgeError, match="no measurements in"):
        write_page([], tmp_path)
    (tmp_path / "broken.json").write_text("[1")
    with pytest.raises(MagBridgeError, match="broken.json: not readable as JSON"):
        write_page([], tmp_path)


def test_newer_rows_of_a_dataset_replace_the_older(made_up, tmp_path):
    for digest in "ab":
        document.write(made_up("magbridge-battery", digest), tmp_path)
    (found,) = document.read_all(tmp_path)
    assert found["dataset"]["digest"] == "b" * 64


def test_a_release_is_measured(release, tmp_path, monkeypatch):
    monkeypatch.setattr(measures, "SHARES", (1.0,))
    monkeypatch.setattr(splits, "DEALS", 2)
    small = {"t1": "ridge", "t2": "ridge-classifier", "t3": "linear-svc", "t4": "linear-svc"}
    monkeypatch.setitem(READERS, "v1", small)
    monkeypatch.setitem(measures.REFERENCE, "v1", small)
    monkeypatch.setattr(splits, "MODELS", {"t4": ("logistic-regression",)})
    monkeypatch.setattr(document, "MODELS", splits.MODELS)
    for task, model in small.items():
        for protocol in ("rows", "few_shot"):
            run_baselines(release, task=task, model=model, protocol=protocol, out=tmp_path / "results")
        # Of seven folds of these few cells, some lack a class.
        write_result(cross_validate(task, get_model(model), release, folds=2), tmp_path / "results")
    page = write_page([release], tmp_path / "page", tmp_path / "results")
    assert {p.stem for p in page.parent.glob("*.png")} == set(FIGURES) - {"occlusion"}
    (found,) = document.read_all(page.parent)
    rows = sum(b["rows"] for b in found["soh"]["table"])
    assert rows == found["test_cells"]["t1"]["test"]["rows"] + found["test_cells"]["t1"]["others"]["rows"]
    assert all(math.isfinite(b["rmse"][0]) for bins in found["soh"].values() for b in bins)
    (spread,) = found["splits"]
    assert len(spread["cell_deals"]) == len(spread["row_deals"]) == 2
