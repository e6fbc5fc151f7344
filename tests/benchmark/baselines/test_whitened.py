"""Networks on whitened signals: what they see, and that faint directions reach them."""

import numpy as np
import pytest

from benchmark import get_task
from benchmark.baselines import convolutional, get_model
from benchmark.baselines.whitened import STEPS
from benchmark.data import Subset
from dataset_card.contract.schema import T
from tests.benchmark.baselines.test_departure import clean

pytest.importorskip("torch", reason="needs torch")
TIME = np.linspace(0, 1, T)


def rows(seed, n=320):
    """Rows whose SOH is in a faint wave under wide common motion."""
    signals, soh = clean(seed, n), np.random.default_rng(seed + 50).uniform(0.7, 1, n)
    signals[..., 1] += 10 * (soh[:, None] - 0.85) * np.sin(25 * TIME)
    names = np.array([f"{seed}-{i}" for i in range(n)])
    return Subset(names, names, signals, soh)


def test_a_faint_wave_is_learned(monkeypatch):
    monkeypatch.setattr(convolutional.NormalisedCNN, "epochs", 8)
    train, validation, test = rows(0), rows(1, 100), rows(2, 200)
    model = get_model("whitened-transformer").build(0, get_task("t1"))
    model.fit(train.signals, train.target, validation=validation, clean=train)
    assert np.corrcoef(model.predict(test.signals), test.target)[0, 1] > 0.9
    inputs = model._inputs(train.signals).numpy()
    assert inputs.shape == (320, 8, STEPS)
    series = inputs[:, :4].reshape(320, -1)
    assert np.abs(series.mean(axis=0)).max() < 0.01 and abs(series.std() - 1) < 0.2
    np.testing.assert_allclose(inputs[:, 4:].mean(axis=0), 0, atol=0.05)
    damaged = train.signals.copy()
    damaged[..., 4:] = 0
    assert np.array_equal(model._inputs(damaged).numpy(), inputs)


@pytest.mark.parametrize("name", ["whitened-cnn", "whitened-transformer"])
def test_faint_faults_are_told(name, monkeypatch):
    monkeypatch.setattr(convolutional.NormalisedCNN, "epochs", 8)
    task = get_task("t4")

    def faulty(seed, n):
        kind, signals = np.arange(n) % 4, clean(seed, n)
        signals[..., 1] += 3 * np.sin(2 * np.pi * (3 + 2 * kind[:, None]) * TIME)
        names = np.array([f"{seed}-{i}" for i in range(n)])
        return Subset(names, names, signals, np.array(task.labels)[kind])

    train, validation, test = faulty(0, 320), faulty(1, 100), faulty(2, 200)
    model = get_model(name).build(0, task)
    model.fit(train.signals, train.target, validation=validation, clean=rows(3))
    assert (model.predict(test.signals) == test.target).mean() > 0.9
