"""The report, as a page and as Markdown."""

import dataclasses
import re

from hqvqvae.discovery.report import html_report, markdown_report
from tests.hqvqvae.synthetic_cells import given_run, planted_study


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
