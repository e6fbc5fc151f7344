"""Features over charge: a curve Q(V) and raw samples of the same discharge give the same."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hqvqvae.cells import charge_features as module
from hqvqvae.cells.charge_features import CHARGE_FEATURES, add_charge_features, charge_features
from hqvqvae.cells.features import Segment, feature_table


@given(st.floats(0.5, 5), st.integers(50, 300))
def test_samples_and_curve_of_one_discharge_agree_whatever_the_current(current, n):
    voltage = np.linspace(3.6, 2.0, n) - 0.1 * np.sin(np.linspace(0, 3, n))
    time = np.linspace(0, 3600 / current, n)  # 1 Ah
    rest = lambda values, value: np.r_[value, values]  # noqa: E731
    segment = Segment(
        "c", 3, rest(time + 1, 0.0), rest(voltage, 3.7), rest(np.full(n, -current), 0.0), np.full(n + 1, 25.0)
    )
    table = add_charge_features(feature_table([segment]), [segment])
    expected = charge_features(np.linspace(0, 1, n), voltage)
    for name in CHARGE_FEATURES[1:]:
        assert table[name].iloc[0] == pytest.approx(expected[name], abs=0.01), name
    assert table["capacity"].iloc[0] == pytest.approx(1, abs=0.01)


def test_rows_that_are_not_valid_have_none():
    idle = Segment("c", 1, np.arange(20.0), np.full(20, 3.3), np.zeros(20), np.full(20, 25.0))
    table = add_charge_features(feature_table([idle]), [idle])
    assert table[list(CHARGE_FEATURES)].isna().all(axis=None)


def test_the_documented_example_runs():
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
