"""The packaged record of the search in words: what it promises is in its rows, and every figure comes from them."""

import json

import numpy as np
import pytest

from hqvqvae.hub import precursor_card
from hqvqvae.hub.precursor_card import holds, precursor_report, rows_of
from hqvqvae.modeling_hqvqvae import PACKAGED


@pytest.fixture(scope="module")
def record():
    return json.loads((PACKAGED / "precursor" / "precursors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("method", ["kmeans", "precursor"])
def test_ten_seeds_of_the_recipe_rank_lives_within_batches(record, method):
    rows = rows_of(record, "search")[method]
    assert [row["seed"] for row in rows] == list(range(10)) and {row["cells"] for row in rows} == {124}
    assert min(row["within"] for row in rows) >= 0.35 and max(row["p_within"] for row in rows) < 0.01
    assert holds(rows)
    assert all(row["within"] == pytest.approx(np.mean(list(row["by_cohort"].values()))) for row in rows)


def test_random_codes_rank_nothing(record):
    rows = rows_of(record, "search")["random"]
    assert not holds(rows) and abs(np.mean([row["within"] for row in rows])) < 0.1


def test_the_report_prints_each_seed_and_whether_all_keep_the_criterion(record):
    report = precursor_report(record)
    for method, rows in rows_of(record, "search").items():
        each = ", ".join(f"{row['within']:.2f}" for row in rows)
        name = precursor_card.MEANING[method]
        line = next(line for line in report.splitlines() if line.startswith(f"| {name} | {each} |"))
        assert line.endswith("| yes |" if holds(rows) else "| no |")


def test_what_was_not_measured_is_left_out(record):
    rows = [row for row in record["rows"] if row["part"] == "search" and row["method"] == "kmeans"]
    report = precursor_report(record | {"rows": rows})
    assert "## Unseen cells" in report
    assert not any(title in report for title in ("## A later batch", "## With fewer cells", "## When it warns"))


def test_figures_follow_the_record(record):
    changed = [row | {"within": 0.1, "rho": 0.2} if row["method"] == "kmeans" else row for row in record["rows"]]
    report = precursor_report(record | {"rows": changed})
    line = next(line for line in report.splitlines() if line.startswith("| k-means | 10 |"))
    assert "| 10 | 0.20 | 0.10 (0.10 to 0.10) |" in line
