"""Calibration: made-up pulses give their resistances back, and PulseBat's give the presets'."""

from pathlib import Path

import numpy as np
import pytest

from bridge.upstream.files import find
from bridge.upstream.published import read_pulse_table
from bridge.upstream.pulsebat import SHEETS
from bridge.v1.inputs import PulseTable
from bridge.v3.calibrate import calibrate, calibrate_all, response, text
from bridge.v3.design import PouchCell
from dataset_card.errors import MagBridgeError

ROOT = Path(__file__).parents[3]


def test_pulses_of_the_model_give_their_resistances_back():
    cell = PouchCell.preset("nmc")
    truth = {"r_0": 0.030, "r_ct": 0.015, "tau_ct": cell.tau_ct_s, "tau_p": cell.tau_p_s, "tau_n": cell.tau_n_s}
    soc = np.tile([10.0, 30.0, 50.0], 4)
    u = np.stack([np.append(3.6, 3.6 + response(cell, level / 100, truth)) for level in soc])
    u[:, 1:] += 1e-4 * np.random.default_rng(0).standard_normal((12, 20))
    table = PulseTable(cell=np.repeat(list("abcd"), 3), soc=soc, soh=np.full(12, 0.9), u=u)
    found = calibrate("made up", table, cell)
    for name in ("r_0", "r_ct"):
        assert found.fitted[name] == pytest.approx(truth[name], rel=0.02)
    assert found.residual_mV < 0.1 < found.preset_mV
    assert np.shape(found.measured_mV) == np.shape(found.simulated_mV) == (3, 6)
    # The table's records differ by their noise alone, the virtual cells by age and scatter.
    assert np.allclose(np.array(found.measured_mV)[:, 1:], 0.1, atol=0.06) and np.min(found.simulated_mV) > 1
    assert "made up: misfit" in text([found]) and "at 0 of 15 for the pulses" in text([found])


def test_a_missing_table_is_named():
    with pytest.raises(MagBridgeError, match="LFP-35Ah"):
        calibrate_all({})


@pytest.mark.upstream
def test_presets_are_what_pulsebat_says():
    tables = {}
    for sheet in SHEETS:
        path = find(sheet.file)
        if path is None:
            pytest.skip(f"no {sheet.file.path}: set $MAGBRIDGE_UPSTREAM")
        tables[sheet.name] = read_pulse_table(path)
    found = {one.table: one for one in calibrate_all(tables)}
    assert list(found) == ["LFP-35Ah", "NMC-2.1Ah", "NMC-21Ah"]
    assert found["LFP-35Ah"].fitted["r_0"] == pytest.approx(found["LFP-35Ah"].preset["r_0"], rel=0.03)
    nmc = [found[name].fitted["r_0"] for name in ("NMC-2.1Ah", "NMC-21Ah")]
    assert min(nmc) * 0.97 < found["NMC-21Ah"].preset["r_0"] < max(nmc)
    assert all(one.residual_mV < 10 and one.residual_mV < one.preset_mV * 1.01 for one in found.values())
    for one in found.values():  # cells that are aged and scattered as chosen spread wider than retired ones
        assert (np.array(one.simulated_mV)[:, 1:] > np.array(one.measured_mV)[:, 1:]).mean() > 0.9
    for path in ("dataset_card/cards/templates/card_v3.md", "docs/explanations/magnetometer.md"):
        page = (ROOT / path).read_text(encoding="utf-8")
        for name, one in found.items():
            pulse = [np.sqrt((np.array(values)[:, 3] ** 2).mean()) for values in (one.measured_mV, one.simulated_mV)]
            row = f"| {name} | {one.residual_mV:.1f} mV | {one.spread_mV:.1f} mV | {pulse[0]:.1f} / {pulse[1]:.1f} mV |"
            assert row in page
    assert "tau_ct" in found["LFP-35Ah"].unidentified and "r_0" not in found["LFP-35Ah"].unidentified
