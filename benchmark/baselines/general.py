"""Gradient boosting on the static descriptor: what effort without knowledge of the generator brings."""

from __future__ import annotations

from benchmark.models import Model
from benchmark.tasks import Task

ITERATIONS = 150
LEAVES = 6


def _boosting(seed: int, task: Task):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    shape = {"max_iter": ITERATIONS, "max_leaf_nodes": LEAVES, "early_stopping": False, "random_state": seed}
    if task.is_regression:
        return HistGradientBoostingRegressor(**shape)
    return HistGradientBoostingClassifier(class_weight="balanced", **shape)


MODELS = (
    Model(
        "gradient-boosting",
        ("t1", "t2", "t3", "t4"),
        _boosting,
        "Gradient boosting, 150 trees of 6 leaves, on the static descriptor; classes balanced; untuned.",
    ),
)
