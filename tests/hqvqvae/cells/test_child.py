"""A child process that reads for its parent: its bounds, and what becomes of a crash."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hqvqvae.cells import child
from hqvqvae.cells.child import Broken, bounded_child


def test_values_and_errors_come_back_and_memory_is_bounded():
    with bounded_child() as call:
        assert call(sum, [1, 2]) == 3
        with pytest.raises(ZeroDivisionError):
            call(divmod, 1, 0)
        with pytest.raises(Broken, match="^takes over 900 MiB in its reader$"):
            call(np.empty, 1 << 27)
        assert call(np.ones, 3).tolist() == [1, 1, 1]  # it goes on
    with bounded_child(scale=2) as call:
        assert call(_taken, 1 << 27) == 1 << 30


def _taken(count):
    return np.empty(count).nbytes


def test_crashes_and_halts_are_told(monkeypatch):
    with bounded_child() as call, pytest.raises(Broken, match="^crashes its reader$"):
        call(os.abort)
    monkeypatch.setattr(child, "MAX_SECONDS", 0.1)
    with bounded_child() as call, pytest.raises(Broken, match="^takes over 0.1 s in its reader$"):
        call(time.sleep, 60)


def test_a_lower_bound_of_the_user_stays():
    """Under `ulimit -v` the child takes no more than that, and starts."""
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "from hqvqvae.cells.child import bounded_child\n"
        "with bounded_child(scale=9) as call:\n    print(call(resource.getrlimit, resource.RLIMIT_AS))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], text=True, capture_output=True)
    assert done.stdout == f"{(3 << 30, 3 << 30)}\n", done.stderr
