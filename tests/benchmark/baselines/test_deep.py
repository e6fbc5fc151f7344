"""The networks of Table IV: they learn, and leave global randomness alone."""

import pytest

from benchmark import evaluate_model
from benchmark.baselines import get_model


@pytest.mark.parametrize("name", ["mlp", "normalised-cnn"])
def test_deep_models_leave_global_randomness_and_threads(name, release, monkeypatch):
    import torch

    monkeypatch.setattr("benchmark.baselines.deep.SequenceModel.epochs", 2)
    monkeypatch.setattr("benchmark.baselines.convolutional.NormalisedCNN.epochs", 2)
    torch.manual_seed(5)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    first = evaluate_model("t4", get_model(name), release, seeds=(0, 1))
    assert torch.equal(state, torch.random.get_rng_state()) and threads == torch.get_num_threads()
    torch.manual_seed(6)
    assert evaluate_model("t4", get_model(name), release, seeds=(0, 1)).runs == first.runs
    assert first.runs[0].scores != first.runs[1].scores, "the seed sets the weights"


@pytest.mark.parametrize("name", ["mlp", "cnn", "lstm"])
def test_deep_models_learn(release, name):
    """Regime-B is far from the other rows here: a network that learns anything finds it."""
    assert evaluate_model("t3", get_model(name), release, seeds=(0,)).mean("recall_bridge_extrapolation") == 1.0
