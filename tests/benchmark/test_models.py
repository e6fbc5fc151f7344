"""What becomes a model."""

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark import evaluate_model, load_task
from benchmark.models import as_model
from benchmark.scoring import score
from benchmark.tasks import get_task


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
