"""HQ-VQVAE as a benchmark baseline: what it encodes, what it may see, and what sets the twins apart."""

import numpy as np
import pytest

from benchmark import load_task
from benchmark.baselines.hqvqvae_codes import CodesModel
from benchmark.features import static_features
from benchmark.tasks import get_task

pytest.importorskip("torch")
CODES = 32


@pytest.fixture(scope="module")
def rows(release):
    train = load_task("t1", release).train
    return static_features(train.signals), train.target


@pytest.fixture(scope="module")
def twins(rows):
    return {name: CodesModel(name, 0, get_task("t1")).fit(*rows) for name in ("quantum", "tanh")}


def test_a_row_is_its_latents_and_one_code(rows, twins):
    for model in twins.values():
        encoded = model.encode(rows[0])
        assert encoded.shape == (len(rows[0]), model.model.config.latent_dim + CODES)
        one_hot = encoded[:, -CODES:]
        assert set(np.unique(one_hot)) == {0.0, 1.0} and (one_hot.sum(axis=1) == 1).all()
        assert len(np.unique(one_hot.argmax(axis=1))) > 1


def test_the_twins_differ_in_the_bottleneck_alone(twins):
    configs = [model.model.config.to_dict() for model in twins.values()]
    assert {key for key in configs[0] if configs[0][key] != configs[1][key]} == {"bottleneck"}
    weights = [{name: value.shape for name, value in model.model.state_dict().items()} for model in twins.values()]
    assert set(weights[0]) - set(weights[1]) == {"bottleneck.circuit_weights"}
    assert all(weights[0][name] == shape for name, shape in weights[1].items())


def test_the_codes_are_learned_without_labels(rows, twins):
    features, target = rows
    shuffled = CodesModel("tanh", 0, get_task("t1")).fit(features, target[::-1].copy())
    np.testing.assert_array_equal(shuffled.encode(features), twins["tanh"].encode(features))
    assert not np.array_equal(shuffled.predict(features), twins["tanh"].predict(features))


def test_the_seed_sets_the_codes(rows, twins):
    other = CodesModel("tanh", 1, get_task("t1")).fit(*rows)
    assert not np.array_equal(other.encode(rows[0]), twins["tanh"].encode(rows[0]))
