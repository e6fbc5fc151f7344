"""The parameter file of the simulation is checked strictly."""

import dataclasses
import json

import numpy as np
import pytest

from bridge.upstream.simulated_parameters import PARAMETER_FILE, load_parameters
from dataset_card.errors import MagBridgeError


@pytest.fixture
def document() -> dict:
    return json.loads(PARAMETER_FILE.read_text(encoding="utf-8"))


def _load(document, tmp_path):
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_parameters(path)


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


def _drop(document):
    del document["scan"]["h"]


def _add(document):
    document["pulse_table"]["R9"] = {"value": 1.0, "unit": "mOhm", "meaning": "unknown"}


def _drop_group(document):
    del document["anchors"]


def _change_unit(document):
    document["scan"]["white"]["unit"] = "uT"


def _set(group, name, value):
    def change(document):
        document[group][name]["value"] = value

    return change


@pytest.mark.parametrize(
    "change, named",
    [
        (_drop, "missing key 'h'"),
        (_add, "unknown key 'R9'"),
        (_drop_group, "missing key 'anchors'"),
        (_change_unit, "scan.white has unit 'uT': expected 'nT'"),
        (_set("scan", "white", [0.7, -2.0, 0.7, 2.0]), "'white'.*from 0 to inf"),
        (_set("pulse_table", "noise", -1e-4), "'noise'.*from 0 to inf"),
        (_set("scan", "h", [4.94]), r"'h' has shape \(1,\)"),
        (_set("scan", "dy", "0.339"), "'dy' is '0.339': expected numbers"),
        (_set("scan", "dy", float("nan")), "'dy' holds NaN"),
        (_set("scan", "dy", 0), "'dy'.*above 0"),
        (_set("pulse_table", "P_cv", 1e308), "'P_cv' holds .* a number beyond 1e"),
        (_set("anchors", "dz", [1.5, -0.7]), "'dz' has 2 rows"),
        (_set("anchors", "a", [[1, 2], [3]]), "'a'.*full array"),
        (_set("anchors", "voltage", [2.54, 2.81, 3.10, 3.00, 3.34]), "ascending"),
        (_set("pulse_table", "rho_R", 0.9), "no three variables"),
        (_set("pulse_table", "soh_lo", 0.9), "soh_lo < soh_mu"),
    ],
)
def test_a_wrong_file_is_refused(change, named, document, tmp_path):
    change(document)
    with pytest.raises(MagBridgeError, match=named):
        _load(document, tmp_path)


def test_a_file_that_is_not_json_is_refused(tmp_path):
    path = tmp_path / "parameters.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(MagBridgeError, match="not readable as JSON"):
        load_parameters(path)


def test_a_value_replaced_in_code_is_checked_too():
    with pytest.raises(MagBridgeError, match="'soc_err'"):
        dataclasses.replace(load_parameters().pulse_table, soc_err=-0.1)
