"""The command line as a user meets it: exit codes, one clear line, nothing half-written."""

import json
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.gate
"""Commands as a user types them, each in a process of its own."""


def bridge(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "bridge", *map(str, arguments)], capture_output=True, text=True, cwd=cwd
    )


def fails_with(result, *words):
    assert result.returncode == 1, result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ") and "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_build_says_what_it_made_and_how_to_load_it(tmp_path):
    result = bridge("build", "--upstream", "simulated", "--variants", 2, "--out", "mine", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "upstream: SIMULATED" in result.stderr
    assert "2280 rows" in result.stdout and 'load_dataset("mine", "by_cell_primary")' in result.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("version, clean", [("v1", 560), ("v2", 2700)])
def test_every_count_is_a_parameter_of_either_bridge(version, clean, tmp_path):
    options = ["--variants", 1, "--anomalies", "9,4,0,3", "--regime-b", 120, "--severity", 0.5, 0.6]
    result = bridge(
        "build", "--bridge", version, "--upstream", "simulated", "--out", tmp_path / "x", "--json", *options
    )
    assert result.returncode == 0, result.stderr
    manifest = json.loads(result.stdout)
    assert manifest["counts"]["provenance"] == {"clean": clean, "anomaly": 16, "regime_b": 120}
    assert manifest["severity"] == [0.5, 0.6]
    assert " ".join(map(str, options)) in manifest["rebuild"]


def test_bundle_and_import_round_trip(tiny_release, tmp_path):
    assert bridge("bundle", tiny_release, "--out", tmp_path / "b.zip").returncode == 0
    result = bridge("import", tmp_path / "b.zip", "--out", tmp_path / "copy", "--json")
    assert json.loads(result.stdout)["counts"]["rows"] == 2280


def test_plots_are_images(tiny_release, tmp_path):
    import pyarrow.parquet as pq

    sample = pq.read_table(tiny_release / "metadata.parquet")["sample_id"][1500].as_py()
    for extra in ([], ["--sample", sample]):
        assert bridge("plot", tiny_release, "--out", tmp_path / "p.png", "--replace", *extra).returncode == 0
        assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    fails_with(
        bridge("plot", tiny_release, "--out", tmp_path / "q.png", "--sample", sample[:-1]), "did you mean " + sample
    )
    assert not (tmp_path / "q.png").exists()


def test_the_bridges_are_drawn_side_by_side(tmp_path):
    assert bridge("plot", "--compare", "--out", tmp_path / "c.svg").returncode == 0
    text = (tmp_path / "c.svg").read_text(encoding="utf-8")
    assert len(text) < 300_000 and "channel correlations" in text and "<dc:date>" not in text


V2 = ("build", "--bridge", "v2", "--upstream", "simulated", "--out", "x")


@pytest.mark.parametrize("arguments, words", [
    (["plot", "--out", "x.png"], ["either a release folder", "or only --compare"]),
    (["plot", "nowhere", "--compare", "--out", "x.png"], ["or only --compare"]),
    (["build", "--out", "x", "--upstream", "simulated", "--variants", "0"], ["variants 0: expected"]),
    ([*V2, "--anomalies", "1,2"], ["anomalies (1, 2): expected 4 numbers"]),
    ([*V2, "--regime-b", "-1"], ["regime_b -1: expected"]),
    ([*V2, "--severity", "0.1", "0.5"], ["severity 0.1 to 0.5: expected a range within 0.2 to 1.0"]),
    ([*V2, "--chemistry", "LCO"], ["chemistry 'LCO' has no pulse table: expected LFP, LMO, NMC"]),
    (["build", "--out", "x", "--upstream", "published", "--upstream-dir", "nowhere"], ["nowhere", "existing folder"]),
    (["bundle", "nowhere", "--out", "x.zip"], ["nowhere"]),
    (["import", "nowhere.zip", "--out", "x"], ["no such bundle"]),
    (["push", "nowhere", "--repo", "a/b/c", "--dry-run"], ["repository 'a/b/c': expected USER/NAME", "such as me/"]),
    (["plot", "nowhere", "--out", "x.png"], ["expected a release folder"]),
    (["build", "--out", "/proc/x", "--upstream", "simulated"], ["/proc/x cannot be written", "you may write to"]),
    (["bundle", "nowhere", "--out", "/proc/x.zip"], ["cannot be written"]),
    (["plot", "nowhere", "--out", "/proc/x.png"], ["cannot be written"]),
])  # fmt: skip
def test_mistakes(tmp_path, arguments, words):
    fails_with(bridge(*arguments, cwd=tmp_path), *words)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        result = bridge("build", "--upstream", "simulated", "--variants", 2, "--out", disk / "release")
        fails_with(result, "No space left")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)
