"""Metrics against scikit-learn; contract of every declared task and metric; the bootstrap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from benchmark.scoring import (
    battery_statistics,
    bootstrap,
    headline,
    interval,
    percentiles,
    score,
    visit_statistics,
    whole,
)
from benchmark.tasks import BY_ID, TASKS, get_task
from dataset_card.errors import MagBridgeError


def random_case(task, rng, n=200):
    """Truth, prediction and scores of a task."""
    if task.is_regression:
        truth = rng.uniform(0.7, 1, n)
        return truth, truth + rng.normal(0, 0.05, n), None
    truth, prediction = (rng.choice(task.labels, n) for _ in range(2))
    return truth, prediction, np.round(rng.normal(size=n), 1) if task.auc else None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), task=st.sampled_from(TASKS))
def test_equals_scikit_learn(seed, task):
    truth, prediction, scores = random_case(task, np.random.default_rng(seed))
    ours = score(task, truth, prediction, scores)
    if task.is_regression:
        expected = {"r2": sk.r2_score(truth, prediction), "mae": sk.mean_absolute_error(truth, prediction)}
    else:
        expected = {"balanced_accuracy": sk.balanced_accuracy_score(truth, prediction)}
        for label, recall in zip(task.labels, sk.recall_score(truth, prediction, labels=task.labels, average=None)):
            expected[f"recall_{label}"] = recall
        if task.positive:
            expected["f1"] = sk.f1_score(truth, prediction, pos_label=task.positive)
        if task.auc:
            expected[task.auc] = sk.roc_auc_score(truth == task.scored_label, scores)
    assert ours.keys() == expected.keys() == {metric.name for metric in task.metrics if not metric.needs_rows}
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, rel=1e-12, abs=1e-12), name


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_perfect_and_constant_predictions(task):
    truth, _, _ = random_case(task, np.random.default_rng(0))
    name = task.headline.name
    assert score(task, truth, truth)[name] == 1.0
    constant = np.full(len(truth), truth.mean() if task.is_regression else task.labels[0])
    assert score(task, truth, constant)[name] == pytest.approx(task.chance, abs=1e-12)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_values_stay_in_the_declared_range(task):
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = score(task, *random_case(task, rng, n=30))
        for metric in (m for m in task.metrics if not m.needs_rows):
            assert metric.lowest <= values[metric.name] <= metric.highest


T1, T2, T3, T4 = TASKS


@pytest.mark.parametrize(
    "task, truth, prediction, scores, message",
    [
        (T1, [1.0, 2.0], [1.0, np.nan], None, "1 predictions are NaN or infinite, the first in row 1"),
        (T1, [1.0, 2.0], [1.0], None, "1 predictions for 2 references"),
        (T1, [1.0, 2.0], ["a", "b"], None, "expected one number per row"),
        (T1, [1.0, 2.0], [[1.0], [2.0]], None, "shape"),
        (T1, [1.0, 1.0], [1.0, 2.0], None, "R2 is undefined"),
        (T1, [0.1, 0.1, 0.1], [0.1, 0.1, 0.2], None, "R2 is undefined"),  # their mean is not quite 0.1
        (T1, [], [], None, "no rows to score"),
        (T2, ["reuse"], ["resue"], None, "unknown label 'resue'"),
        (T2, ["reuse"], [1.0], None, "class numbers and probabilities are not labels"),
        (T2, ["reuse"], [0], None, "expected a label as a string"),
        (T2, ["reuse", "reuse"], ["reuse", "reuse"], [0.1, 0.2], "ROC AUC is undefined"),
        (T2, ["reuse", "recondition"], ["reuse", "reuse"], [0.1], "1 scores for 2 references"),
        (T3, ["none"], ["none"], [np.inf], "1 scores are NaN or infinite"),
        (T4, ["sensor_dropout"], ["sensor_dropout"], [0.1], "no metric of this task reads them"),
    ],
)
def test_bad_input_is_named(task, truth, prediction, scores, message):
    with pytest.raises(MagBridgeError, match=message):
        score(task, truth, prediction, scores)


def test_class_without_rows_has_no_recall():
    values = score(T4, ["sensor_dropout"] * 2, ["sensor_dropout", "temporal_warp"])
    assert values == {"balanced_accuracy": 0.5, "recall_sensor_dropout": 0.5}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_battery_statistics_sum_to_the_headline(task):
    rng = np.random.default_rng(2)
    truth, prediction, _ = random_case(task, rng)
    cells, statistics = battery_statistics(task, truth, prediction, rng.choice(["3", "1", "regimeB_v254"], len(truth)))
    assert cells.tolist() == ["1", "3", "regimeB_v254"]
    assert headline(task, statistics.sum(axis=0)) == pytest.approx(
        score(task, truth, prediction)[task.headline.name], rel=1e-9
    )


def test_interval_grows_with_the_spread_between_cells():
    """Cells that agree give a narrow interval, cells of which half are always wrong a wide one."""
    cell_ids = np.repeat([str(c) for c in range(10)], 40)
    truth = np.tile(np.repeat(T2.labels, 20), 10)
    wrong = np.where(truth == "reuse", "recondition", "reuse")
    even = np.where(np.arange(len(truth)) % 2 == 0, truth, wrong)
    uneven = np.where(cell_ids.astype(int) < 5, truth, wrong)
    widths = []
    for prediction in (even, uneven):
        cells, statistics = battery_statistics(T2, truth, prediction, cell_ids)
        low, high = interval(T2, cells, statistics[None])
        assert low <= 0.5 <= high
        widths.append(high - low)
    assert widths[0] == pytest.approx(0, abs=1e-12)
    # Binomial with 10 cells: standard deviation sqrt(.25 / 10) = .158, interval about four of it wide.
    assert 0.5 < widths[1] < 0.7


def test_bootstrap_keeps_regime_b_and_repeats():
    rng = np.random.default_rng(3)
    truth = np.repeat(T3.labels, 50)
    cell_ids = np.where(truth == "bridge_extrapolation", "regimeB_v254", rng.choice(["1", "2", "3"], len(truth)))
    prediction = np.where(truth == "bridge_extrapolation", truth, rng.permutation(truth))
    cells, statistics = battery_statistics(T3, truth, prediction, cell_ids)
    replicates = bootstrap(T3, cells, statistics[None])
    assert np.array_equal(replicates, bootstrap(T3, cells, statistics[None]))
    assert (replicates >= 1 / 3).all(), "Regime-B, always right here, is in every resample"
    assert replicates.std() > 0


@pytest.mark.parametrize("inverted", [0.0, 0.5])
def test_interval_of_r2_covers(inverted):
    """95 % intervals of test sets of 43 batteries hold the R2 of the 645 that they are dealt from.

    Half the batteries inverted stand for a readout that has one ageing law's sign, and those few carry the error.
    """
    rng, held, plain, deals = np.random.default_rng(6), 0, 0, 200
    soh = rng.normal(0.85, 0.08, 645)
    read = np.where(rng.random(645) < inverted, 0.85 + 0.3 * (0.85 - soh), soh) + 0.03 * rng.normal(size=645)
    batteries, statistics = battery_statistics(T1, soh, read, np.char.mod("%03d", np.arange(645)))
    value = headline(T1, statistics.sum(axis=0))
    for _ in range(deals):
        test = np.sort(rng.choice(645, 43, replace=False))
        low, high = interval(T1, batteries[test], statistics[None, test])
        held += low <= value <= high
        low, high = percentiles(bootstrap(T1, batteries[test], statistics[None, test]))
        plain += low <= value <= high
    assert 0.92 <= held / deals <= 0.98
    assert held >= plain


def test_a_draw_of_one_battery_alone_has_no_r2():
    truth = np.repeat([0.8, 0.9], 10)
    batteries, statistics = battery_statistics(T1, truth, truth + 0.01, np.repeat(["1", "2"], 10))
    replicates = bootstrap(T1, batteries, statistics[None])
    assert np.isnan(replicates).mean() == pytest.approx(0.5, abs=0.05)
    assert interval(T1, batteries, statistics[None]) == pytest.approx((0.96, 0.96), abs=1e-9)


def test_visits_are_scored_by_pooled_predictions():
    """Two batteries, one of two visits: SOH pooled as the mean, classes by vote, ties for the task's first class."""
    cells, batteries = np.repeat(["a-1", "a-2", "b-1"], [2, 4, 3]), np.repeat(["a", "b"], [6, 3])
    soh = np.repeat([0.9, 0.8, 0.7], [2, 4, 3])
    noise = np.array([0.1, -0.1, 0.2, 0, 0, 0, 0.3, -0.3, 0.06])
    pooled = visit_statistics(T1, soh, soh + noise, cells, batteries)
    assert pooled[:, 0].tolist() == [2, 1] and pooled[:, 3] == pytest.approx([0.05**2, 0.02**2])
    assert headline(T1, pooled.sum(axis=0)) == pytest.approx(sk.r2_score([0.9, 0.8, 0.7], [0.9, 0.85, 0.72]))
    truth = np.where(soh > 0.85, *T2.labels)
    said = np.array([T2.labels[i] for i in (0, 1, 1, 1, 1, 0, 0, 0, 1)])
    assert visit_statistics(T2, truth, said, cells, batteries).tolist() == [[1, 0, 0, 1], [0, 0, 1, 0]]
    assert visit_statistics(T3, truth, said, cells, batteries) is None


def test_parents_are_left_out_of_the_second_score():
    truth = np.array(T3.labels).repeat(4)
    prediction, parents = truth.copy(), np.zeros(12, bool)
    prediction[:2], parents[:2] = T3.labels[1], True
    found = score(T3, truth, prediction, parents=parents)
    assert (found["balanced_accuracy"], found["without_parents"]) == pytest.approx((2.5 / 3, 1))
    assert "without_parents" not in score(T3, truth, prediction, parents=np.zeros(12, bool))


def test_draws_that_lack_a_class_do_not_count():
    """One cell in four holds the second class: a constant predictor stays at chance in every draw that counts."""
    cell_ids = np.repeat(["1", "2", "3", "4"], 10)
    truth = np.where(cell_ids == "4", "reuse", "recondition")
    cells, statistics = battery_statistics(T2, truth, np.full(40, "recondition"), cell_ids)
    replicates = bootstrap(T2, cells, statistics[None])
    # No draw of cell 4 has probability (3/4)^4 = .316; no draw of another 1/256.
    assert np.isnan(replicates).mean() == pytest.approx(0.320, abs=0.04)
    assert interval(T2, cells, statistics[None]) == (0.5, 0.5)


def test_r2_by_table_is_the_mean_of_scikit_learns_over_tables():
    rng, task = np.random.default_rng(5), TASKS[0]
    truth, prediction, _ = random_case(task, rng, 60)
    cells = np.array([f"{table}-{i % 4:03d}" for i in range(30) for table in ("LFP-35Ah", "NMC-2.1Ah")])
    tables = np.char.startswith(cells, "LFP")
    expected = np.mean([sk.r2_score(truth[rows], prediction[rows]) for rows in (tables, ~tables)])
    ours = score(task, truth, prediction, cell_ids=cells)
    assert ours["r2_by_table"] == pytest.approx(expected, rel=1e-12)
    assert ours.items() >= score(task, truth, prediction).items()


@pytest.mark.parametrize("cells", [["1", "2", "17"], ["LFP-35Ah-001", "LFP-35Ah-002", "LFP-35Ah-003"]])
def test_r2_by_table_needs_several_tables(cells):
    truth = np.array([0.7, 0.8, 0.9])
    assert "r2_by_table" not in score(TASKS[0], truth, truth, cell_ids=np.array(cells))


def test_a_table_of_one_soh_gives_no_r2_by_table():
    cells = np.array([f"LFP-35Ah-{i:03d}" for i in range(3)] + [f"NMC-2Ah-{i:03d}" for i in range(3)])
    truth = np.array([0.1, 0.1, 0.1, 0.7, 0.8, 0.9])  # the mean of the first three is not quite 0.1
    assert "r2_by_table" not in score(TASKS[0], truth, truth, cell_ids=cells)


def test_the_median_of_places_is_resampled_by_cell():
    rng, task = np.random.default_rng(0), BY_ID["t6"]
    truth = rng.uniform(0, 100, (40, 2))
    prediction = truth + rng.normal(0, 5, (40, 2))
    cells = np.repeat([f"c{i:02d}" for i in range(11)], 4)[:40]
    order = rng.permutation(40)
    ids, statistics = battery_statistics(task, truth[order], prediction[order], cells[order])
    assert statistics.shape == (10, 4) and (statistics >= 0).all()
    exact = score(task, truth, prediction)["median_error_mm"]
    assert whole(task, statistics) == pytest.approx(exact)
    low, high = interval(task, ids, statistics[None])
    assert low < exact < high
    short = battery_statistics(task, truth[:39], prediction[:39], cells[:39])[1]
    assert (short == -1).sum() == 1 and whole(task, short) == pytest.approx(
        score(task, truth[:39], prediction[:39])["median_error_mm"]
    )


def test_soh_over_healthy_cells_stands_beside_the_score():
    task, rng = get_task("t8"), np.random.default_rng(0)
    truth = rng.normal(0.85, 0.05, 20)
    prediction, sick = truth + rng.normal(0, 0.02, 20), np.arange(20) % 3 == 0
    found = score(task, truth, prediction, parents=sick)
    assert found["r2_healthy"] == pytest.approx(sk.r2_score(truth[~sick], prediction[~sick]), rel=1e-12)
    assert found["r2"] == pytest.approx(sk.r2_score(truth, prediction)) and found["r2"] != found["r2_healthy"]
    assert "r2_healthy" not in score(task, truth, prediction) | score(get_task("t7"), truth, prediction, parents=sick)
