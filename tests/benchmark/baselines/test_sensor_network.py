"""The network over v3's sensors: on each view, for classes, numbers and places; it travels as arrays."""

import dataclasses

import numpy as np
import pytest

from benchmark import evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.baselines.hub import Baseline, baseline_files, read_baseline
from benchmark.protocol import fit_seeds

pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def few_epochs(monkeypatch):
    monkeypatch.setattr("benchmark.baselines.sensor_network.SensorNetwork.epochs", 2)


NAMED = [("t5", "network-both"), ("t6", "network-magnetics"), ("t8", "network-terminals"), ("t6", "network-both")]


@pytest.mark.parametrize("task, name", NAMED)
def test_a_fit_repeats_itself_and_travels_without_a_pickle(v3_release, task, name):
    data, model = load_task(task, v3_release), dataclasses.replace(get_model(name), seeds=(0,))
    fitted = Baseline(model, data.task, data.dataset.digest, dict(fit_seeds(data.task, model, data)))
    back = read_baseline(baseline_files(fitted, "user/baseline"), "files")
    table = evaluate_model(task, model, data).table
    assert back.predictions(data).equals(table) and fitted.predictions(data).equals(table)


def test_the_terminals_see_no_field(v3_release):
    data, model = load_task("t9", v3_release), get_model("network-terminals")
    _, fitted = next(fit_seeds(data.task, model, data))
    blind = data.test.signals.copy()
    blind[:, 33:] = 0
    assert np.array_equal(fitted.predict(blind), fitted.predict(data.test.signals))


def test_a_place_of_the_array_is_a_place_of_the_map(v3_release):
    """Readings of one sensor stand at one place of every map, axes and times in channels."""
    torch = pytest.importorskip("torch")
    from benchmark.baselines.sensor_network import GRID, _magnetics

    seen = []
    network = _magnetics(1)
    network[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    readings = torch.zeros(1, 9, 24, 3)
    readings[0, :, 9] = torch.arange(27.0).reshape(9, 3) + 1
    network(readings.reshape(1, -1))
    assert torch.equal(seen[0][0, :, 9 // GRID[1], 9 % GRID[1]], torch.arange(27.0) + 1)
    assert seen[0].count_nonzero() == 27
