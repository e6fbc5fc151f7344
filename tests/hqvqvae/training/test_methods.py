"""One contract for every method: deterministic codes in range, errors per segment, no peeking, better than chance."""

import numpy as np
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae import load_segments
from hqvqvae.cells.features import FEATURES
from hqvqvae.training.fit import TrainingConfig
from hqvqvae.training.methods import CODEBOOK_SIZE, METHODS, fit_method

QUICK = TrainingConfig(epochs=6, warmup_epochs=3)


@pytest.fixture(scope="module")
def data():
    table = load_segments()
    features = table[list(FEATURES)].to_numpy()
    held_out = (table["cell_id"] == "B0026").to_numpy()
    return features[~held_out][::3], features[held_out]


@pytest.mark.parametrize("method", METHODS)
def test_contract(method, data):
    train, test = data
    coder = fit_method(method, train, seed=1, training=QUICK)
    codes, errors = coder.encode(test), coder.errors(test)
    assert codes.shape == errors.shape == (len(test),)
    assert codes.dtype == np.int64 and codes.min() >= 0 and codes.max() < CODEBOOK_SIZE
    assert np.isfinite(errors).all() and (errors >= 0).all()
    again = fit_method(method, train.copy(), seed=1, training=QUICK)
    np.testing.assert_array_equal(again.encode(test), codes)
    np.testing.assert_array_equal(again.errors(test), errors)
    if method != "random":
        np.testing.assert_array_equal(coder.encode(test[:5]), codes[:5])
    # The mean of the training segments has an error of 1; a dozen steps hardly move a collapsed codebook below it.
    assert coder.errors(train).mean() < 1.01


@pytest.mark.parametrize("method", ["recommended-classical", "ae-kmeans", "vae-kmeans", "pca-kmeans"])
def test_raw_protocol_bounds_the_z_scores(method, data):
    train, test = data
    far = test.copy()
    far[0, 0] *= 1e4
    bounded = fit_method(method, train, seed=0, protocol="P", training=QUICK).errors(far)[0]
    free = fit_method(method, train, seed=0, training=QUICK).errors(far)[0]
    assert bounded < 100 < free


def test_kmeans_error_is_the_distance_to_the_reconstruction(data):
    train, test = data
    coder = fit_method("pca-kmeans", train, seed=0)
    z = (test - train.mean(0)) / train.std(0)
    centres = coder.fitted.pca.inverse_transform(coder.fitted.kmeans.cluster_centers_)
    np.testing.assert_allclose(coder.errors(test), ((z - centres[coder.encode(test)]) ** 2).mean(1))


def test_random_codes_decode_to_the_mean_of_their_segments(data):
    train, _ = data
    expected = 1 - CODEBOOK_SIZE / len(train)
    assert fit_method("random", train, seed=0).errors(train).mean() == pytest.approx(expected, abs=0.02)


def test_bad_methods_and_constant_features_are_named(data):
    train, _ = data
    with pytest.raises(MagBridgeError, match="'umap' is unknown; expected one of paper"):
        fit_method("umap", train, seed=0)
    constant = train.copy()
    constant[:, 3] = 4.2  # whose spread numpy rounds to 9e-16
    for method in ("pca-kmeans", "random", "vae-kmeans", "paper"):
        with pytest.raises(MagBridgeError, match=r"constant over the \d+ training segments: \['v_mean'\]"):
            fit_method(method, constant, seed=0, training=QUICK)


def test_fewer_segments_than_codes_are_one_error(data):
    with pytest.raises(MagBridgeError, match="at least 32 segments, one per code; got 20"):
        fit_method("pca-kmeans", data[0][:20], seed=0)
