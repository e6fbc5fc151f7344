"""The models of Table III are scikit-learn's on standardised features, as the paper sets them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVC

from benchmark import evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.features import static_features

SETTINGS = [
    ("t1", "ridge", Ridge(alpha=1.0)),
    ("t1", "svr-rbf", SVR(kernel="rbf")),
    ("t2", "logistic-regression", LogisticRegression(max_iter=2000)),
    ("t2", "ridge-classifier", RidgeClassifier()),
    ("t4", "linear-svc", LinearSVC(dual="auto", max_iter=5000, random_state=0)),
]


@pytest.mark.parametrize("task, name, estimator", SETTINGS, ids=[name for _, name, _ in SETTINGS])
def test_is_the_estimator_of_the_paper(release, task, name, estimator):
    data = load_task(task, release)
    scaler = StandardScaler()
    train = scaler.fit_transform(static_features(data.train.signals))
    expected = estimator.fit(train, data.train.target).predict(scaler.transform(static_features(data.test.signals)))
    ours = evaluate_model(task, get_model(name), data, sampling="full", seeds=(0,))
    np.testing.assert_array_equal(ours.table["prediction"].to_numpy(), expected)
