"""The two-sample test finds what differs and nothing where nothing does."""

import numpy as np
import pytest

from benchmark.features import static_features
from bridge.generate import resolve
from bridge.validation import two_sample
from bridge.validation.held_out import held_out_scans
from bridge.validation.two_sample import fit_logistic, fit_network, fit_trees, perfect_signals, separability


@pytest.fixture(scope="module")
def scans():
    return held_out_scans(resolve("v2", "simulated"), 3.10, range(100, 110))


@pytest.fixture(scope="module")
def others():
    return held_out_scans(resolve("v2", "simulated"), 3.10, range(110, 120))


@pytest.mark.parametrize("fit", [fit_logistic, fit_trees])
def test_scans_are_not_told_from_scans_and_a_flat_channel_is(fit, scans, others):
    assert separability(static_features(scans), static_features(others), fit, 5) == pytest.approx(0.5, abs=0.08)
    white = others + 10 * np.random.default_rng(0).standard_normal(others.shape)
    assert separability(static_features(scans), static_features(white), fit, 5) > 0.95


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
    monkeypatch.setattr(two_sample, "find_spec", lambda name: None)
    check = two_sample._network_check(None, 3.10, None, None, blocking=True)
    assert check.figure is None and not check.blocking and "needs torch" in check.note
    assert "no figure, expected <= 0.65" in check.line()
