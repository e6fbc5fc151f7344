"""Any number of steps becomes 100: lines stay lines, levels stay levels, what is too fast goes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.measured.sampling import Sampling, resampling_matrix


@settings(max_examples=25, deadline=None, derandomize=True)
@given(steps=st.integers(20, 700))
def test_a_line_is_resampled_to_a_line_inside_and_a_level_everywhere(steps):
    matrix = resampling_matrix(steps)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-12)
    line = matrix @ np.linspace(-1, 1, steps)
    edge = 1 if steps > 100 else 0  # windows are cut at the ends
    np.testing.assert_allclose(line[edge : 100 - edge], np.linspace(-1, 1, 100)[edge : 100 - edge], atol=1e-12)
    assert (matrix >= 0).all()


def test_a_hundred_steps_are_left_alone():
    assert (resampling_matrix(100) == np.eye(100)).all() and Sampling(100, None).method == "none"


def test_fast_waves_are_not_folded_back():
    wave = np.cos(2 * np.pi * 0.31 * np.arange(1000))  # far beyond what 100 steps can hold
    assert np.abs(resampling_matrix(1000) @ wave).max() < 0.15
    assert np.abs(wave[:: 1000 // 100]).max() > 0.9


@pytest.mark.parametrize("steps, method", [(60, "linear"), (250, "window means")])
def test_the_note_says_how(steps, method):
    assert (
        f"Scans of {steps} steps were resampled to 100" in Sampling(steps, 0.1).note
        and method in Sampling(steps, 0.1).note
    )
