"""Mean ranks over tasks."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import rankdata

from benchmark import evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.leaderboard.boards import leaderboard
from benchmark.leaderboard.charts import cost_chart, rank_chart
from benchmark.leaderboard.summary import _ranks, summarize
from benchmark.tasks import TASKS


@pytest.fixture(scope="module")
def boards(release):
    results = []
    for task in TASKS:
        data = load_task(task, release)
        good = "ridge" if task.is_regression else "logistic-regression"
        constant = evaluate_model(task, get_model("constant"), data)
        results += [constant, dataclasses.replace(constant, model="twin")]
        results.append(evaluate_model(task, get_model(good), data, name="good"))
    return leaderboard([*results, evaluate_model("t1", get_model("ridge"), release)])


def test_ranks_are_those_of_scipy():
    scores = np.random.default_rng(0).integers(0, 5, (50, 7)).astype(float)
    np.testing.assert_array_equal(_ranks(scores), rankdata(-scores, axis=1))


def test_models_of_every_task_stand_by_their_mean_rank(boards):
    standings = summarize(boards)
    assert [s.model for s in standings] == ["good", "constant", "twin"], "ridge does one task"
    assert [s.mean_rank for s in standings] == [1.0, 2.5, 2.5]
    assert standings[0].interval == (1.0, 1.0) and standings[1].scores.keys() == {task.id for task in TASKS}
    assert summarize(boards[:3]) == []


def test_charts_show_every_model_and_name_the_front(boards):
    chart = rank_chart(summarize(boards))
    assert chart.count("<circle") == 3 and "good: mean rank 1.00" in chart
    (board,) = [b for b in boards if b.task == "t2"]
    cost = cost_chart(board)
    assert cost.count("<circle") == 3 and ">good</text>" in cost and 'role="img"' in cost
    assert cost_chart(dataclasses.replace(board, entries=board.entries[:1])) == ""
