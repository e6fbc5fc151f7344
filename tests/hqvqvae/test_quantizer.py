"""The quantizer's loss, gradients, moving average, k-means start and restarts against direct computations."""

import os

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from hqvqvae.configuration_hqvqvae import HQVQVAEConfig
from hqvqvae.errors import HQVQVAEError
from hqvqvae.quantizer import SimVQ, VectorQuantizer, over_ranks, perplexity, rotate_to
from tests.hqvqvae.small import features, small_model


def quantizer(codes=6, dim=3, **options):
    module = VectorQuantizer(HQVQVAEConfig(codebook_size=codes, latent_dim=dim, **options))
    vectors = torch.tensor(np.random.default_rng(0).normal(size=(codes, dim)), dtype=torch.float32)
    with torch.no_grad():
        module.set_codes(torch.arange(codes), vectors) if options else module.codebook.copy_(vectors)
    return module


def latents(n=50, dim=3, seed=1):
    return torch.tensor(np.random.default_rng(seed).normal(size=(n, dim)), dtype=torch.float32)


def test_codes_are_the_nearest_vectors_and_round_trip():
    module, z = quantizer(), latents()
    distances = ((z[:, None] - module.codebook[None]) ** 2).sum(-1)
    codes = module.encode(z)
    torch.testing.assert_close(codes, distances.argmin(1))
    torch.testing.assert_close(module.encode(module.decode(torch.arange(6))), torch.arange(6))


def test_loss_and_gradients_are_the_papers():
    module, z = quantizer(), latents().requires_grad_()
    quantized, codes, codebook_loss, commitment_loss = module(z)
    vectors = module.codebook[codes]
    torch.testing.assert_close(quantized, vectors)
    expected = ((z - vectors) ** 2).mean()
    torch.testing.assert_close(codebook_loss, expected)
    torch.testing.assert_close(commitment_loss, expected)
    upstream = torch.randn_like(z)
    (straight,) = torch.autograd.grad((quantized * upstream).sum(), z, retain_graph=True)
    torch.testing.assert_close(straight, upstream)  # straight through
    codebook_only = torch.autograd.grad(codebook_loss, (module.codebook, z), retain_graph=True, allow_unused=True)
    assert codebook_only[0].abs().sum() > 0 and codebook_only[1] is None
    latents_only = torch.autograd.grad(commitment_loss, (z, module.codebook), allow_unused=True)
    torch.testing.assert_close(latents_only[0], 2 * (z - vectors).detach() / z.numel())
    assert latents_only[1] is None


def test_ema_moves_codes_to_the_mean_of_their_latents():
    module, z = quantizer(codebook_update="ema", ema_decay=0.9), latents()
    before, codes = module.codebook.clone(), module.encode(z)
    module.train()
    module(z.requires_grad_())
    z = z.detach()
    for code in range(6):
        mine = z[codes == code]
        count, total = 0.9 + 0.1 * len(mine), 0.9 * before[code] + 0.1 * mine.sum(0)
        torch.testing.assert_close(module.codebook[code], total / count, atol=1e-4, rtol=0)
    assert not list(module.parameters())


def test_ema_leaves_unused_codes_and_evaluation_mode_alone():
    module, z = quantizer(codebook_update="ema"), latents()
    module.codebook[0] = module.ema_sum[0] = 1e3
    module.train()
    for _ in range(300):
        module(z)
    torch.testing.assert_close(module.codebook[0], torch.full((3,), 1e3), rtol=1e-4, atol=0)
    module.eval()
    before = module.codebook.clone()
    module(z)
    assert torch.equal(module.codebook, before)


@pytest.mark.parametrize("update", ["loss", "ema"])
def test_kmeans_places_a_code_on_each_cluster(update):
    centres = 10 * torch.eye(3)
    z = centres.repeat(20, 1) + 0.01 * latents(60)
    module = VectorQuantizer(HQVQVAEConfig(codebook_size=3, latent_dim=3, codebook_update=update))
    module.init_kmeans(z, seed=0)
    found = module.codebook[module.encode(centres)]
    torch.testing.assert_close(found, centres, atol=0.02, rtol=0)
    with pytest.raises(HQVQVAEError, match="got 2 for 3"):
        module.init_kmeans(z[:2], seed=0)


@pytest.mark.parametrize("update", ["loss", "ema"])
def test_restart_moves_only_unused_codes_onto_latents(update):
    module, z = quantizer(codebook_update=update), latents()
    before = module.codebook.detach().clone()
    moved = module.restart_unused(torch.tensor([3, 0, 1, 0, 0, 9]), z, torch.Generator().manual_seed(0))
    assert moved == 3
    used = [0, 2, 5]
    assert torch.equal(module.codebook[used], before[used])
    for code in (1, 3, 4):
        assert (z == module.codebook[code]).all(1).any()


def test_codes_out_of_range_are_named():
    with pytest.raises(HQVQVAEError, match="codes run from 0 to 6; expected 0 to 5"):
        quantizer().decode(torch.tensor([0, 6]))


@given(st.lists(st.integers(0, 7), min_size=1, max_size=60))
def test_perplexity_against_scipy(codes):
    share = np.bincount(codes, minlength=8) / len(codes)
    tensor = torch.tensor(codes)
    assert perplexity(torch.bincount(tensor, minlength=8)).item() == pytest.approx(np.exp(scipy.stats.entropy(share)))


@pytest.mark.parametrize("frozen", ["no_grad", "parameters"])
def test_a_model_that_nothing_trains_keeps_its_codebook(frozen):
    model = small_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if frozen == "parameters":
        model.requires_grad_(False)
    with torch.set_grad_enabled(frozen != "no_grad"):
        model(features())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    model.requires_grad_(True)
    model(features())
    assert not torch.equal(model.quantizer.codebook, before["quantizer.codebook"])


def train_rank(rank, ranks, folder):
    """Three steps on a rank's rows of common batches; the codebook goes to a file."""
    if ranks > 1:
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=ranks)
    model = small_model().train()
    trained = torch.nn.parallel.DistributedDataParallel(model) if ranks > 1 else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model.quantizer.used = torch.zeros(model.config.codebook_size, dtype=torch.int64)
    for batch in features(48).split(16):
        optimizer.zero_grad()
        trained(batch[rank::ranks]).loss.backward()
        optimizer.step()
    used = over_ranks(model.quantizer.used).float()
    torch.save(torch.cat([model.quantizer.codebook.flatten(), used]), f"{folder}/{ranks}-{rank}.pt")
    if ranks > 1:
        torch.distributed.barrier()
        os._exit(0)  # torch's own end of a process group waits now and then for a thread that waits for it


@pytest.mark.gate
def test_two_ranks_end_with_the_codebook_of_one_process(tmp_path):
    train_rank(0, 1, tmp_path)
    torch.multiprocessing.spawn(train_rank, (2, tmp_path), nprocs=2)
    alone, first, second = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("1-0", "2-0", "2-1"))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, alone, rtol=1e-4, atol=1e-5)


def test_rotated_values_and_gradients_are_those_of_vector_quantize_pytorch():
    module = pytest.importorskip("vector_quantize_pytorch.vector_quantize_pytorch")
    draw = torch.Generator().manual_seed(0)
    latents, vectors, weights = (torch.randn(20, 4, generator=draw) for _ in range(3))
    latents.requires_grad_()
    found = [
        torch.autograd.grad((rotate(latents, vectors) * weights).sum(), latents)[0]
        for rotate in (rotate_to, module.rotate_to)
    ]
    torch.testing.assert_close(rotate_to(latents, vectors), vectors, rtol=0, atol=1e-5)
    torch.testing.assert_close(found[0], found[1])
    assert not torch.allclose(found[0], weights)  # straight through it would be a copy


def test_a_quantizer_passes_the_rotated_gradient():
    quantizer = VectorQuantizer(HQVQVAEConfig(codebook_size=3, latent_dim=4, gradient="rotation"))
    torch.nn.init.normal_(quantizer.codebook)
    latents = torch.randn(6, 4, requires_grad=True)
    vectors, codes, _, _ = quantizer(latents)
    torch.testing.assert_close(vectors, quantizer.decode(codes), rtol=0, atol=1e-5)
    (gradient,) = torch.autograd.grad(vectors.sum(), latents)
    assert not torch.allclose(gradient, torch.ones_like(gradient))


def test_codes_and_losses_of_simvq_are_those_of_vector_quantize_pytorch():
    module = pytest.importorskip("vector_quantize_pytorch")
    theirs = module.SimVQ(dim=4, codebook_size=6, rotation_trick=False, input_to_quantize_commit_loss_weight=0.25)
    ours = SimVQ(HQVQVAEConfig(codebook_size=6, latent_dim=4, quantizer="simvq"))
    ours.codebook.copy_(theirs.frozen_codebook)
    with torch.no_grad():
        ours.transform.weight.copy_(theirs.code_transform.weight)
    latents = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    values, codes, loss = theirs(latents[None])
    found = ours(latents)
    assert torch.equal(found[1], codes[0])
    torch.testing.assert_close(found[0], values[0])
    torch.testing.assert_close(found[2] + 0.25 * found[3], loss)


def test_the_codebook_of_simvq_stays_as_drawn_and_the_layer_moves():
    model = small_model("paper", quantizer="simvq").train()
    before = {name: tensor.clone() for name, tensor in model.quantizer.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(features()).loss.backward()
    optimizer.step()
    assert torch.equal(model.quantizer.codebook, before["codebook"])
    assert not torch.equal(model.quantizer.transform.weight, before["transform.weight"])
