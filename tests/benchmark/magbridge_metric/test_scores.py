"""The formulas know the tasks of the benchmark."""

import pytest

from benchmark.magbridge_metric import scores as formulas
from benchmark.tasks import BY_ID


def test_metric_module_knows_the_same_tasks():
    assert formulas.TASKS.keys() == BY_ID.keys()
    for name, spec in formulas.TASKS.items():
        task = BY_ID[name]
        assert (spec.labels, spec.positive, spec.scored_label, spec.auc, spec.second) == (
            task.labels,
            task.positive,
            task.scored_label,
            task.auc,
            task.second,
        )


def test_places_are_scored_by_their_median_distance():
    truth = [[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]
    prediction = [[10.0, 20.0], [33.0, 44.0], [50.0, 160.0]]
    assert formulas.score(formulas.TASKS["t6"], truth, prediction) == {"median_error_mm": 5.0, "within_10_mm": 2 / 3}
    for bad in ([1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]] * 3, [[1.0, float("nan")]] * 3):
        with pytest.raises(ValueError, match="predictions"):
            formulas.score(formulas.TASKS["t6"], truth, bad)
