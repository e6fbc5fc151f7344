"""A hidden round of the simulated upstream, opened and, in a copy, revealed."""

import pytest

from bridge.generate import resolve
from bridge.rounds.rows import RoundSize, make_configuration, make_rows


@pytest.fixture(scope="session")
def simulated_v2():
    """v2's simulated upstream."""
    return resolve("v2", "simulated")


@pytest.fixture(scope="session")
def made(simulated_v2):
    """Signals and labels of a round of full size."""
    return make_rows(make_configuration("round-0", simulated_v2, RoundSize()), 2**64 + 20261121, simulated_v2)
