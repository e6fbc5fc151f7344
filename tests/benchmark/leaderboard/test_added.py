import dataclasses
from pathlib import Path

import numpy as np
import pytest

import benchmark.results
from benchmark import evaluate_model
from benchmark.baselines import get_model
from benchmark.leaderboard.added import added, sentence, to_markdown
from benchmark.results import read_results, write_result
from dataset_card.errors import MagBridgeError

FILED = Path(benchmark.results.__file__).parent / "v3"


@pytest.fixture(scope="module")
def results(v3_release):
    return [
        evaluate_model(task, get_model(f"ridge-{view}"), v3_release)
        for task in ("t6", "t9")
        for view in ("terminals", "magnetics", "both")
    ]


def test_three_columns_and_a_paired_gain(results):
    places, health = added(results)
    by_model = {(r.task, r.model): r.mean() for r in results}
    assert places.scores == {view: by_model["t6", f"ridge-{view}"] for view in places.scores}
    assert places.gain == pytest.approx(by_model["t6", "ridge-terminals"] - by_model["t6", "ridge-both"])
    assert health.gain == pytest.approx(by_model["t9", "ridge-both"] - by_model["t9", "ridge-terminals"])
    of_healthy = {r.model.partition("-")[2]: r.mean("r2_healthy") for r in results if r.task == "t9"}
    assert health.healthy == of_healthy and not places.healthy
    assert f"{health.scores['both']:.3f} ({of_healthy['both']:.3f})" in to_markdown([health])
    assert health.interval[0] <= health.gain <= health.interval[1]
    assert "### T6 Defect place: median_error_mm, lower is better" in to_markdown([places, health])


def test_a_sentence_follows_from_the_interval(results):
    found = added(results)[1]
    for interval, words in (((0.1, 0.3), "adds to the terminals"), ((-0.3, -0.1), "worse"), ((-0.1, 0.1), "no gain")):
        assert words in sentence(dataclasses.replace(found, interval=interval))
    assert "were not run" in sentence(dataclasses.replace(found, gain=None, interval=None))


def test_filed_places_come_back(results, tmp_path):
    for result in results:
        path = write_result(result, tmp_path)
    again = read_results(path)
    assert [r.key for r in again] == sorted(r.key for r in results)
    assert added(again) == added(results)
    assert np.isfinite([r.mean() for r in again]).all()


def test_no_filed_learner_is_worse_on_both_than_on_the_better_alone():
    """By more than its interval: a learner that fits the noise of readings which say nothing would be."""
    table = [found for found in added(read_results(FILED)) if found.over_better is not None]
    assert len(table) >= 11 and {found.task for found in table} == {"t5", "t6", "t7", "t8", "t9"}
    assert not [(found.task, found.learner, found.over_better) for found in table if found.over_better[2] < 0]


def test_other_results_are_named():
    with pytest.raises(
        MagBridgeError, match="no result on v3 of a model whose name ends in terminals, magnetics, both"
    ):
        added([])
