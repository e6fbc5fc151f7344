"""The rotation trick against a well-kept implementation: the vectors' values, the rotated gradient."""

import pytest
import torch

from hqvqvae.quantizer import VectorQuantizer
from hqvqvae.rotation import rotate_to


def test_values_and_gradients_are_those_of_vector_quantize_pytorch():
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
    quantizer = VectorQuantizer(3, 4, gradient="rotation")
    torch.nn.init.normal_(quantizer.codebook)
    latents = torch.randn(6, 4, requires_grad=True)
    vectors, codes, _, _ = quantizer(latents)
    torch.testing.assert_close(vectors, quantizer.decode(codes), rtol=0, atol=1e-5)
    (gradient,) = torch.autograd.grad(vectors.sum(), latents)
    assert not torch.allclose(gradient, torch.ones_like(gradient))
