"""What becomes a model."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark import cross_validate, evaluate_model, load_task
from benchmark.features import channels_first, static_features
from benchmark.models import as_model, labelled
from benchmark.scoring import score
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError


def test_plain_function_of_signals(release):
    data = load_task("t2", release)

    def noisy_is_old(signals):
        noise = signals.std(axis=(1, 2))
        return np.where(noise < np.median(noise), "reuse", "recondition"), -noise

    result = evaluate_model("t2", noisy_is_old, data)
    prediction, scores = noisy_is_old(data.test.signals)
    assert result.runs[0].scores == score(data.task, data.test.target, prediction, scores)
    assert (result.model, result.protocol, len(result.runs)) == ("noisy_is_old", "full", 1)


def test_unset_random_states_take_the_seed():
    from sklearn.ensemble import RandomForestClassifier

    build = as_model(make_pipeline(StandardScaler(), RandomForestClassifier())).build
    assert build(3, get_task("t2")).get_params()["randomforestclassifier__random_state"] == 3
    fixed = as_model(RandomForestClassifier(random_state=7)).build
    assert fixed(3, get_task("t2")).random_state == 7


class Reads(Ridge):
    """A ridge whose predictions come in another shape."""

    def __init__(self, shape=np.asarray, alpha=1.0):
        self.shape = shape
        super().__init__(alpha)

    def predict(self, inputs):
        return self.shape(super().predict(inputs))


@pytest.mark.parametrize("shape", [list, tuple, lambda p: p[:, None], lambda p: [[v] for v in p]])
def test_predictions_of_any_shape_count_the_same(release, shape):
    expected = evaluate_model("t1", Ridge(), release, seeds=(0,)).runs[0].scores
    assert evaluate_model("t1", Reads(shape), release, seeds=(0,)).runs[0].scores == expected


def test_tensors_and_modules_are_taken(release):
    torch = pytest.importorskip("torch")
    expected = evaluate_model("t1", Ridge(), release, seeds=(0,)).runs[0].scores
    tensors = Reads(lambda p: torch.tensor(p[:, None], requires_grad=True))
    assert evaluate_model("t1", tensors, release, seeds=(0,)).runs[0].scores == expected
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(600, 4))
    data = load_task("t4", release)
    logits = net(torch.tensor(data.test.signals, dtype=torch.float32)).detach().numpy()
    result = evaluate_model("t4", net, data)
    assert result.model == "Sequential" and net.training
    assert result.table["prediction"].to_pylist() == [data.task.labels[i] for i in logits.argmax(axis=1)]
    with pytest.raises(MagBridgeError, match=r"tensor of shape .*x = x.transpose\(1, 2\)"):
        evaluate_model("t4", torch.nn.Conv1d(6, 4, 3), data)
    with pytest.raises(MagBridgeError, match="begin a function of tensors with x = torch.as_tensor"):
        evaluate_model("t1", lambda x: x.float().mean((1, 2)), release)


class WholeNumbers(LogisticRegression):
    """A learner that takes no labels but 0, 1, ..."""

    def fit(self, inputs, target):
        if target.dtype.kind not in "iu":
            raise ValueError("Invalid classes inferred from unique values of `y`")
        return super().fit(inputs, target)


@pytest.mark.parametrize("task", ["t2", "t3", "t4"])
def test_a_learner_of_whole_numbers_is_given_them(release, task):
    text, coded = (
        evaluate_model(task, make_pipeline(StandardScaler(), kind(max_iter=500)), release, seeds=(0,))
        for kind in (LogisticRegression, WholeNumbers)
    )
    assert coded.table["prediction"] == text.table["prediction"]
    assert coded.runs[0].scores == pytest.approx(text.runs[0].scores, abs=1e-9)


def test_a_learner_that_keeps_its_codes_is_told(release):
    class Keeps(LogisticRegression):
        def fit(self, inputs, target):
            return super().fit(inputs, (target == "reuse").astype(int))

    with pytest.raises(MagBridgeError, match="classes are 0, 1: expected reuse, recondition"):
        evaluate_model("t2", Keeps(max_iter=500), release)
    with pytest.raises(MagBridgeError, match="numbers from 0 to 9 as predictions: expected labels, or 0 to 3"):
        labelled(np.arange(10), get_task("t4"))


def test_percent_is_told_from_a_fraction(release):
    with pytest.raises(MagBridgeError, match="expected a fraction, about 0.7 to 1; divide percent by 100"):
        evaluate_model("t1", Reads(lambda p: 100 * p), release)


def test_learners_of_series_get_time_last(release):
    seen = []

    class OfSeries(Ridge):
        def fit(self, inputs, target):
            seen.append(inputs.shape[1:])
            return super().fit(inputs.mean(axis=2), target)

        def predict(self, inputs):
            return super().predict(inputs.mean(axis=2))

    OfSeries.__module__ = "aeon.regression"
    for features in (static_features, None):
        evaluate_model("t1", OfSeries(), release, seeds=(0,), features=features)
    assert seen == [(6, 100), (6, 100)]
    step = Reads()
    assert as_model(make_pipeline(OfSeries(), step)).features is channels_first
    assert as_model(make_pipeline(step)).features is static_features


def test_batteries_reach_a_fit_that_splits_by_them(release):
    data, seen = load_task("t1", release), []

    class Asks(Ridge):
        def fit(self, inputs, target, groups):
            seen.append(groups)
            return super().fit(inputs, target)

    evaluate_model("t1", Asks(), data, seeds=(0,), sampling="full")
    assert seen[0].tolist() == data.train.battery_ids.tolist()
    search = GridSearchCV(Ridge(), {"alpha": [1.0, 1e3]}, cv=GroupKFold(5))
    found = evaluate_model("t1", search, data, seeds=(0,), sampling="full").runs[0].scores
    expected = search.fit(static_features(data.train.signals), data.train.target, groups=data.train.battery_ids)
    assert found == score(data.task, data.test.target, expected.predict(static_features(data.test.signals)))
    cross_validate("t1", Asks(), data, folds=3)
    assert len(seen) == 4 and len(set(np.concatenate(seen[1:]))) == 17
