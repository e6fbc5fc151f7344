"""SimVQ against a well-kept implementation: codes and losses; the drawn codebook stays as it is."""

import pytest
import torch

from hqvqvae.simvq import SimVQ
from tests.hqvqvae.small import features, small_model


def test_codes_and_losses_are_those_of_vector_quantize_pytorch():
    module = pytest.importorskip("vector_quantize_pytorch")
    theirs = module.SimVQ(dim=4, codebook_size=6, rotation_trick=False, input_to_quantize_commit_loss_weight=0.25)
    ours = SimVQ(6, 4)
    ours.codebook.copy_(theirs.frozen_codebook)
    with torch.no_grad():
        ours.transform.weight.copy_(theirs.code_transform.weight)
    latents = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    values, codes, loss = theirs(latents[None])
    found = ours(latents)
    assert torch.equal(found[1], codes[0])
    torch.testing.assert_close(found[0], values[0])
    torch.testing.assert_close(found[2] + 0.25 * found[3], loss)


def test_the_codebook_stays_as_drawn_and_the_layer_moves():
    model = small_model("paper", quantizer="simvq").train()
    before = {name: tensor.clone() for name, tensor in model.quantizer.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(features()).loss.backward()
    optimizer.step()
    assert torch.equal(model.quantizer.codebook, before["codebook"])
    assert not torch.equal(model.quantizer.transform.weight, before["transform.weight"])
