"""The page on magnetometers has the figures that its script prints, and `field` and `detect` print the same."""

import importlib.util
from pathlib import Path

import pytest

from bridge.v3.detect import detect, table
from bridge.v3.experiment import experiment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanations/magnetometer.md").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("magnetometer", ROOT / "docs/magnetometer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_effects_stacks_and_charges_are_what_the_script_prints(script):
    lines = [*script.stacks(), *script.changes(), *script.charges()]
    assert len(lines) == 3 + 17 + 3 and not set(lines) - set(PAGE)


@pytest.mark.slow
def test_the_theorem_is_what_the_script_prints(script, tmp_path):
    lines = script.theorem(tmp_path / "theorem.png")
    # The sum of the sheet currents changes by rounding alone, which need not be the same elsewhere.
    assert not {line for line in lines if "together" not in line} - set(PAGE)
    assert (tmp_path / "theorem.png").stat().st_size > 50_000


@pytest.mark.slow
def test_shares_are_what_the_script_and_the_command_print(script):
    found = detect(experiment({}), script.DISTANCES_MM, script.NOISES_NT)
    lines = [line for line in script.shares(found) if line]
    assert len(lines) == 10 and not set(lines) - set(PAGE)
    assert table(detect(experiment({}), [10.0], [0.05]), 10.0, 0.05) == table(found, 10.0, 0.05)
