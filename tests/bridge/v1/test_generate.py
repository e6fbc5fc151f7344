import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import Bridge
from bridge.upstream import resolve
from dataset_card.errors import MagBridgeError
from tests.bridge import reference


@pytest.fixture(scope="module")
def bridge():
    return Bridge(resolve("simulated"))


@pytest.fixture(scope="module")
def published_bridge(published):
    return Bridge(published)


def test_equals_the_reference_with_the_circuit_on_pennylane(published, published_bridge):
    found = published_bridge.generate(3.21, 35, 0.83, 99)
    assert found == pytest.approx(reference.generate(published, 3.21, 35, 0.83, 99), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    voltage=st.sampled_from([2.54, 2.81, 3.0, 3.06, 3.1, 3.34]) | st.floats(2.54, 3.34),
    soc=st.sampled_from([0.0, 50.0, 100.0]) | st.floats(0, 100),
    soh=st.sampled_from([1.0, 0.98, 0.9799999, 0.3]) | st.floats(0.05, 1.05),
    seed=st.integers(0, 2**31 - 1),
)
def test_equals_the_reference_on_any_request(published, published_bridge, voltage, soc, soh, seed):
    expected = reference.generate(published, voltage, soc, soh, seed, reference.fast_embed)
    assert published_bridge.generate(voltage, soc, soh, seed) == pytest.approx(expected, abs=1e-9)


def test_a_batch_equals_its_parts_byte_for_byte(bridge):
    rng = np.random.default_rng(0)
    requests = (
        rng.uniform(2.54, 3.34, 41),
        rng.uniform(0, 100, 41),
        rng.uniform(0.7, 1.02, 41),
        rng.integers(0, 2**31, 41),
    )
    batch = bridge.generate_many(*requests, workers=3)
    singles = np.stack([bridge.generate(v, c, h, s) for v, c, h, s in zip(*requests)])
    assert batch.tobytes() == singles.tobytes()


def test_healthy_signals_do_not_depend_on_the_scans(bridge):
    import dataclasses

    other = Bridge(dataclasses.replace(bridge.upstream, scans=bridge.upstream.scans[::-1]))
    request = (2.81, 20, 1.0, 5)
    assert np.array_equal(bridge.generate(*request), other.generate(*request))
    assert not np.array_equal(bridge.generate(3.2, 20, 0.8, 5), other.generate(3.2, 20, 0.8, 5))


def test_anchor_replica_is_the_mean_trajectory(bridge):
    for k, voltage in enumerate(bridge.upstream.statistics.voltages):
        assert bridge.anchor_replica(voltage) == pytest.approx(bridge.upstream.statistics.mean[k], abs=1e-12)
    with pytest.raises(MagBridgeError, match="3.05 V: expected an anchor"):
        bridge.anchor_replica(3.05)


NAN = float("nan")


@pytest.mark.parametrize("request_, words", [
    ((2.53, 50, 0.9, 1), "voltage 2.53 V: expected 2.54 to 3.34"),
    ((3.35, 50, 0.9, 1), "voltage 3.35 V"),
    ((NAN, 50, 0.9, 1), "voltage nan V"),
    ((3.2, 101, 0.9, 1), "SOC 101.0: expected 0 to 100"),
    ((3.2, -1, 0.9, 1), "SOC -1.0"),
    ((3.2, NAN, 0.9, 1), "SOC nan"),
    ((3.2, 50, 90, 1), "SOH 90.0: expected a fraction"),
    ((3.2, 50, 0, 1), "SOH 0.0"),
    ((3.2, 50, NAN, 1), "SOH nan"),
    ((3.2, 50, 0.9, -1), "seed -1: expected an integer"),
    ((3.2, 50, 0.9, 1.5), "seed 1.5"),
    ((3.2, "x", 0.9, 1), "sequences of numbers"),
])  # fmt: skip
def test_bad_requests(bridge, request_, words):
    with pytest.raises(MagBridgeError, match=words):
        bridge.generate(*request_)


def test_requests_of_different_lengths(bridge):
    with pytest.raises(MagBridgeError, match="different lengths: 2 voltages, 1 SOC"):
        bridge.generate_many([3.2, 3.3], [50], [0.9], [1])
