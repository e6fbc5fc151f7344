"""The static descriptor against a row-by-row reading of its definition."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmark.features
from benchmark.features import BLOCK, CORRELATED, FEATURE_NAMES, static_features


def row_by_row(signals):
    """The definition, one feature at a time."""
    rows = []
    for x in signals:
        row = []
        for c in range(6):
            v = x[:, c]
            row += [
                np.mean(v),
                np.std(v),
                v.min(),
                v.max(),
                v.max() - v.min(),
                np.median(v),
                np.dot(v, v),
                (v[-1] - v[0]) / 100,
                v[-25:].mean() - v[:25].mean(),
            ]
        for a, b in CORRELATED:
            defined = np.ptp(x[:, a]) > 0 and np.ptp(x[:, b]) > 0
            row.append(np.corrcoef(x[:, a], x[:, b])[0, 1] if defined else 0.0)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("n", [1, 7, BLOCK, BLOCK + 3])
def test_equals_the_definition(n):
    signals = np.random.default_rng(n).normal(900, 60, (n, 100, 6))
    np.testing.assert_allclose(static_features(signals), row_by_row(signals), rtol=1e-10, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e4), level=st.floats(-1e4, 1e4))
def test_equals_the_definition_at_any_level_and_scale(seed, scale, level):
    signals = level + scale * np.random.default_rng(seed).normal(size=(3, 100, 6))
    magnitude = np.abs(row_by_row(signals)).max()
    np.testing.assert_allclose(static_features(signals), row_by_row(signals), rtol=1e-7, atol=1e-11 * magnitude)


def test_constant_channel_has_no_correlation():
    signals = np.random.default_rng(0).normal(size=(2, 100, 6))
    signals[0, :, 0] = 0.1
    features = static_features(signals)
    correlations = [i for i, name in enumerate(FEATURE_NAMES) if name.startswith("corr_")]
    assert np.isfinite(features).all()
    assert features[0, correlations].tolist() == [0.0, features[0, correlations[1]], 0.0]
    assert features[0, correlations[1]] != 0


def test_names_match_columns():
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 57 == static_features(np.zeros((1, 100, 6))).shape[1]
    assert static_features(np.zeros((0, 100, 6))).shape == (0, 57)


def test_reads_float32_and_views_alike():
    signals = np.random.default_rng(1).normal(size=(4, 100, 6)).astype(np.float32)
    np.testing.assert_array_equal(static_features(signals), static_features(signals.astype(np.float64)))
    np.testing.assert_array_equal(static_features(signals[::2]), static_features(signals)[::2])


def test_example_runs():
    assert doctest.testmod(benchmark.features, extraglobs={"np": np}) == (0, 1)
