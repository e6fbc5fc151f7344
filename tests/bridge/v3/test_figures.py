"""Pictures are drawn for every defect and whole."""

import pytest

from bridge.v3.detect import CHANNELS, SENSORS, Detection
from bridge.v3.experiment import experiment
from bridge.v3.figures import detect_figure, field_figure
from bridge.v3.state import DEFECTS


@pytest.mark.parametrize("kind", ["tear", "dry"])
def test_field_figure(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("bridge.v3.figures.PLANE", (12, 8))
    monkeypatch.setattr("bridge.v3.figures.PICTURE_MESH", (12, 8))
    plan = experiment({"defect": {"kind": kind, "share": 0.1}, "sensors": {"columns": 2, "rows": 2}})
    field_figure(plan, tmp_path / "field.png")
    assert (tmp_path / "field.png").stat().st_size > 50_000


def test_detect_figure_says_what_is_not_found(tmp_path):
    found = [
        Detection(kind, channel, 10.0, noise, sensors, None if kind == "layer" else 0.01, 1.0, 0.7)
        for kind in DEFECTS[1:]
        for channel in CHANNELS
        for sensors in (SENSORS if channel == "magnetics" else (24,))
        for noise in (0.01, 0.1)
    ]
    detect_figure(found, 10.0, tmp_path / "detect.svg")
    drawn = (tmp_path / "detect.svg").read_text()
    assert "at best 70% are found" in drawn and "2 sensors, 10 mm" in drawn
