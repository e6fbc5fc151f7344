"""Whole runs: what they write, the verdict in words, and tables that leave little to analyse."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest

from hqvqvae.discovery.analysis import DiscoveryPlan
from hqvqvae.discovery.figures import FIGURES
from hqvqvae.discovery.report import html_report, markdown_report
from hqvqvae.discovery.result import record
from hqvqvae.discovery.run import discover, write_run
from hqvqvae.discovery.verdict import headline, is_precursor, verdict
from hqvqvae.errors import HQVQVAEError
from tests.hqvqvae.synthetic_cells import make_segments, planted_study, random_study

PLAN = DiscoveryPlan(n_permutations=199)


def given(study_of, seed=0, change=lambda t: t, n_cells=10):
    segments, coding = study_of(seed, n_cells)
    segments = change(segments.assign(code=coding.reference))
    return discover(segments.drop(columns="code"), PLAN, codes=segments[["cell_id", "cycle", "code"]], seeds=[0])


@pytest.fixture(scope="module")
def planted():
    return given(planted_study, n_cells=20)


@pytest.fixture(scope="module")
def folder(planted, tmp_path_factory):
    return write_run(planted, tmp_path_factory.mktemp("runs") / "run").parent


def test_a_planted_precursor_is_said_in_the_first_sentence(planted):
    assert planted.verdict[0].startswith("A precursor was found: the early rate of code 7, chosen in ")
    assert re.search(r"\(rho = 0\.\d\d, pF = 0\.\d+, pW = 0\.\d+\)", planted.verdict[0])
    assert record(planted)["precursor_found"] is True


def test_random_codes_are_said_to_predict_nothing():
    found = given(random_study, 1)
    assert found.verdict[0].startswith("No code predicts capacity fade on unseen cells beyond what the cohort tells (")
    assert record(found)["precursor_found"] is False


@pytest.mark.parametrize(
    ("rho", "p_free", "p_within", "words"),
    [
        (0.6, 0.01, 0.01, "A precursor was found"),
        (0.6, 0.01, 0.40, "beyond what the cohort tells (rho = 0.60, pF = 0.010, pW = 0.400). Taken without regard"),
        (0.1, 0.30, 0.40, "No code predicts capacity fade on unseen cells beyond what the cohort tells (rho = 0.10"),
        (0.3, 0.20, 0.01, "No precursor established: predictions of capacity fade on unseen cells beat those"),
        (-0.2, 0.01, 0.01, "but do not follow it across cells (rho = -0.20"),
        (0.6, 0.01, np.nan, "This is no evidence of a precursor"),
        (0.1, 0.30, np.nan, "capacity fade on unseen cells (rho = 0.10, pF = 0.300, pW not testable)."),
        (0.6, np.nan, np.nan, "20 cells are too few to test"),
    ],
)
def test_the_headline_follows_from_rho_and_both_p(planted, rho, p_free, p_within, words):
    nested = dataclasses.replace(planted.primary.nested, rho=rho, p_free=p_free, p_within=p_within)
    result = dataclasses.replace(planted.primary, nested=nested)
    assert words in headline(planted.study, result)
    assert is_precursor(planted.study, result) is (words == "A precursor was found")


def test_the_score_is_said_to_be_no_better_than_a_capacity_threshold_where_it_is_not(planted):
    warning = planted.warning
    summary = warning.summary.assign(hit=[3, 3, 1], false_alarm=[2, 1, 0])
    worse = dataclasses.replace(warning, summary=summary)
    better = dataclasses.replace(warning, summary=summary.assign(hit=[4, 3, 1]))
    said = "The early-warning score is no better than a plain capacity threshold."
    for evaluation, expected in ((worse, True), (better, False)):
        sentences = verdict(planted.study, planted.primary, planted.controls, evaluation, trained_apart=True)
        assert (said in sentences) is expected


def test_the_folder_of_a_run_is_whole(planted, folder):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    figures = {f"figures/{name}.{kind}" for name in FIGURES if name != "curves" for kind in ("png", "svg", "csv")}
    tables = {"tables/warning_cells.csv", "tables/warning_curve.csv"}
    tables |= {f"tables/codes_{name}.csv" for name in ("given", "random", "age-bins")}
    files = {"report.html", "report.md", "discovery.json", "segments.csv", "cells.csv", "warning_score.json"}
    assert names == figures | tables | files
    page = (folder / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)  # self-contained
    assert page.count("data:image/png;base64,") == len(figures) // 3
    content = json.loads((folder / "discovery.json").read_text())
    assert content["plan"]["proxy"] == "fade" and content["verdict"] == planted.verdict
    assert content["primary"]["nested"]["p_within"] == planted.primary.nested.p_within
    with pytest.raises(HQVQVAEError, match="is not empty"):
        write_run(planted, folder)


def test_both_reports_hold_every_sentence_and_every_control(planted, folder):
    page = html_report(planted, folder / "figures")
    text = markdown_report(planted)
    for label in ("codes as given", "random codes", "age bins", "mean of the cell's cohort", "best single raw feature"):
        assert label in text and label.replace("'", "&#x27;") in page.replace("'", "&#x27;")
    for sentence in planted.verdict:
        assert sentence in text
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower()


def test_what_a_user_writes_in_a_name_stays_text(tmp_path):
    def rename(table):
        return table[(table["cell_id"] != "cell03") | (table["cycle"] < 7)].replace("cell03", "<b>")

    page = html_report(dataclasses.replace(given(planted_study, change=rename), figures={}), tmp_path)
    assert "&lt;b&gt; (7 valid segments" in page and "<b>" not in page


def test_cells_that_were_left_out_are_named():
    found = given(planted_study, change=lambda t: t[(t["cell_id"] != "cell03") | (t["cycle"] < 7)])
    assert "Left out of the association: cell03 (7 valid segments, fewer than 20)." in found.verdict


@pytest.mark.parametrize(
    ("n_cells", "words"),
    [(1, "only 1 cell can take part"), (2, "only 2 cells can take part"), (3, "No candidate: no code")],
)
def test_few_cells_are_said_and_still_drawn(n_cells, words, tmp_path):
    found = given(random_study, n_cells=n_cells)
    assert words in found.verdict[0]
    assert words in markdown_report(found)
    assert n_cells > 1 or write_run(found, tmp_path / "run").is_file()
    assert record(found)["primary"]["nested"] is None


def test_one_cohort_only_is_said():
    found = given(planted_study, change=lambda t: t.assign(cohort="A"))
    assert any("one cohort only" in sentence for sentence in found.verdict)
    assert found.primary.nested.p_within < 0.05


def test_cohorts_of_one_cell_give_no_pw_and_no_precursor():
    found = given(planted_study, change=lambda t: t.assign(cohort=t["cell_id"]))
    assert np.isnan(found.primary.nested.p_within)
    assert "This is no evidence of a precursor" in found.verdict[0]
    assert any("in 1 way only (the largest has 1)" in sentence for sentence in found.verdict)
    assert np.isnan(record(found)["primary"]["nested"]["p_within"])


def test_one_code_for_all_segments_is_said():
    found = given(planted_study, change=lambda t: t.assign(code=0))
    assert found.verdict[0].startswith("No candidate: no code is held by at least 6 cells with a varying early rate")
    assert any("All segments carry one code" in sentence for sentence in found.verdict)
    assert "none" in markdown_report(found)


def test_a_proxy_that_is_the_same_in_all_cells_is_said():
    found = given(planted_study, change=lambda t: t.assign(capacity=1.5), n_cells=8)
    assert found.verdict[0] == "No association can be tested: capacity fade is the same in all 8 cells."
    assert any("No cell reaches the onset" in note for note in found.notes)
    assert found.verdict[0] in markdown_report(found)


def test_a_proxy_that_cannot_be_computed_is_an_error():
    with pytest.raises(HQVQVAEError, match="no cell can take part in the analysis of capacity fade"):
        given(planted_study, change=lambda t: t.assign(capacity=np.nan), n_cells=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="code"), "lacks code"),
        (lambda t: t.iloc[3:], "3 valid segments have no code, the first is cell cell00 cycle 0"),
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
    with pytest.raises(HQVQVAEError, match=message):
        discover(segments, PLAN, codes=codes, seeds=[0])


@pytest.mark.parametrize(
    ("swing", "message"),
    [(np.nan, "swing hold missing or infinite values"), (1.0, "swing are constant: leave them out")],
)
def test_features_that_cannot_be_trained_on_are_named(swing, message):
    segments = make_segments(np.linspace(0, 1, 4)).assign(swing=swing)
    with pytest.raises(HQVQVAEError, match=message):
        discover(segments, PLAN, seeds=[0])


@pytest.mark.slow
def test_a_run_that_trains_its_methods_reports_all_controls(tmp_path):
    from hqvqvae.cells.nasa import load_curves, load_segments

    found = discover(load_segments("C"), PLAN, method="pca-kmeans", seeds=[0], workers=2, curves=load_curves())
    expected = {"recommended", "recommended-classical", "paper", "ae-kmeans", "random"}
    assert set(found.controls) == expected | {"age-bins", "cohort-mean", "raw-feature"}
    assert found.controls["paper"].quality["codes_used"] <= 8
    for name in ("recommended", "recommended-classical", "ae-kmeans"):
        assert found.controls[name].quality["codes_used"] >= 31
        assert 0.8 < found.controls[name].quality["cohort_purity"] < 0.995
    page = write_run(found, tmp_path / "run").read_text()
    assert "HQ-VQVAE, as in the paper" in page and "Mean discharge curve per code" in page
