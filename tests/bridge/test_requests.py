"""One check of requests serves both bridges: the first bad one is named, with what was expected."""

import numpy as np
import pytest

from bridge.generate import make_bridge, resolve
from bridge.requests import SEED_LIMIT, checked_requests
from dataset_card.errors import MagBridgeError

ANCHORS = (2.54, 3.34)


def test_good_requests_come_back_as_plain_numbers():
    found = checked_requests([3, 3.1], np.array([0, 100]), (0.5, 1.05), [np.int64(7), SEED_LIMIT - 1], voltages=ANCHORS)
    assert found.seed == [7, SEED_LIMIT - 1] and all(type(s) is int for s in found.seed)
    assert found.voltage.tolist() == [3.0, 3.1] and found.cell == [None, None]


@pytest.mark.parametrize("change, words", [
    ({"voltage": [3.1, 3.35]}, "request 1: voltage 3.35 V: expected 2.54 to 3.34 V"),
    ({"voltage": [float("nan"), 3.1]}, "request 0: voltage nan V"),
    ({"soc": [50, 101]}, "request 1: SOC 101.0: expected 0 to 100 %"),
    ({"soh": [1.06, 1.0]}, "request 0: SOH 1.06: expected a fraction above 0, at most 1.05"),
    ({"soh": [1.0, 85]}, "request 1: SOH 85.0"),
    ({"seed": [0, -1]}, "request 1: seed -1"),
    ({"seed": [0, 2**64]}, "request 1: seed 18446744073709551616"),
    ({"seed": [True, 0]}, "request 0: seed True"),
    ({"cell": ["LFP-35Ah-001", 7]}, "request 1: cell 7: expected a name"),
    ({"seed": [0]}, "2 voltages, 2 SOC, 2 SOH, 1 seeds, 1 cells"),
    ({"soc": ["full", 50]}, "must be sequences of numbers"),
])  # fmt: skip
def test_the_first_bad_request_is_named(change, words):
    good = {"voltage": [3.1, 3.2], "soc": [50, 50], "soh": [1.0, 0.9], "seed": [0, 1]}
    with pytest.raises(MagBridgeError) as error:
        checked_requests(**(good | change), voltages=ANCHORS)
    assert words in str(error.value)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_both_bridges_refuse_alike(version):
    with pytest.raises(MagBridgeError, match="request 0: SOH 1.06"):
        make_bridge(resolve(version, "simulated")).generate(3.1, 50, 1.06, 0)


def test_an_unknown_cell_is_a_virtual_cell_like_any_other():
    bridge = make_bridge(resolve("v2", "simulated"))
    one, other = (bridge.generate(3.1, 50, 0.9, 0, cell) for cell in ("nobody's", "somebody's"))
    assert np.isfinite(one).all() and np.abs(one - other).max() > 1
