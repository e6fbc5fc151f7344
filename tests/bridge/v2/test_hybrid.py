"""Imposed statistics hold, and what is borrowed stays."""

import dataclasses

import numpy as np
import pytest

from bridge.upstream import AnchorStatistics
from bridge.v2 import BridgeV2, resolve
from bridge.v2.hybrid import impose_statistics, standard_deviation
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def hybrid(upstream_dir):
    return BridgeV2(resolve("published", upstream_dir))


def test_own_spread_is_that_of_the_signals(bridge_v2):
    signals = bridge_v2.generate_many([3.10] * 4000, [50] * 4000, [1.0] * 4000, range(4000))
    own = standard_deviation(bridge_v2.scan_map, 820)[3]
    assert np.sqrt((signals[..., :4].var(axis=0) / own**2).mean(axis=0)) == pytest.approx(1, abs=0.015)


def test_signals_have_the_published_mean_and_spread(hybrid):
    statistics = hybrid.upstream.statistics
    for a, voltage in enumerate(statistics.voltages):
        signals = hybrid.generate_many([voltage] * 2000, [50] * 2000, [1.0] * 2000, range(2000))[..., :4]
        std = statistics.std[a, :, :4]
        assert np.sqrt((signals.var(axis=0) / std**2).mean(axis=0)) == pytest.approx(1, abs=0.03)
        assert (np.abs(signals.mean(axis=0) - statistics.mean[a, :, :4]) / std).max() < 0.12
        assert np.array_equal(hybrid.anchor_replica(voltage), statistics.mean[a])


def test_the_fluctuation_is_borrowed(hybrid, bridge_v2):
    assert hybrid.upstream.bridge_version == "v2.1-hybrid" and len(hybrid.upstream.pulses) == 2700
    for name in ("beta", "noise_root", "line_root", "offset_root", "start", "end", "onset"):
        assert np.array_equal(getattr(hybrid.scan_map, name), getattr(bridge_v2.scan_map, name))


def test_imposing_its_own_spread_changes_nothing(bridge_v2):
    m = bridge_v2.scan_map
    std = np.zeros_like(m.mean)
    std[..., :4] = standard_deviation(m, 820)
    assert impose_statistics(m, AnchorStatistics(m.voltages, m.mean, std)).scale == pytest.approx(1, abs=1e-12)


def test_other_anchors_are_refused(bridge_v2):
    statistics = bridge_v2.upstream.statistics
    with pytest.raises(MagBridgeError, match="expected the anchors of the map"):
        impose_statistics(bridge_v2.scan_map, dataclasses.replace(statistics, voltages=statistics.voltages + 0.01))
