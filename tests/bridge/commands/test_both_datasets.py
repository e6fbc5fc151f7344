"""The commands that read a release take the second dataset as they take the first."""

import json
import subprocess
import sys

import pytest


def bridge(*arguments):
    return subprocess.run([sys.executable, "-m", "bridge", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.gate
def test_leakage_and_plot_take_v2(v2_release, tmp_path):
    leaks = json.loads(bridge("leakage", v2_release, "--json").stdout)
    primary, optimistic = leaks["by_cell_primary"], leaks["by_record_optimistic_baseline"]
    assert not primary["shared_cells"] and not primary["separated_pairs"] and not primary["duplicates"]
    assert optimistic["shared_cells"] and optimistic["separated_pairs"]
    assert bridge("plot", v2_release, "--out", tmp_path / "p.png").returncode == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
