"""What the curves of v3 read is what a release of the same cells holds."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from bridge.v3.cells import Request
from bridge.v3.config import PhysicsConfig
from bridge.v3.generate import generate

CONFIG = PhysicsConfig(mesh=(9, 7), distance_mm=5.0)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("v3_curves", Path(__file__).parents[2] / "perf/v3_curves.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cells(script):
    return script.Readings(4, CONFIG)


def test_the_nearest_array_is_the_releases(script, cells):
    rows = [Request(chemistry, "as_received", n, n) for chemistry in ("NMC", "LFP") for n in range(2)]
    release = generate(rows, CONFIG, script.SEED)
    parts = [release.voltage, release.load, release.rest.reshape(4, -1), release.scan]
    assert cells.signals("24 at 5 mm").astype(np.float32).tobytes() == np.concatenate(parts, axis=1).tobytes()
    assert cells.names.tolist() == release.labels.cell_id.tolist()
    assert cells.target["t5"].tolist() == release.labels.defect.tolist()
    assert np.allclose(cells.target["t7"], release.labels.gradient_r)


def test_views_repeat_or_average_what_is_read(script, cells):
    whole, few = (cells.signals(view)[:, 33:105].reshape(4, 24, 3) for view in ("24 at 10 mm", "2 of 24"))
    assert {tuple(few[0, s]) for s in range(24)} == {tuple(whole[0, s]) for s in (8, 15)}
    six = cells.signals("24 averaged to 6")[:, 33:105].reshape(4, 24, 3)
    assert np.allclose(six[:, 0], whole[:, [0, 1, 4, 5]].mean(axis=1), rtol=1e-6)
    near = cells.signals("6")[:, 33:105].reshape(4, 24, 3)
    assert np.corrcoef(near.ravel(), six.ravel())[0, 1] > 0.99
    quiet, loud = (cells.signals("24 below", noise)[:, 105:609] for noise in (0.0, 1.0))
    assert (loud - quiet).std() == pytest.approx(np.sqrt(1.25), rel=0.1), "white and half as much 1/f"
