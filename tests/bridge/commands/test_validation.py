"""validate, verify and leakage as a user meets them: figures, exit codes, JSON."""

import json
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.gate
"""Commands as a user types them, each in a process of its own."""


def bridge(*arguments):
    return subprocess.run([sys.executable, "-m", "bridge", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("version, invariants, distribution", [("v1", 7, 6), ("v2", 9, 2)])
def test_validate(version, invariants, distribution):
    full = ["--full"] if version == "v1" else []
    result = bridge("validate", "--bridge", version, "--upstream", "simulated", "--json", *full)
    report = json.loads(result.stdout)
    assert result.returncode == 0 and report["passed"]
    assert (report["bridge"], report["upstream"]) == (version, "simulated")
    assert len(report["invariants"]) == invariants and all(check["blocking"] for check in report["invariants"])
    assert len(report["distribution"]) == distribution and len(report["likeness"]) == 10
    assert all(check["blocking"] == (version == "v2") for check in report["likeness"])
    assert ("separations" in report) == (version == "v1")
    blocking = [check for part in ("critics", "two_sample", "soh") for check in report[part] if check["blocking"]]
    assert len(blocking) == (24 if version == "v2" else 0)


def test_verify_passes_a_sound_release(tiny_release):
    result = bridge("verify", tiny_release, "--against", tiny_release)
    assert result.returncode == 0, result.stdout
    assert "every promise holds" in result.stdout and "signals are bitwise equal" in result.stdout


def test_verify_lists_every_broken_promise_and_exits_with_1(tiny_release, tmp_path):
    copy = shutil.copytree(tiny_release, tmp_path / "copy")
    (copy / "CITING.md").write_text("cite me", encoding="utf-8")
    (copy / "manifest.json").write_text("{", encoding="utf-8")
    result = bridge("verify", copy)
    assert result.returncode == 1
    assert "CITING.md differs from its checksum" in result.stdout and "manifest.json: not readable" in result.stdout
    findings = json.loads(bridge("verify", copy, "--json").stdout)["findings"]
    assert f"{copy}: {len(findings)} broken promises" in result.stdout
    missing = bridge("verify", tmp_path / "none")
    assert missing.returncode == 1 and missing.stderr.startswith("error: ")


def test_verify_against_another_release(tiny_release, published_release):
    result = bridge("verify", published_release, "--against", tiny_release, "--json")
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert document["findings"] == [] and document["comparison"]["shared"] == 0
    assert len(document["comparison"]["only_here"]) == 6760


def test_leakage_of_the_release_and_of_a_split_of_ones_own(tiny_release, tmp_path):
    document = json.loads(bridge("leakage", tiny_release, "--json").stdout)
    assert document["by_cell_primary"]["clean"] and not document["by_record_optimistic_baseline"]["clean"]
    ids = pq.read_table(tiny_release / "metadata.parquet")["sample_id"].to_pylist()
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"train": ids[::2], "test": ids[1::2]}), encoding="utf-8")
    result = bridge("leakage", tiny_release, "--split", mine)
    assert result.returncode == 0 and "59 cells in more than one subset" in result.stdout
    wrong = bridge("leakage", tiny_release, "--split", tmp_path / "none.json")
    assert wrong.returncode == 1 and "none.json" in wrong.stderr


def test_verify_makes_signals_again_and_says_what_it_proves(tiny_release):
    plain, again = bridge("verify", tiny_release), bridge("verify", tiny_release, "--regenerate", "3")
    assert plain.returncode == again.returncode == 0
    assert "every promise holds" in plain.stdout and "not who made them" in plain.stdout
    assert "3 signals regenerated from the upstream, bitwise equal" in again.stdout
    wrong = bridge("verify", tiny_release, "--regenerate", "some")
    assert wrong.returncode == 1 and "expected a number of signals, or all" in wrong.stderr
