"""Departures from clean rows: what clean rows do counts little, each fault shows in its own features."""

import numpy as np
import pytest

from benchmark.baselines.departure import COEFFICIENTS, RANKS, Departure, DepartureBoosting
from benchmark.data import Subset
from dataset_card.contract.schema import T

TIME = np.linspace(0, 1, T)
MATCHED = len(RANKS) + 4 * COEFFICIENTS
GAIN, SIGNIFICANCE, LEFT = MATCHED + 1, MATCHED + 3, MATCHED + 5
ALONG, ACROSS = MATCHED + 6, MATCHED + 7


def clean(seed, n=400):
    """Smooth rows of two wide directions that all channels share, and noise of 0.5 nT."""
    rng = np.random.default_rng(seed)
    shapes = np.stack([np.ones(T), np.sin(3 * TIME)])[:, :, None] * np.array([1, -0.7, 0.5, 0.9, 1, 1])
    signals = 800 * shapes[0] + 300 * np.sin(9 * TIME)[:, None]
    return signals + np.einsum("nk,ktc->ntc", rng.normal(0, 150, (n, 2)), shapes) + rng.normal(0, 0.5, (n, T, 6))


@pytest.fixture(scope="module")
def features():
    return Departure().fit(clean(0))


def test_clean_rows_are_white_and_derived_channels_are_not_read(features):
    rows = clean(1)
    seen = features.transform(rows)
    assert seen.shape == (400, 167)
    alone = seen[:, len(RANKS) : MATCHED]
    assert np.abs(alone.std(axis=0).mean() - 1) < 0.3 and np.abs(alone.mean(axis=0)).max() < 0.3
    rows[..., 4:] = 7
    assert np.array_equal(features.transform(rows), seen)


def test_a_drift_is_measured(features):
    rows = clean(2, 60)
    before = features.transform(rows)
    for gain in (0.08, -0.2):
        after = features.transform(rows * (1 + gain * TIME)[:, None])
        np.testing.assert_allclose(np.median(after[:, MATCHED]), gain, rtol=0.25)
        assert (after[:, GAIN] > before[:, GAIN]).all() and (after[:, SIGNIFICANCE] > 5).all()
        assert (after[:, LEFT - 1] > after[:, LEFT]).all()


def test_a_warp_moves_channels_along_their_slopes(features):
    rows, rng = clean(3, 60), np.random.default_rng(4)
    before = features.transform(rows)
    warped = np.empty_like(rows)
    for out, x in zip(warped, rows):
        at = np.arange(T) + rng.uniform(-0.15, 0.15, T)
        out[:] = np.stack([np.interp(at, np.arange(T), channel) for channel in x.T], axis=1)
    after = features.transform(warped)
    assert (after[:, ALONG] > before[:, ALONG] + 1).all()
    assert np.abs(np.median(after[:, ACROSS] - before[:, ACROSS])) < 0.5


def test_boosting_tells_small_faults(monkeypatch):
    rows = clean(5, 240)
    wave = np.where(np.arange(240)[:, None] % 2, 8 * np.sin(40 * TIME), 0)
    faulty = rows.copy()
    faulty[..., 1] += wave
    labels = np.where(np.arange(240) % 2, "faulty", "none")
    names = np.arange(240).astype(str)
    model = DepartureBoosting(0).fit(
        faulty[:160], labels[:160], clean=Subset(names, names, clean(6, 240), np.ones(240))
    )
    assert (model.predict(faulty[160:]) == labels[160:]).mean() > 0.95
    assert model.predict_proba(faulty[160:]).shape == (80, 2) and model.n_features_ == 167


def test_a_handful_of_clean_rows_leaves_numbers(features):
    assert np.isfinite(Departure().fit(clean(0, 2)).transform(clean(1, 5))).all()
    assert np.isfinite(features.transform(np.zeros((2, T, 6)))).all()
