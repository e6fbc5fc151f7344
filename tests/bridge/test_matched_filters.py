"""The filters that the bridge supplies run by their name and beat a constant on a small release of another mesh."""

import pytest

import magbridge
from benchmark.running import OUTSIDE, run_baselines
from bridge.matched_filters import filters
from bridge.v3 import filters as module
from dataset_card.errors import MagBridgeError


@pytest.fixture
def supplied(monkeypatch):
    """Few cells and places, so that all four designs take seconds."""
    monkeypatch.setattr("benchmark.running.OUTSIDE", dict(OUTSIDE))
    for name, value in {"HEALTHY": 80, "MESHES": 4, "ALONG": 7}.items():
        monkeypatch.setattr(module, name, value)
    filters.cache_clear()
    magbridge.supply_models()
    yield
    filters.cache_clear()


def test_they_run_by_their_name(v3_release, supplied):
    classes, places, gradients = run_baselines(v3_release, model="matched-filters")
    assert (classes.task, places.task, gradients.task) == ("t5", "t6", "t7")
    assert classes.mean() > 0.45 and places.mean() < 20 and gradients.mean() > 0.2
    assert 0.5 < classes.runs[0].scores["healthy_auc"] <= 1
    with pytest.raises(MagBridgeError, match="no baseline fits --task t8 --model matched-filters"):
        run_baselines(v3_release, task="t8", model="matched-filters")
