"""The formulas know the tasks of the benchmark."""

from benchmark.magbridge_metric import scores as formulas
from benchmark.tasks import BY_ID


def test_metric_module_knows_the_same_tasks():
    assert formulas.TASKS.keys() == BY_ID.keys()
    for name, spec in formulas.TASKS.items():
        task = BY_ID[name]
        assert (spec.labels, spec.positive, spec.scored_label, spec.auc) == (
            task.labels,
            task.positive,
            task.scored_label,
            task.auc,
        )
