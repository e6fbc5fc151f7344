"""Batteries whose loss shows with either sign: found without being told, and read alike."""

import numpy as np
import pytest

from benchmark.baselines.functional import CorrectedRegressor
from benchmark.baselines.signed import SignedRegressor, find_signs
from benchmark.data import Subset


def flipped(rows: Subset, rng) -> tuple[Subset, np.ndarray]:
    """The rows with the loss of half the batteries turned over in their signals, and the sign of each row."""
    batteries, index = np.unique(rows.battery_ids, return_inverse=True)
    sign = rng.permutation(np.repeat((1.0, -1.0), len(batteries) // 2))[index]
    time = np.linspace(0, 1, rows.signals.shape[1])
    bend = (sign * (1 - rows.target))[:, None] * 60 * np.sin(np.pi * time)
    # What else varies is larger, so that no leading component of the signals is the loss.
    others = rng.normal(0, 100, (len(rows), 6)) @ np.cos(np.pi * np.outer(np.arange(3, 9), time))
    base = 800 + others + rng.normal(0, 0.5, (len(rows), len(time)))
    signals = np.repeat((base + bend)[..., None], 6, axis=2) * [1, -0.7, 0.5, 0.9, 1, 1]
    return Subset(rows.sample_ids, rows.cell_ids, signals, rows.target), sign


@pytest.fixture(scope="module")
def mixed(train, test):
    return flipped(train, np.random.default_rng(2)), flipped(test, np.random.default_rng(3))


def test_signs_are_found_up_to_a_common_one(mixed):
    (rows, sign), _ = mixed
    inputs = rows.signals[:, ::10, :4].reshape(len(rows), -1)
    found = find_signs(inputs - inputs.mean(axis=0), 1 - rows.target, rows.battery_ids)
    assert abs((found * sign).mean()) > 0.9
    for battery in np.unique(rows.battery_ids):
        assert len(set(found[rows.battery_ids == battery])) == 1


def test_soh_is_read_where_its_sign_is_not_told(mixed):
    (rows, _), (other, _) = mixed
    error = {}
    for kind in (CorrectedRegressor, SignedRegressor):
        read = kind().fit(rows.signals, rows.target, groups=rows.battery_ids).predict(other.signals)
        error[kind] = ((read - other.target) ** 2).mean()
    assert error[SignedRegressor] < 0.5 * other.target.var()  # leaves of 200 rows are coarse for 600
    assert error[CorrectedRegressor] > 1.8 * error[SignedRegressor]


def test_a_few_rows_are_enough(train, test):
    few = train.take(np.array([0, 20]))
    model = SignedRegressor().fit(few.signals, few.target, groups=few.battery_ids)
    assert np.isfinite(model.predict(test.signals)).all()
