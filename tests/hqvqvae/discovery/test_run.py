"""Whole runs: what they write, the verdict in words, and tables that leave little to analyse."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine
from dataset_card.storage.output import MARKER
from hqvqvae.discovery import controls
from hqvqvae.discovery.figures import FIGURES
from hqvqvae.discovery.report import markdown_report, record
from hqvqvae.discovery.run import discover, write_run
from hqvqvae.training.fit import TrainingConfig
from tests.hqvqvae.synthetic_cells import PLAN, given_run, make_segments, planted_study, random_study


def test_the_folder_of_a_run_is_whole(planted_run, run_folder):
    names = {path.relative_to(run_folder).as_posix() for path in run_folder.rglob("*") if path.is_file()}
    figures = {f"figures/{name}.{kind}" for name in FIGURES if name != "curves" for kind in ("png", "svg", "csv")}
    tables = {"tables/warning_cells.csv", "tables/warning_curve.csv"}
    tables |= {f"tables/codes_{name}.csv" for name in ("given", "random", "age-bins")}
    files = {"report.html", "report.md", "discovery.json", "segments.csv", "cells.csv", "warning_score.json", MARKER}
    assert names == figures | tables | files
    page = (run_folder / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)  # self-contained
    assert page.count("data:image/png;base64,") == len(figures) // 3
    content = json.loads((run_folder / "discovery.json").read_text())
    assert content["plan"]["proxy"] == "fade" and content["verdict"] == planted_run.verdict
    assert content["primary"]["nested"]["p_within"] == planted_run.primary.nested.p_within
    with pytest.raises(MagBridgeError, match="contains a discovery run: expected another"):
        write_run(planted_run, run_folder)


@pytest.mark.parametrize(
    ("n_cells", "words"),
    [(1, "only 1 cell can take part"), (2, "only 2 cells can take part"), (3, "No candidate: no code")],
)
def test_few_cells_are_said_and_still_drawn(n_cells, words, tmp_path):
    found = given_run(random_study, n_cells=n_cells)
    assert words in found.verdict[0]
    assert words in markdown_report(found)
    assert n_cells > 1 or write_run(found, tmp_path / "run").is_file()
    assert record(found)["primary"]["nested"] is None


def test_a_proxy_that_cannot_be_computed_is_an_error():
    with pytest.raises(MagBridgeError, match="no cell can take part in the analysis of capacity fade"):
        given_run(planted_study, change=lambda t: t.assign(capacity=np.nan), n_cells=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="code"), "lacks code"),
        (lambda t: t.iloc[3:], "has cell cell00 cycle 0 without a code, one of 3 such valid segments"),
        (lambda t: pd.concat([t, t.head(1)]), "has cell cell00 cycle 0 twice"),
        (lambda t: t.assign(code=t["code"] + 0.5), "integers from 0"),
        (lambda t: t.assign(code=t["code"] - 40), "integers from 0"),
        (lambda t: t.assign(code="a"), "integers from 0"),
        (lambda t: t.assign(code=10**9), "too large"),
    ],
)
def test_tables_of_codes_that_cannot_be_used_are_named(change, message):
    segments, coding = planted_study(0, n_cells=4)
    codes = change(segments[["cell_id", "cycle"]].assign(code=coding.reference))
    with pytest.raises(MagBridgeError, match=message):
        discover(segments, PLAN, codes=codes, seeds=[0])


@pytest.mark.parametrize(
    ("swing", "message"),
    [(np.nan, "swing have missing or infinite values"), (1.0, "swing are constant; leave these columns out")],
)
def test_features_that_cannot_be_trained_on_are_named(swing, message):
    segments = make_segments(np.linspace(0, 1, 4)).assign(swing=swing)
    with pytest.raises(MagBridgeError, match=message):
        discover(segments, PLAN, seeds=[0])


def test_with_a_reference_only_what_changes_in_a_cell_counts(monkeypatch):
    monkeypatch.setattr(controls, "TRAINED", ("random",))
    rng = np.random.default_rng(0)
    segments = make_segments(rng.random(6), n_segments=24)
    segments = segments.assign(swing=rng.random(len(segments)), drop=segments["cycle"] + rng.random(len(segments)))
    offsets = segments["cell_id"].map({name: 8.0 * c for c, name in enumerate(segments["cell_id"].unique())})
    plan = replace(PLAN, reference_window=(1, 5), n_permutations=99)
    options = {"method": "recommended-classical", "seeds": [0], "training": TrainingConfig(epochs=2, warmup_epochs=1)}
    one, other = (
        discover(segments, plan, features=segments.assign(drop=segments["drop"] + shift), **options)
        for shift in (0.0, offsets)
    )
    np.testing.assert_array_equal(one.primary.codes, other.primary.codes)
    assert one.model.config.reference_window == [1, 5] and "segments 1 to 5" in " ".join(one.notes)
    assert one.study.segments["cycle"].min() == 5 and json.loads(json.dumps(record(one)["plan"]))
    with pytest.raises(MagBridgeError, match="not for protocol D"):
        discover(segments, plan, protocol="D", **options)
    with pytest.raises(MagBridgeError, match="not for given codes"):
        discover(segments, plan, codes=segments.assign(code=0))


@pytest.mark.slow
def test_a_run_that_trains_its_methods_reports_all_controls(tmp_path):
    from hqvqvae.cells.nasa import load_curves, load_segments

    found = discover(
        load_segments("C"), PLAN, method="pca-kmeans", seeds=[0], engine=Engine(jobs=2), curves=load_curves()
    )
    expected = {"recommended", "recommended-classical", "paper", "ae-kmeans", "random"}
    assert set(found.controls) == expected | {"age-bins", "cohort-mean", "raw-feature"}
    assert found.controls["paper"].quality["codes_used"] <= 8
    for name in ("recommended", "recommended-classical", "ae-kmeans"):
        assert found.controls[name].quality["codes_used"] >= 31
        assert 0.8 < found.controls[name].quality["cohort_purity"] < 0.995
    page = write_run(found, tmp_path / "run").read_text()
    assert "HQ-VQVAE, as in the paper" in page and "Mean discharge curve per code" in page
