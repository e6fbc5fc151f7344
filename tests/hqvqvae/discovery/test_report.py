"""The report, as a page and as Markdown."""

import dataclasses
import json
import re

import numpy as np
import pytest

from dataset_card.storage.documents import json_text
from hqvqvae.discovery.report import headline, html_report, is_precursor, markdown_report, record, verdict
from tests.hqvqvae.synthetic_cells import PLANTED, given_run, planted_study, random_study


def test_both_reports_hold_every_sentence_and_every_control(planted_run, run_folder):
    page = html_report(planted_run, run_folder / "figures")
    text = markdown_report(planted_run)
    for label in ("codes as given", "random codes", "age bins", "mean of the cell's cohort", "best single raw feature"):
        assert label in text and label.replace("'", "&#x27;") in page.replace("'", "&#x27;")
    for sentence in planted_run.verdict:
        assert sentence in text
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower()


def test_what_a_user_writes_in_a_name_stays_text(tmp_path):
    def rename(table):
        return table[(table["cell_id"] != "cell03") | (table["cycle"] < 7)].replace("cell03", "<b>**_|![x](u)")

    found = dataclasses.replace(given_run(planted_study, change=rename), figures={})
    assert r"\<b>\*\*\_\|!\[x\](u) (7 valid segments" in markdown_report(found)
    page = html_report(found, tmp_path)
    assert "&lt;b&gt;**_|![x](u) (7 valid segments" in page and "<b>" not in page and "<img" not in page


@pytest.mark.parametrize(
    ("rho", "p_free", "p_within", "words"),
    [
        (0.6, 0.01, 0.01, "A precursor was found"),
        (0.6, 0.01, 0.40, "beyond what the cohort explains (rho = 0.60, pF = 0.010, pW = 0.400). Ignoring the cohorts"),
        (0.1, 0.30, 0.40, "No code predicts capacity fade on unseen cells beyond what the cohort explains (rho = 0.10"),
        (0.3, 0.20, 0.01, "No precursor established: predictions of capacity fade on unseen cells beat those"),
        (-0.2, 0.01, 0.01, "but do not follow it across cells (rho = -0.20"),
        (0.6, 0.01, np.nan, "This is not evidence of a precursor"),
        (0.1, 0.30, np.nan, "capacity fade on unseen cells (rho = 0.10, pF = 0.300, pW not testable)."),
        (0.6, np.nan, np.nan, "20 cells are too few to test"),
    ],
)
def test_the_headline_follows_from_rho_and_both_p(planted_run, rho, p_free, p_within, words):
    nested = dataclasses.replace(planted_run.primary.nested, rho=rho, p_free=p_free, p_within=p_within)
    result = dataclasses.replace(planted_run.primary, nested=nested)
    assert words in headline(planted_run.study, result)
    assert is_precursor(planted_run.study, result) is (words == "A precursor was found")


def test_the_score_is_said_to_be_no_better_than_a_capacity_threshold_where_it_is_not(planted_run):
    warning = planted_run.warning
    summary = warning.summary.assign(hit=[3, 3, 1], false_alarm=[2, 1, 0])
    worse = dataclasses.replace(warning, summary=summary)
    better = dataclasses.replace(warning, summary=summary.assign(hit=[4, 3, 1]))
    said = "The early-warning score is no better than a plain capacity threshold."
    for evaluation, expected in ((worse, True), (better, False)):
        sentences = verdict(
            planted_run.study, planted_run.primary, planted_run.controls, evaluation, trained_apart=True
        )
        assert (said in sentences) is expected


def test_a_planted_precursor_is_said_in_the_first_sentence(planted_run):
    assert planted_run.verdict[0].startswith("A precursor was found: the early rate of code 7, chosen in ")
    assert re.search(r"\(rho = 0\.\d\d, pF = 0\.\d+, pW = 0\.\d+\)", planted_run.verdict[0])
    assert record(planted_run)["precursor_found"] is True


def test_random_codes_are_said_to_predict_nothing():
    found = given_run(random_study, 1)
    assert found.verdict[0].startswith(
        "No code predicts capacity fade on unseen cells beyond what the cohort explains ("
    )
    assert record(found)["precursor_found"] is False


def test_cells_that_were_left_out_are_named():
    found = given_run(planted_study, change=lambda t: t[(t["cell_id"] != "cell03") | (t["cycle"] < 7)])
    assert "Left out of the association: cell03 (7 valid segments, fewer than 20)." in found.verdict


def test_one_cohort_only_is_said():
    found = given_run(planted_study, change=lambda t: t.assign(cohort="A"))
    assert any("only one cohort" in sentence for sentence in found.verdict)
    assert found.primary.nested.p_within < 0.05


def test_cohorts_of_one_cell_give_no_pw_and_no_precursor():
    found = given_run(planted_study, change=lambda t: t.assign(cohort=t["cell_id"]))
    assert np.isnan(found.primary.nested.p_within)
    assert "This is not evidence of a precursor" in found.verdict[0]
    assert any("in only 1 way (the largest cohort has 1)" in sentence for sentence in found.verdict)
    assert np.isnan(record(found)["primary"]["nested"]["p_within"])


def test_one_code_for_all_segments_is_said():
    found = given_run(planted_study, change=lambda t: t.assign(code=0))
    assert found.verdict[0].startswith("No candidate: no code occurs in at least 6 cells with a varying early rate")
    assert any("All segments have the same code" in sentence for sentence in found.verdict)
    assert "none" in markdown_report(found)


def test_a_proxy_that_is_the_same_in_all_cells_is_said():
    found = given_run(planted_study, change=lambda t: t.assign(capacity=1.5), n_cells=8)
    assert found.verdict[0] == "No association can be tested: capacity fade is the same in all 8 cells."
    assert any("No cell reaches the onset" in note for note in found.notes)
    assert found.verdict[0] in markdown_report(found)


def test_the_record_holds_plan_settings_and_unrounded_figures(planted_run):
    found = record(planted_run)
    assert found["plan"]["proxy"] == "fade" and found["method"] == "given" and found["seeds"] == [0]
    nested = planted_run.primary.nested
    assert found["primary"]["nested"]["rho"] == nested.rho
    assert found["primary"]["nested"]["p_within_seeds"] == nested.p_within_seeds.tolist()
    assert found["primary"]["table_10"]["precursor_code"] == PLANTED
    assert found["primary"]["table_2"][0]["code"] == PLANTED
    assert set(found["controls"]) == {"random", "age-bins", "cohort-mean", "raw-feature"}
    assert found["versions"]["numpy"] == np.__version__


def test_what_cannot_be_computed_is_null_in_json():
    found = given_run(planted_study, change=lambda t: t.assign(cohort=t["cell_id"]))
    assert json.loads(json_text(record(found)))["primary"]["nested"]["p_within"] is None
