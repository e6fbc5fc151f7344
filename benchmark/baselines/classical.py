"""The classical models of Table III on the static descriptor (paper, section V-C), and the constant to beat."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmark.baselines.declaring import ALL, declare, scaled
from benchmark.tasks import Task

FOREST_TREES = 200
LOGISTIC_MAX_ITER = 2000
SVC_MAX_ITER = 5000
CLASSIFICATION = ("t2", "t3", "t4")


def _scaled(module: str, name: str, seeded: bool = False, **options: Any) -> Callable[[int, Task], Any]:
    """Return a function that builds a learner of scikit-learn behind a scaler."""

    def build(seed: int, task: Task):
        learner = getattr(import_module(f"sklearn.{module}"), name)
        return scaled(learner(**options, **{"random_state": seed} if seeded else {}))

    return build


def _forest(seed: int, task: Task):
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    return (RandomForestRegressor if task.is_regression else RandomForestClassifier)(FOREST_TREES, random_state=seed)


def _constant(seed: int, task: Task):
    from sklearn.dummy import DummyClassifier, DummyRegressor

    model = DummyRegressor(strategy="mean") if task.is_regression else DummyClassifier(strategy="most_frequent")
    model.n_features_ = 0
    return model


_LOGISTIC = _scaled("linear_model", "LogisticRegression", max_iter=LOGISTIC_MAX_ITER)
_LINEAR_SVC = _scaled("svm", "LinearSVC", True, dual="auto", max_iter=SVC_MAX_ITER)
CONSTANT = (declare("constant", ALL, _constant),)
MODELS = (
    declare("ridge", ("t1",), _scaled("linear_model", "Ridge", alpha=1.0)),
    declare("svr-rbf", ("t1",), _scaled("svm", "SVR", kernel="rbf")),
    declare("logistic-regression", CLASSIFICATION, _LOGISTIC),
    declare("ridge-classifier", CLASSIFICATION, _scaled("linear_model", "RidgeClassifier")),
    declare("linear-svc", CLASSIFICATION, _LINEAR_SVC),
    declare("random-forest", ALL, _forest),
)
