"""`field`, `detect`, `calibrate` as commands: what they print, and one line for what is impossible."""

import json

import pytest
from typer.testing import CliRunner

from bridge.__main__ import app
from bridge.commands.physics import quantity
from dataset_card.errors import MagBridgeError


def test_quantities():
    assert quantity("50pT", ("pT",)) == pytest.approx(0.05) and quantity("1 cm", ("cm",)) == 10
    for text in ("50", "50mT", "-1pT", "0pT", "pT", "1e99pT", "nanpT"):
        with pytest.raises(MagBridgeError, match="expected a positive number with a unit"):
            quantity(text, ("pT", "nT"))


def test_field_prints_readings_and_effects(tmp_path):
    design = tmp_path / "design.yaml"
    design.write_text("cell: {units: 4, nominal_Ah: 1.15}\nsensors: {columns: 2, rows: 2}\n")
    result = CliRunner().invoke(app, ["field", str(design), "--out", str(tmp_path / "field.png")])
    assert result.exit_code == 0, result.output
    assert "weld half torn" in result.output and (tmp_path / "field.png").is_file()
    found = json.loads(CliRunner().invoke(app, ["field", str(design), "--json"]).output)
    assert len(found["load_nT"]) == 4 and len(found["voltage_V"]) == 33 and len(found["effects"]) == 17


def test_refusals_come_before_the_work(tmp_path):
    design = tmp_path / "design.yaml"
    design.write_text("state: {soc: 120}\n")
    for arguments in (["field", str(design)], ["detect", str(design)]):
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, MagBridgeError) and "soc 120" in str(result.exception)
    design.write_text("")
    result = CliRunner().invoke(app, ["detect", str(design), "--noise", "50"])
    assert "'50'" in str(result.exception)
