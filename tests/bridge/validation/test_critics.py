"""Critics find what differs, and read a bridge without fault as their floor."""

import numpy as np
import pytest

from benchmark.features import static_features
from bridge.generate import resolve
from bridge.validation import critics
from bridge.validation.critics import (
    CRITICS,
    SCANS,
    continuous_scans,
    fit_network,
    perfect_signals,
    separability,
    spread_by_direction,
)
from bridge.validation.likeness import held_out_scans


@pytest.fixture(scope="module")
def continuous():
    return [continuous_scans(resolve("v2", "simulated"), 3.22, seed) for seed in (400, 401)]


@pytest.mark.parametrize(
    "critic, fit",
    [(critic, fit) for critic in CRITICS for fit in critic.fits],
    ids=lambda part: getattr(part, "name", getattr(part, "__name__", "")),
)
def test_fresh_scans_are_not_told_from_fresh_scans_and_loud_ones_are(critic, fit, continuous):
    here, there = continuous
    loud = there + 5 * np.random.default_rng(0).standard_normal(there.shape)
    x, same, other = (critic.features(rows) for rows in (here, there, loud))
    assert separability(x, same, fit, 2) == pytest.approx(0.5, abs=0.08)
    assert separability(x, other, fit, 2) > 0.9


def test_spread_by_direction(continuous):
    here, there = continuous
    assert len(here) == SCANS and spread_by_direction(here, there) == pytest.approx(1, abs=0.15)
    centre = there.mean(axis=0)
    assert spread_by_direction(centre + 2 * (there - centre), there) == pytest.approx(2)


@pytest.fixture(scope="module")
def scans():
    return held_out_scans(resolve("v2", "simulated"), 3.10, range(100, 110))


@pytest.fixture(scope="module")
def others():
    return held_out_scans(resolve("v2", "simulated"), 3.10, range(110, 120))


def test_every_row_is_scored_by_a_fit_without_its_archive(scans, others):
    seen = []

    def fit(inputs, labels, archive):
        seen.append((set(archive), len(inputs)))
        return lambda rows: rows[:, 0]

    separability(static_features(scans), static_features(others), fit, 5)
    assert [len(archives) for archives, _ in seen] == [8] * 5 and {n for _, n in seen} == {2 * 8 * 41}
    assert set.intersection(*(archives for archives, _ in seen)) == set()


@pytest.mark.slow
def test_the_network_tells_white_noise(scans, others):
    pytest.importorskip("torch")
    white = others + 30 * np.random.default_rng(0).standard_normal(others.shape)
    assert separability(scans, white, fit_network, 2) > 0.9


def test_a_bridge_without_fault_keeps_the_fitted_mean():
    upstream = resolve("v2", "simulated")
    perfect = perfect_signals(upstream, 3.34, range(200, 202))
    np.testing.assert_allclose(perfect.mean(axis=0)[:, :4], upstream.statistics.mean[4][:, :4], atol=1e-9)
    np.testing.assert_allclose(perfect[..., 4], np.hypot(perfect[..., 0], perfect[..., 1]))


def test_without_torch_it_says_so(monkeypatch):
    monkeypatch.setattr(critics, "find_spec", lambda name: None)
    check = critics.check_two_sample(None, blocking=True)[0]
    assert check.figure is None and not check.blocking and "needs torch" in check.note
    assert "no figure, expected <= 0.65" in check.line()
