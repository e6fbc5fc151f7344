"""The forest against scikit-learn's."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from benchmark.baselines.forest import LEAF, Forest


@pytest.fixture(scope="module")
def table():
    """Features, a numeric target and a class target that depend on each other."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 12))
    value = x[:, 0] + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=600)
    return x, value, np.digitize(value, [-0.7, 0.7]).astype(str)


def grown_without_bootstrap(x, y, labels=()):
    """One tree of the forest on every row once, with every feature a candidate."""
    from benchmark.baselines.forest import _grow

    columns = np.ascontiguousarray(x.T)
    outputs = (y[:, None] == np.array(labels)).astype(float) if labels else (y - y.mean())[:, None]
    order = np.argsort(columns, axis=1, kind="stable").astype(np.int32)
    return _grow(columns, order, outputs, np.ones(len(x)), len(columns), np.uint64(1))


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_first_splits_are_scikit_learns(table, kind):
    x, value, label = table
    labels = () if kind == "regression" else ("0", "1", "2")
    y = value if kind == "regression" else label
    feature, threshold, children, mean = grown_without_bootstrap(x, y, labels)
    tree = (DecisionTreeRegressor if kind == "regression" else DecisionTreeClassifier)(max_depth=3).fit(x, y).tree_

    def same(ours, theirs):
        if tree.children_left[theirs] == -1:
            return
        assert feature[ours] == tree.feature[theirs]
        assert threshold[ours] == pytest.approx(tree.threshold[theirs], abs=1e-6)  # scikit-learn rounds to float32
        same(children[ours, 0], tree.children_left[theirs])
        same(children[ours, 1], tree.children_right[theirs])

    same(0, 0)
    expected = y.mean() - y.mean() if kind == "regression" else [np.mean(y == k) for k in labels]
    np.testing.assert_allclose(mean[0], expected, atol=1e-12)


def test_full_trees_fit_their_rows_and_leaves_are_pure(table):
    x, value, _ = table
    feature, threshold, children, mean = grown_without_bootstrap(x, value)
    at = np.zeros(len(x), int)
    while (inner := feature[at] != LEAF).any():
        goes_right = x[np.arange(len(x)), feature[at]] > threshold[at]
        at = np.where(inner, children[at, goes_right.astype(int)], at)
    np.testing.assert_allclose(mean[at, 0], value - value.mean(), atol=1e-12)


def test_forest_predicts_as_well_as_scikit_learns(table):
    x, value, label = table
    train, test = slice(0, 400), slice(400, 600)
    ours = r2_score(value[test], Forest(200, 0).fit(x[train], value[train]).predict(x[test]))
    theirs = r2_score(
        value[test], RandomForestRegressor(200, random_state=0).fit(x[train], value[train]).predict(x[test])
    )
    assert ours == pytest.approx(theirs, abs=0.03) and ours > 0.4
    forest = Forest(200, 0, ("0", "1", "2")).fit(x[train], label[train])
    ours = balanced_accuracy_score(label[test], forest.predict(x[test]))
    reference = RandomForestClassifier(200, random_state=0).fit(x[train], label[train])
    assert ours == pytest.approx(balanced_accuracy_score(label[test], reference.predict(x[test])), abs=0.05)
    np.testing.assert_allclose(forest.predict_proba(x[test]).sum(axis=1), 1)
    assert np.abs(forest.predict_proba(x[test]) - reference.predict_proba(x[test])).mean() < 0.05


def test_forest_on_constant_features_and_repeated_rows():
    x = np.ones((20, 3))
    y = np.arange(20.0)
    prediction = Forest(50, 0).fit(x, y).predict(x)
    assert np.ptp(prediction) == 0 and 7 < prediction[0] < 12
    assert Forest(5, 0).fit(x, np.full(20, 4.0)).predict(x).tolist() == [4.0] * 20
    repeated = np.repeat(np.arange(4.0), 5)[:, None]
    assert (
        Forest(30, 0, ("0", "1")).fit(repeated, np.where(repeated[:, 0] < 2, "0", "1")).predict(repeated).tolist()
        == ["0"] * 10 + ["1"] * 10
    )
