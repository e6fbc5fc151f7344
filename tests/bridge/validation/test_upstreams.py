"""The comparison of two upstreams, and the figures the simulation reaches."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from bridge.upstream import resolve
from bridge.v1.inputs import AnchorStatistics
from bridge.validation.upstreams import compare_upstreams, report
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def simulated():
    return resolve("simulated")


def test_an_upstream_is_like_itself(simulated):
    comparison = compare_upstreams(simulated, simulated)
    assert len(comparison.trajectories) == 30 and len(comparison.pulses) == 21
    for match in comparison.trajectories:
        assert (match.correlation, match.std_ratio) == pytest.approx((1, 1)) and match.rmse_nT == 0
    for match in comparison.pulses:
        assert match.rmse_mV == 0 and match.published_correlation == match.simulated_correlation


def test_figures_are_what_they_say(simulated):
    statistics = simulated.statistics
    other = dataclasses.replace(
        simulated,
        statistics=AnchorStatistics(statistics.voltages, -statistics.mean, 2 * statistics.std),
        pulses=dataclasses.replace(simulated.pulses, u=simulated.pulses.u + 0.003),
    )
    comparison = compare_upstreams(other, simulated)
    for match in comparison.trajectories:
        assert (match.correlation, match.std_ratio) == pytest.approx((-1, 0.5))
    assert all(match.rmse_mV == pytest.approx(3) for match in comparison.pulses)


def test_other_anchors_or_levels_are_refused(simulated):
    statistics = dataclasses.replace(simulated.statistics, voltages=simulated.statistics.voltages + 0.01)
    with pytest.raises(MagBridgeError, match="as published"):
        compare_upstreams(simulated, dataclasses.replace(simulated, statistics=statistics))
    pulses = dataclasses.replace(simulated.pulses, soc=simulated.pulses.soc + 1)
    with pytest.raises(MagBridgeError, match="SOC levels"):
        compare_upstreams(simulated, dataclasses.replace(simulated, pulses=pulses))


def test_the_simulation_is_as_close_as_the_model_allows(upstream_dir, simulated):
    comparison = compare_upstreams(resolve("published", upstream_dir, fetch=False), simulated)
    dip = [m.correlation for m in comparison.trajectories if m.channel in ("B_s1Z", "B_s2Z")]
    assert min(dip) > 0.80
    rmse = [m.rmse_mV for m in comparison.pulses]
    assert min(rmse) > 0.6 and max(rmse) < 2.0
    gap = [abs(m.published_correlation - m.simulated_correlation) for m in comparison.pulses]
    assert max(gap) < 0.07 and np.mean(gap) < 0.04
    published, ours = comparison.separations["published"], comparison.separations["simulated"]
    assert published[0].scatter == pytest.approx(1.779, abs=1e-3)
    assert ours[0].scatter == pytest.approx(published[0].scatter, rel=0.02)
    assert ours[0].adjacent == pytest.approx(published[0].adjacent, rel=0.02)
    # The honest, held-out ratio is an order of magnitude below the in-sample one in both.
    assert all(s[1].ratio < s[0].ratio / 8 for s in (published, ours))
    text = report(comparison)
    assert "held out by position" in text and "U21" in text


@pytest.mark.gate
def test_the_command(upstream_dir, tmp_path):
    out = tmp_path / "comparison.png"
    command = [
        sys.executable,
        "-m",
        "bridge",
        "upstream",
        "--compare",
        "--upstream-dir",
        str(upstream_dir),
        "--json",
        "--out",
        str(out),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    document = json.loads(result.stdout)
    assert np.isfinite([m["rmse_nT"] for m in document["trajectories"]]).all()
    assert out.read_bytes()[:4] == b"\x89PNG"
