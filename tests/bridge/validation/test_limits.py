"""What a fit to own scans cannot carry: each figure moves with what it speaks of, and none blocks."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from bridge.generate import resolve
from bridge.measured.own import with_cells, with_scans
from bridge.v1.inputs import AnchorStatistics
from bridge.v2 import BridgeV2
from bridge.v2 import resolve as resolve_v2
from bridge.validation.limits import check_limits
from bridge.validation.report import validate
from tests.bridge.measured.test_own import archive, table


def limits_of(bridge) -> dict:
    return {check.name.split()[0]: check for check in check_limits(bridge)}


@pytest.fixture(scope="module")
def of_archive():
    return limits_of(BridgeV2(resolve_v2("simulated")))


@pytest.fixture
def fitted(tmp_path):
    """A bridge fitted to an archive of its own."""
    table(tmp_path / "cells.csv")
    upstream = with_cells(resolve("v2", "simulated"), tmp_path / "cells.csv")[0]

    def fit(**options):
        archive(tmp_path, **options)
        return BridgeV2(with_scans(upstream, tmp_path / "a.parquet", tmp_path / "a.csv")[0])

    return fit


def test_the_archive_that_v2_was_made_for_is_within_all_bounds(of_archive):
    assert len(of_archive) == 7 and all(check.passed and not check.blocking for check in of_archive.values())
    assert of_archive["widest"].figure == pytest.approx(0.27)
    assert of_archive["ageing's"].figure == pytest.approx(0.95, abs=0.01)
    assert of_archive["mains"].figure == 2


def test_few_scans_of_a_narrow_range_are_told(fitted, of_archive):
    found = limits_of(fitted(voltages=(2.80, 3.20), positions=9))
    assert not found["records"].passed and 0 < found["records"].figure < 1
    assert not found["widest"].passed and found["widest"].figure == pytest.approx(0.40)
    assert "2 polynomials over 9 positions: structure narrower than 4" in found["variance"].note
    # the error of a mean of chi-squares goes with the root of the number of scans, 5 x 41 there and 2 x 9 here
    assert found["relative"].figure == pytest.approx(of_archive["relative"].figure * np.sqrt(5 * 41 / (2 * 9)))
    assert found["relative"].passed, "one spectrum over all anchors makes 18 scans enough"
    assert not any(check.blocking for check in found.values())


def test_structure_that_is_narrow_across_the_cell_is_outside_the_map(of_archive):
    upstream = resolve_v2("simulated")
    scans = upstream.scans.reshape(5, 41, 100, 6).copy()
    scans[:, 20] += 0.3 * (scans.max() - scans.min()) * np.sin(np.linspace(0, np.pi, 100))[:, None]
    changed = dataclasses.replace(upstream, scans=scans.reshape(upstream.scans.shape))
    found = limits_of(BridgeV2(changed))
    assert not found["variance"].passed and found["variance"].figure > 10 * of_archive["variance"].figure


def test_another_rigs_ageing_is_told_by_its_shape(of_archive):
    upstream = resolve_v2("simulated")
    rng = np.random.default_rng(0)
    scans = rng.permuted(upstream.scans, axis=1)
    statistics = AnchorStatistics.from_scans(scans, upstream.statistics.voltages)
    other = dataclasses.replace(upstream, scans=scans, statistics=statistics)
    assert limits_of(BridgeV2(other))["ageing's"].figure < 0.5 < of_archive["ageing's"].figure


@pytest.mark.parametrize("voltages", [(3.15, 3.34), (3.28, 3.34)])
def test_any_two_anchors_can_be_validated(fitted, voltages):
    report = validate(fitted(voltages=voltages, positions=5, steps=100))
    assert report.passed and set(report.checks) == {"invariants", "limits"}
    assert len(report.checks["invariants"]) == 7 and "no Regime-B rows" in report.text()


def test_the_command_says_what_the_fit_cannot_carry(tmp_path):
    table(tmp_path / "cells.csv")
    archive(tmp_path)
    command = ["validate", "--bridge", "v2", "--upstream", "simulated", "--cells", "cells.csv", "--json"]
    command += ["--scans", "a.parquet", "--scan-table", "a.csv"]
    done = subprocess.run([sys.executable, "-m", "bridge", *command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    off = [check["name"] for check in report["limits"] if not check["passed"]]
    assert off == ["records at or beyond the outer anchors"]  # the noise spectrum is pooled over the anchors
    assert "records lie outside" in done.stderr and "window means" in done.stderr
