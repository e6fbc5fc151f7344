"""The v2 bridge on the simulated upstream, fitted once."""

import pytest

from bridge.v2 import BridgeV2, resolve


@pytest.fixture(scope="session")
def upstream_v2():
    """The simulated upstream of v2."""
    return resolve("simulated")


@pytest.fixture(scope="session")
def bridge_v2(upstream_v2):
    """The v2 bridge fitted to it."""
    return BridgeV2(upstream_v2)
