"""Words on planted results follow the figures: the study of bottlenecks, and the power of a search."""

import json

import numpy as np
import pytest

from hqvqvae.hub.sentences import WORDS, holds, power_sentences, precursor_report, rows_of, study_report, verdict
from hqvqvae.modeling_hqvqvae import PACKAGED

CLEAR = {"better": (-0.2, -0.3, -0.1), "worse": (0.2, 0.1, 0.3), "tied": (0.01, -0.1, 0.1)}


def difference(kind):
    return dict(zip(("mean", "low", "high"), CLEAR[kind]))


def planted(**circuits):
    """A summary with circuits whose difference to their twin is as told: (on cells, on fresh cells and cohorts)."""
    bottleneck = {
        "meaning": "a circuit",
        "parameters": 184,
        "cpu_seconds_a_fold": 1.26,
        "cell": {"mse": 0.4, "standard_error": 0.01},
        "cohort": {"mse": 2.0, "standard_error": None},
    }
    pairs = {}
    for name, (first, *fresh) in circuits.items():
        pairs[name] = {"cell": difference(first), "cohort": difference("tied")}
        if fresh:
            pairs[name]["fresh_seeds"] = dict(zip(("cell", "cohort"), map(difference, fresh)))
    names = (*circuits, "none")
    record = {"seeds": [1, 2, 3], "epochs": 50, "learning_rates": [0.001, 0.003]}
    record |= {"cells_held_out": ["a"] * 20, "cohorts_held_out": ["b"] * 5}
    record["bottlenecks"] = {name: {**bottleneck, "cell": {"mse": 0.4 + i / 10, "standard_error": 0.01}}
                             for i, name in enumerate(names)}  # fmt: skip
    record["pairs"] = pairs
    record["verdict"] = verdict(record)
    return record


NONE = "None of 2 circuits beats its classical twin of equal size"


@pytest.mark.parametrize(
    ("circuits", "answer", "counts"),
    [
        ({"a": ("tied",), "b": ("worse",)}, f"{NONE}. ", "0 better and 1 worse on unseen cells"),
        ({"a": ("worse",), "b": ("worse",)}, f"{NONE}. ", "0 better and 2 worse on unseen cells"),
        (
            {"a": ("better", "tied", "better"), "b": ("tied",)},
            f"{NONE}: `a`, ahead on the first seeds, did",
            "1 better",
        ),
        (
            {"a": ("better", "better", "tied"), "b": ("tied",)},
            f"{NONE}: `a`, ahead on the first seeds, did",
            "1 better",
        ),
        (
            {"a": ("better", "better", "better"), "b": ("worse",)},
            "`a` (1 of 2 circuits) beat the classical twin of equal size, on fresh seeds too.",
            "1 better and 1 worse on unseen cells and 0 better and 0 worse on unseen cohorts",
        ),
    ],
)
def test_the_verdict_follows_the_figures(circuits, answer, counts):
    text = planted(**circuits)["verdict"]
    assert text.startswith(answer) and counts in text
    assert text.endswith("the best circuit and the controls: `a` 0.400, `none` 0.600.")


def test_the_table_has_cost_beside_error():
    summary = planted(a=("worse",))
    report = study_report(summary)
    assert report.splitlines()[4] == (
        "| `a`: a circuit | 184 | 0.400 ± 0.010 | 2.000 | +0.200 [+0.100, +0.300] | +0.010 [-0.100, +0.100] | 1.3 |"
    )
    assert report.startswith(summary["verdict"]) and "20 cells and 5 cohorts" in report and "0.001, 0.003" in report


def power(smallest, effects=(0.0, 0.5, 1.0)):
    curves = {
        cells: {
            "found": [0.02, 0.5, 1.0],
            "spearman": [0.0, 0.4, 0.8],
            "smallest_effect": effect,
            "trials": 50 if int(cells) < 60 else 17,
        }  # fmt: skip
        for cells, effect in smallest.items()
    }
    return {
        "plan": {"min_cells_present": 6},
        "cells": 20,
        "power": 0.8,
        "effects": list(effects),
        "curves": curves,
    }


def test_the_smallest_effect_of_the_study_s_own_cells_comes_first():
    text = power_sentences(power({"10": None, "20": 0.75, "40": 0.4}), {"precursor_found": False})
    assert text.startswith(
        "No precursor was found in these cells. The smallest effect that 20 cells could have shown with a power of "
        "80% is a correlation of 0.75 between a code's early rate and the late proxy among cells of a cohort (Spearman "
        "0.60 over"
    )
    assert "; 10 cells would show no effect with a power of 80%; 40 cells would show 0.40." in text
    assert "at most 2.0% are taken for precursors" in text and "planted per effect: 50. The codes" in text
    assert text.endswith("a codebook without a code that occurs in 6 cells shows no precursor of any strength.")


def test_fewer_trials_among_many_cells_are_said():
    text = power_sentences(power({"20": 0.75, "40": 0.4, "124": 0.3}))
    assert "planted per effect: 50 among 20, 40 cells; 17 among 124 cells. The codes" in text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "20 cells would show no effect with a power of 80%."),
        ({"precursor_found": True}, "A precursor was found in"),
    ],
)
def test_other_outcomes(found, words):
    text = power_sentences(power({"20": None}, effects=(0.1, 0.5, 1.0)), found)
    assert text.startswith(words) and "without any effect" not in text


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
        name = WORDS["lives"][method]
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
