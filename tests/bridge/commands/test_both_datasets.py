"""verify, leakage, plot, bundle and import take a release of either dataset."""

import json
import subprocess
import sys

import pytest


def bridge(*arguments):
    return subprocess.run([sys.executable, "-m", "bridge", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(params=["tiny_release", "v2_release"])
def a_release(request):
    return request.getfixturevalue(request.param)


def test_each_command_takes_it(a_release, tmp_path):
    result = bridge("verify", a_release)
    assert result.returncode == 0 and "every promise holds" in result.stdout, result.stdout
    leaks = json.loads(bridge("leakage", a_release, "--json").stdout)
    assert leaks["by_cell_primary"]["clean"] and not leaks["by_record_optimistic_baseline"]["clean"]
    assert bridge("plot", a_release, "--out", tmp_path / "p.png").returncode == 0
    assert bridge("bundle", a_release, "--out", tmp_path / "b.zip").returncode == 0
    result = bridge("import", tmp_path / "b.zip", "--out", tmp_path / "copy")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == (a_release / "manifest.json").read_bytes()
