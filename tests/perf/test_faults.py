"""The fault finder: what it tries holds, and it does see what does not hold."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments):
    command = [sys.executable, "perf/faults.py", "--seed", "20260512", *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True)


def held(outcome):
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.startswith("seed 20260512\n")
    counts = re.findall(r"tried +(\d+) +held +(\d+)", outcome.stdout)
    assert counts and all(tried == held for tried, held in counts), outcome.stdout


@pytest.mark.gate
def test_the_short_form_holds():
    """Without the model's files, which take a quarter of a minute to make; the long form has them."""
    kinds = ["kills", "flips", "full disks", "commands", "dataset files", "laboratory files", "benchmark files"]
    kinds += ["YAML", "forged entries", "replaced while read", "concurrent writers", "origins", "terminals"]
    held(run("--only", *kinds))


@pytest.mark.slow
def test_the_long_form_holds():
    held(run("--long"))


@pytest.mark.gate
def test_a_traceback_a_crash_a_hang_and_a_great_allocation_are_seen():
    import ctypes

    from tests.faults.child import outcomes_of

    found = outcomes_of([lambda: {}["nothing"], lambda: ctypes.string_at(0), lambda: None])
    assert "KeyError" in found[0]
    assert "the interpreter died with exit code -11" in found[1]
    assert found[2] is None
    assert outcomes_of([lambda: time.sleep(60)], limit_s=1) == ["no answer in 1 s"]
    (great,) = outcomes_of([lambda: np.ones(9 * 2**24)], limit_s=60)
    assert re.fullmatch(r"took 1\d{3} MB", great)
