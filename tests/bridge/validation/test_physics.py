"""The gate of v3: passes as it is, and each check can fail."""

import numpy as np
import pytest

from bridge.v3.effects import Effect
from bridge.validation import physics


@pytest.mark.slow
def test_every_check_holds():
    found = physics.validate_physics()
    assert found.passed, found.text()
    assert len(found.checks["physics"]) == 11 and all(check.blocking for check in found.checks["physics"])
    assert found.as_dict()["passed"] and "theorem" in found.text()


def test_one_figure_off_its_bound_blocks():
    good, bad = (physics.check("table", figure, True) for figure in (0.1, float("nan")))
    reports = [physics.ValidationReport("v3", "", {"physics": checks}) for checks in ([good], [good, bad])]
    assert [report.passed for report in reports] == [True, False] and "FAIL" in bad.line()


def test_a_readout_finds_what_is_there_and_nothing_else():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 6)) * [5, 4, 3, 2, 1, 1]
    assert physics.readout(x, x[:, 0] ** 2 + x[:, 1]) > 0.9
    assert physics.readout(x, rng.standard_normal(200)) < 0.05


def test_misfits_see_one_wrong_figure():
    right = Effect("weld half torn", 1895.0, 0.0, 0.0, 0.0)
    wrong = Effect("dry, 6 % of the area", 0.0, 0.0, 0.182, -3.6)
    assert physics.misfits([right, wrong]) == pytest.approx({"weld half torn": 0.0, "dry, 6 % of the area": 0.2})


def test_diffusion_check_fails_for_the_prototypes_ladder(monkeypatch):
    assert physics._diffusion() < 0.02
    monkeypatch.setattr(physics, "ladder", _two_modes)
    assert physics._diffusion() > 0.5


def _two_modes(tau):
    from bridge.v3.impedance import ladder

    return ladder(tau, two_modes=True)
