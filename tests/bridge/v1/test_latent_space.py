import numpy as np
import pytest

from bridge.v1.latent_space import AngleScaler, LatentSpace, separation
from dataset_card.errors import MagBridgeError


def test_angle_scaler_is_that_of_all_samples(published):
    samples = published.scans.reshape(-1, 6)
    scaler = AngleScaler.from_trajectories(published.statistics.mean, published.statistics.std)
    assert scaler.mean == pytest.approx(samples.mean(0), abs=1e-9) and scaler.std == pytest.approx(
        samples.std(0), abs=1e-9
    )


def test_fit_on_the_published_embeddings_gives_the_published_space(published):
    anchor, latent = published.scan_anchor, published.latent
    fit = LatentSpace.fit(published.embeddings, anchor)
    assert np.array_equal(fit.scaler_mean, latent.scaler_mean) and np.array_equal(fit.scaler_scale, latent.scaler_scale)
    assert np.abs(fit.components) == pytest.approx(np.abs(latent.components), rel=1e-6, abs=1e-6)
    found = separation(fit.project(published.embeddings), anchor)
    assert (round(found["r2"], 5), round(found["scatter"], 3), round(found["adjacent"], 2)) == (0.99985, 1.779, 279.02)


@pytest.mark.parametrize("embeddings, anchor, words", [
    (np.zeros((10, 170)), np.arange(10) % 5, r"expected finite numbers of shape \(10, 171\)"),
    (np.full((10, 171), np.nan), np.arange(10) % 5, "expected finite"),
    (np.zeros((10, 171)), np.arange(10) % 4, "expected at least 5 anchors"),
    (np.zeros((9, 171)), np.arange(9) % 5, "at least two scans"),
])  # fmt: skip
def test_fit_rejects(embeddings, anchor, words):
    with pytest.raises(MagBridgeError, match=words):
        LatentSpace.fit(embeddings, anchor)
