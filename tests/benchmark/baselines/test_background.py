"""The background that matched features are taken against."""

import numpy as np

from benchmark.baselines.background import LevelBackground
from tests.benchmark.baselines.test_matched import signals


def test_clean_rows_whiten_to_unit_noise():
    rows = signals(2000, 5)
    white = LevelBackground().fit(rows[:1800]).whiten(rows[1800:])
    np.testing.assert_allclose(white.residual.std(axis=(0, 1)), 1, atol=0.05)
    assert abs(white.residual.mean()) < 0.02
