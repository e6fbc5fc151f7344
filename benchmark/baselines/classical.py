"""The classical models of Table III on the static descriptor (paper, section V-C), and the constant they must beat."""

from __future__ import annotations

from benchmark.models import Model
from benchmark.tasks import Task

FOREST_TREES = 200
LOGISTIC_MAX_ITER = 2000
SVC_MAX_ITER = 5000
CLASSIFICATION = ("t2", "t3", "t4")


def _scaled(estimator):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), estimator)


def _ridge(seed: int, task: Task):
    from sklearn.linear_model import Ridge

    return _scaled(Ridge(alpha=1.0))


def _svr(seed: int, task: Task):
    from sklearn.svm import SVR

    return _scaled(SVR(kernel="rbf"))


def _forest(seed: int, task: Task):
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    return (RandomForestRegressor if task.is_regression else RandomForestClassifier)(FOREST_TREES, random_state=seed)


def _logistic(seed: int, task: Task):
    from sklearn.linear_model import LogisticRegression

    return _scaled(LogisticRegression(max_iter=LOGISTIC_MAX_ITER))


def _ridge_classifier(seed: int, task: Task):
    from sklearn.linear_model import RidgeClassifier

    return _scaled(RidgeClassifier())


def _linear_svc(seed: int, task: Task):
    from sklearn.svm import LinearSVC

    return _scaled(LinearSVC(dual="auto", max_iter=SVC_MAX_ITER, random_state=seed))


def _constant(seed: int, task: Task):
    from sklearn.dummy import DummyClassifier, DummyRegressor

    model = DummyRegressor(strategy="mean") if task.is_regression else DummyClassifier(strategy="most_frequent")
    model.n_features_ = 0
    return model


CONSTANT = (Model("constant", ("t1", *CLASSIFICATION), _constant, "The training mean (T1) or most frequent class."),)
MODELS = (
    Model("ridge", ("t1",), _ridge, "Ridge regression, alpha 1, on the standardised static descriptor."),
    Model("svr-rbf", ("t1",), _svr, "RBF support vector regression on the standardised static descriptor."),
    Model(
        "logistic-regression", CLASSIFICATION, _logistic, "Logistic regression on the standardised static descriptor."
    ),
    Model(
        "ridge-classifier", CLASSIFICATION, _ridge_classifier, "Ridge classifier on the standardised static descriptor."
    ),
    Model("linear-svc", CLASSIFICATION, _linear_svc, "Linear SVM on the standardised static descriptor."),
    Model("random-forest", ("t1", *CLASSIFICATION), _forest, "Random forest of 200 trees on the static descriptor."),
)
