"""The variational autoencoder: its loss against torch's own normal, the search, and errors that are what they say."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from hqvqvae.training.fit import TrainingConfig
from hqvqvae.training.vae import HELD_BACK, KL_WEIGHTS, VAE, ClusteredVAE, train_vae

WIDTHS = [4, 8, 2]
QUICK = TrainingConfig(epochs=10, batch_size=64, seed=2)


def blobs(n=120):
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 4))[rng.integers(3, size=n)] + rng.normal(scale=0.1, size=(n, 4))


def test_the_loss_is_error_plus_weighted_divergence_from_the_standard_normal():
    torch.manual_seed(0)
    model, z = VAE(WIDTHS), torch.tensor(blobs(), dtype=torch.float32)
    mean, log_variance = model.encoder(z).chunk(2, -1)
    divergence = kl_divergence(Normal(mean, torch.exp(log_variance / 2)), Normal(0, 1)).mean()
    losses = [model.loss(z, weight, torch.Generator().manual_seed(1)) for weight in (0.0, 0.3)]
    assert (losses[1] - losses[0]).item() == pytest.approx(0.3 * divergence.item(), rel=1e-4)


def test_a_heavy_weight_lets_the_latent_collapse_onto_the_normal():
    z = torch.tensor(blobs(), dtype=torch.float32)
    training = TrainingConfig(epochs=150, batch_size=64, learning_rate=1e-2)
    free, bound = (train_vae(z, WIDTHS, weight, training).means(z).std() for weight in (1e-4, 100.0))
    assert bound < 0.1 < free


def test_the_search_never_sees_another_segment_and_takes_the_lowest_error():
    z = blobs()
    coder = ClusteredVAE(z, WIDTHS, 5, QUICK)
    assert tuple(coder.search) == KL_WEIGHTS and coder.search[coder.kl_weight] == min(coder.search.values())
    order = np.random.default_rng(QUICK.seed).permutation(len(z))
    alone = ClusteredVAE.__new__(ClusteredVAE)
    alone.widths, alone.n_codes, alone.training = WIDTHS, 5, QUICK
    alone._fit(z[np.delete(order, np.s_[::HELD_BACK])], KL_WEIGHTS[1])
    assert coder.search[KL_WEIGHTS[1]] == alone.errors(z[order[::HELD_BACK]]).mean()


def test_errors_are_distances_to_the_decoded_centre_and_torch_keeps_its_state():
    z = blobs()
    before = torch.random.get_rng_state()
    coder = ClusteredVAE(z, WIDTHS, 3, QUICK)
    assert torch.equal(before, torch.random.get_rng_state())
    centres = torch.tensor(coder.kmeans.cluster_centers_, dtype=torch.float32)
    decoded = coder.model.decoder(centres).detach().numpy()[coder.encode(z)]
    np.testing.assert_allclose(coder.errors(z), ((decoded - z) ** 2).mean(1), rtol=1e-6)
