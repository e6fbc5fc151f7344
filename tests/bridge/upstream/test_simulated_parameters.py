"""The parameters of the simulation: documented, read-only, linear between anchors."""

import json

import numpy as np
import pytest

from bridge.upstream.simulated_parameters import PARAMETER_FILE, load_parameters


@pytest.fixture
def document() -> dict:
    return json.loads(PARAMETER_FILE.read_text(encoding="utf-8"))


def test_every_parameter_has_a_unit_and_a_meaning(document):
    entries = [entry for group in ("scan", "anchors", "pulse_table") for entry in document[group].values()]
    assert len(entries) > 50
    assert all(entry["unit"] and len(entry["meaning"]) > 5 for entry in entries)


def test_anchor_parameters_are_linear_between_anchors():
    anchors = load_parameters().anchors
    for k, voltage in enumerate(anchors.voltage):
        np.testing.assert_allclose(anchors.at(voltage)["moment"], anchors.moment[k], rtol=1e-12)
    half = anchors.at((anchors.voltage[0] + anchors.voltage[1]) / 2)
    np.testing.assert_allclose(half["moment"], anchors.moment[:2].mean(axis=0), rtol=1e-12)


def test_values_are_read_only_arrays_of_numbers():
    parameters = load_parameters()
    assert parameters.scan.h.shape == (2,) and parameters.pulse_table.Q.shape == ()
    with pytest.raises(ValueError, match="read-only"):
        parameters.scan.h[0] = 1.0
