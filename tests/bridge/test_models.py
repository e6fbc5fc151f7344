"""The models that the bridge supplies run by their names."""

import numpy as np
import pytest

import magbridge
from benchmark.running import OUTSIDE, run_baselines
from bridge.models import filters
from bridge.v3 import filters as module
from dataset_card.errors import MagBridgeError


@pytest.fixture
def supplied(monkeypatch):
    """Few cells and places, so that all four designs take seconds."""
    for name in list(OUTSIDE):
        monkeypatch.setitem(OUTSIDE, name, OUTSIDE[name])
    for name, value in {"HEALTHY": 80, "MESHES": 4, "ALONG": 7}.items():
        monkeypatch.setattr(module, name, value)
    filters.cache_clear()
    magbridge.supply_models()
    yield
    filters.cache_clear()


@pytest.mark.gate
def test_they_run_by_their_name(v3_release, supplied):
    """On the coarse mesh of the small release fields differ between cells by more than the filters allow for."""
    (classes,) = run_baselines(v3_release, task="t5", model="matched-filters")
    assert classes.model == "matched-filters" and classes.n_features == 22
    assert classes.mean() > 0.2 and 0.5 < classes.runs[0].scores["healthy_auc"] <= 1
    with pytest.raises(MagBridgeError, match="no baseline fits --task t8 --model matched-filters"):
        run_baselines(v3_release, task="t8", model="matched-filters")


@pytest.mark.slow
def test_places_and_gradients_are_numbers_of_their_tasks(v3_release, supplied):
    places, gradients = (run_baselines(v3_release, task=task, model="matched-filters")[0] for task in ("t6", "t7"))
    assert 0 < places.mean() < np.hypot(120, 80) and -2 < gradients.mean() < 1  # within the cell: the mesh is coarse


def test_the_reservoir_runs_by_its_name(tiny_release, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_UPSTREAM", "")
    for name in list(OUTSIDE):
        monkeypatch.setitem(OUTSIDE, name, OUTSIDE[name])
    magbridge.supply_models()
    (result,) = run_baselines(tiny_release, task="t4", model="reservoir-ridge")
    assert result.model == "reservoir-ridge" and result.n_features == 171 and result.mean() > 0.4
