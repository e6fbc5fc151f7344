"""A predictor that looks at no signal: what a score must beat to mean anything."""

from __future__ import annotations

from benchmark.features import static_features
from benchmark.models import Model
from benchmark.tasks import Task


def _constant(seed: int, task: Task):
    from sklearn.dummy import DummyClassifier, DummyRegressor

    model = DummyRegressor(strategy="mean") if task.is_regression else DummyClassifier(strategy="most_frequent")
    model.n_features_ = 0
    return model


MODELS = (
    Model(
        "constant",
        ("t1", "t2", "t3", "t4"),
        _constant,
        "The training mean (T1) or most frequent class.",
        features=static_features,
    ),
)
