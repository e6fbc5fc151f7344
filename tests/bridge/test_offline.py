"""A machine with no route out still builds a release, and never mixes it with a published one."""

import json
import os
import shutil
import subprocess
import sys

import datasets
import pytest

from bridge.audit.promises import audit_release

pytestmark = pytest.mark.gate
"""Commands as a user types them, each in a process of its own."""


def build(out, tmp_path, *extra):
    environment = {
        **os.environ,
        "MAGBRIDGE_CACHE": str(tmp_path / "cache"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }  # nothing listens there: as good as no network
    environment.pop("MAGBRIDGE_UPSTREAM", None)
    command = [sys.executable, "-m", "bridge", "build", "--variants", "2", "--out", str(out), *map(str, extra)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def load(out, tmp_path):
    return datasets.load_dataset(str(out), "by_cell_primary", cache_dir=str(tmp_path / "datasets"))


def test_without_network_the_release_is_simulated_and_says_so(tmp_path):
    out = tmp_path / "magbridge-battery"
    result = build(out, tmp_path)
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stderr.splitlines() if "upstream" in line]
    assert len(said) == 1 and "SIMULATED" in said[0]
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["upstream"]["name"] == "simulated" and manifest["bridge_version"] == "v1.3-simulated"
    assert manifest["name"] == "magbridge-battery-simulated"
    assert audit_release(out) == []
    rows = load(out, tmp_path)
    assert set(rows) == {"train", "validation", "test"} and sum(map(len, rows.values())) == 2280

    strict = build(tmp_path / "strict", tmp_path, "--upstream", "published")
    assert strict.returncode == 1 and "the published upstream is not available" in strict.stderr
    assert not (tmp_path / "strict").exists()


def test_the_same_command_with_and_without_the_files_mixes_nothing(tmp_path, tiny_release, upstream_dir):
    # tiny_release is what the command writes without the files
    out = shutil.copytree(tiny_release, tmp_path / "magbridge-battery")
    found = [ids(out, tmp_path, "v1.3-simulated")]
    refused = build(out, tmp_path, "--upstream-dir", upstream_dir)
    assert refused.returncode == 1 and "expected another --out, or --replace" in refused.stderr
    result = build(out, tmp_path, "--upstream-dir", upstream_dir, "--replace")
    assert result.returncode == 0 and "published files" in result.stderr
    assert audit_release(out) == []
    found.append(ids(out, tmp_path, "v1.3"))
    shutil.rmtree(out)
    shutil.copytree(tiny_release, out)
    found.append(ids(out, tmp_path, "v1.3-simulated"))
    assert found[0] == found[2] and not found[0] & found[1]


def ids(out, tmp_path, version) -> set[str]:
    """Sample ids that `datasets` serves, with one cache for all; every row must have this bridge version."""
    rows = load(out, tmp_path)
    assert {v for split in rows.values() for v in split.unique("bridge_version")} == {version}
    return {i for split in rows.values() for i in split["sample_id"]}
