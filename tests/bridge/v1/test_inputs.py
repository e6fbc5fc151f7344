import numpy as np
import pytest

from bridge.upstream import AnchorStatistics, resolve


def test_statistics_are_those_of_each_anchors_scans():
    scans = np.random.default_rng(0).standard_normal((6, 100, 6))
    found = AnchorStatistics.from_scans(scans, [2.5, 3.0])
    assert found.mean[1] == pytest.approx(scans[3:].mean(0)) and found.std[1] == pytest.approx(scans[3:].std(0))


def test_scans_are_ordered_by_anchor():
    upstream = resolve("simulated")
    assert upstream.scan_anchor.tolist() == [k for k in range(5) for _ in range(41)]
    own = AnchorStatistics.from_scans(upstream.scans, upstream.statistics.voltages)
    assert own.mean == pytest.approx(upstream.statistics.mean, abs=1e-10)
