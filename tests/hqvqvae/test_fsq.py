"""Finite scalar quantization against a well-kept implementation; codes and vectors go round."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hqvqvae.configuration_hqvqvae import HQVQVAEConfig
from hqvqvae.errors import HQVQVAEError
from hqvqvae.fsq import FiniteScalarQuantizer, levels_of
from tests.hqvqvae.small import small_model


@pytest.mark.parametrize("size", [3, 4, 6, 8, 32, 35])
def test_levels_values_and_codes_are_those_of_vector_quantize_pytorch(size):
    theirs = pytest.importorskip("vector_quantize_pytorch").FSQ(levels_of(size))
    ours = FiniteScalarQuantizer(HQVQVAEConfig(codebook_size=size, latent_dim=4, quantizer="fsq"))
    numbers = 3 * torch.randn(300, len(ours.counts), generator=torch.Generator().manual_seed(0))
    values, codes = (part[0] for part in theirs(numbers[None]))
    whole = ours.rounded(numbers)
    torch.testing.assert_close(whole / (torch.tensor(ours.counts) // 2), values)
    assert torch.equal(ours._code(whole), codes.long())
    torch.testing.assert_close(ours.decode(codes.long()), ours.project_out(values))


@given(st.integers(1, 200))
def test_the_levels_multiply_to_the_size(size):
    assert math.prod(levels_of(size)) == size


def test_the_gradient_passes_and_codes_out_of_range_are_refused():
    quantizer = FiniteScalarQuantizer(HQVQVAEConfig(codebook_size=8, latent_dim=3, quantizer="fsq")).train()
    latents = torch.randn(5, 3, requires_grad=True)
    vectors, codes, _, _ = quantizer(latents)
    vectors.sum().backward()
    assert latents.grad.abs().sum() > 0
    torch.testing.assert_close(quantizer.decode(codes), vectors)
    with pytest.raises(HQVQVAEError, match="expected 0 to 7"):
        quantizer.decode(torch.tensor([8]))


def test_a_model_is_saved_and_loaded_with_it(tmp_path):
    from hqvqvae import HQVQVAEConfig, HQVQVAEModel
    from tests.hqvqvae.small import features

    model = small_model("paper", quantizer="fsq", codebook_size=6)
    model.save_pretrained(tmp_path)
    again = HQVQVAEModel.from_pretrained(tmp_path)
    assert torch.equal(again.encode(features()).codes, model.encode(features()).codes)
    with pytest.raises(HQVQVAEError, match="has no codebook to initialise"):
        HQVQVAEConfig.named("recommended", quantizer="fsq")
