"""Occlusion on signals whose SOH is in known steps of known channels."""

import numpy as np
import pytest

from benchmark.analysis import occlusion as module
from benchmark.analysis.occlusion import WINDOW, fill, occlusion
from benchmark.data import Subset, TaskData
from benchmark.models import as_model
from benchmark.tasks import get_task
from dataset_card.contract.schema import T
from dataset_card.errors import MagBridgeError


def rows(seed, n=400):
    """Signals of four strong shapes in every channel, and weak SOH in steps 20 to 24 of the second."""
    rng = np.random.default_rng(seed)
    soh, strengths = rng.uniform(0.7, 1, n), rng.normal(0, 100, (n, 4))
    shapes = np.cos(np.outer(np.arange(4), np.linspace(0, np.pi, T)))
    x = (strengths @ shapes)[:, :, None] + rng.normal(0, 0.1, (n, T, 6))
    x[:, 20:25, 1] += 20 * (soh - 0.85)[:, None]
    return Subset(np.arange(n).astype(str), np.arange(n).astype(str), x, soh)


class Window:
    """Reads SOH where it is."""

    def fit(self, signals, target):
        self.weights, *_ = np.linalg.lstsq(self._inputs(signals), target, rcond=None)
        return self

    def predict(self, signals):
        return self._inputs(signals) @ self.weights

    def _inputs(self, x):
        return np.column_stack(
            [x[:, 20:25, 1].mean(axis=1), x[:, 20:25, 0].mean(axis=1), x[:, 60, :2], np.ones(len(x))]
        )


@pytest.fixture
def found(monkeypatch):
    data = TaskData(get_task("t1"), rows(0), None, rows(1))
    monkeypatch.setattr(module, "load_task", lambda task, release: data)
    monkeypatch.setattr(module, "get_model", lambda name: as_model(Window(), name=name, features=None))
    return occlusion("window", "nowhere")


def test_what_carries_soh_is_missed(found):
    windows = np.array(found["windows"])
    assert found["whole"] > 0.9 and abs(found["blind"]) < 0.2
    assert np.unravel_index(windows.argmin(), windows.shape) == (1, 20 // WINDOW)
    assert windows[1, 4] < 0.2 and found["steps"][4] < 0.2
    assert windows[3:].min() == found["channels"][5] == found["whole"]
    assert found["sensors"][0] < 0.2 and found["sensors"][1] == found["whole"]


def test_the_fill_knows_place_and_not_soh():
    train, test = rows(0), rows(1)
    filled = fill(train.signals, test.signals)
    assert filled.shape == test.signals.shape
    assert np.abs(filled - test.signals)[:, 50].max() < 5
    left = (test.signals - filled)[:, 20:25, 1].mean(axis=1)
    assert np.corrcoef(left, test.target)[0, 1] > 0.95


def test_a_model_of_features_has_no_steps():
    with pytest.raises(MagBridgeError, match="ridge reads features"):
        occlusion("ridge", "nowhere")
