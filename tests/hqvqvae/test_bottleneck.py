"""The bottleneck: twins of equal size, options that do what they say, what is refused."""

import math

import pytest
import torch

from hqvqvae import HQVQVAEConfig, HQVQVAEError, HQVQVAEModel
from hqvqvae.bottleneck import Bottleneck, n_parameters, twin_options
from hqvqvae.circuit import ANSATZES, READOUTS
from hqvqvae.training.fit import build_model
from tests.hqvqvae.small import features, small_model


def bottleneck(**options):
    return build_model(HQVQVAEConfig(**options), seed=0).bottleneck


def sensitive(module):
    """How many parameters the output depends on: a random combination of outputs has a slope in them."""
    generator = torch.Generator().manual_seed(1)
    module = module.double()
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.1)  # couplings are zero at first; a general point is the safer place
    latents, cotangent = torch.randn(2, 40, 8, generator=generator, dtype=torch.float64)
    (module(latents) * cotangent).sum().backward()
    return sum(int((value.grad.abs() > 1e-12).sum()) for value in module.parameters())


@pytest.mark.parametrize("ansatz", ANSATZES)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize(("n_qubits", "n_layers"), [(8, 2), (4, 3), (5, 1)])
def test_twins_have_equal_parameter_counts(ansatz, readout, n_qubits, n_layers):
    options = {"ansatz": ansatz, "readout": readout, "n_qubits": n_qubits, "n_layers": n_layers}
    count = n_parameters(HQVQVAEConfig(**options))
    twin = twin_options(HQVQVAEConfig(**options))
    assert n_parameters(HQVQVAEConfig(**twin)) == count
    assert sensitive(bottleneck(**twin)) == count == sensitive(bottleneck(**options))


def test_a_frozen_circuit_does_not_count_and_is_saved(tmp_path):
    config = HQVQVAEConfig(freeze_circuit=True)
    assert n_parameters(HQVQVAEConfig()) - n_parameters(config) == 2 * 8 * 3 - 8
    model = small_model(freeze_circuit=True)
    model.save_pretrained(tmp_path)
    loaded = HQVQVAEModel.from_pretrained(tmp_path)
    loaded(features()).loss.backward()
    assert loaded.bottleneck.circuit_weights.grad is None and loaded.bottleneck.project_in.weight.grad is not None
    assert torch.equal(loaded.bottleneck.circuit_weights, model.bottleneck.circuit_weights)
    assert loaded.bottleneck.circuit_weights.abs().max() > 0


def test_scale_and_shift_go_before_the_circuit():
    plain, changed = bottleneck(), bottleneck(input_scale=0.5, input_shift=math.pi / 2)
    latents = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    angles = 0.5 * plain.project_in(latents) + math.pi / 2
    torch.testing.assert_close(changed(latents), plain.project_out(plain.circuit(angles, plain.circuit_weights)))


def test_couplings_start_at_zero_and_tie_neighbours():
    coupled, plain = bottleneck(bottleneck="sin", n_couplings=9), bottleneck(bottleneck="sin")
    latents = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(coupled(latents), plain(latents))
    with torch.no_grad():
        coupled.couplings.copy_(torch.arange(9.0))
    x = coupled.project_in(latents)
    expected = x + torch.arange(8.0) * torch.sin(x).roll(-1, 1)
    expected[:, 0] += 8 * torch.sin(x[:, 2])  # the ninth reaches one further
    torch.testing.assert_close(coupled(latents), coupled.project_out(torch.sin(expected)))


@pytest.mark.parametrize("options", [{"readout": "Z+ZZ"}, {"ansatz": "iqp"}, {"bottleneck": "tanh", "n_couplings": 2}])
def test_weights_survive_a_round_trip(tmp_path, options):
    model = small_model(**options)
    model.save_pretrained(tmp_path)
    loaded = HQVQVAEModel.from_pretrained(tmp_path).eval()
    assert torch.equal(loaded.encode(features()).latents, model.encode(features()).latents)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readout": "X"}, "readout='X' is unknown; expected one of Z, Z\\+ZZ"),
        ({"ansatz": "qaoa"}, "ansatz='qaoa' is unknown"),
        ({"n_couplings": 1}, "n_couplings=1: expected a whole number from 0 to 0"),
        ({"bottleneck": "tanh", "n_qubits": 3, "n_couplings": 7}, "from 0 to 6, the pairs of units"),
        ({"input_scale": 0.0}, "input_scale=0.0: expected a positive number"),
        ({"input_shift": math.nan}, "input_shift=nan: expected a number of rad"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(HQVQVAEError, match=message):
        Bottleneck(HQVQVAEConfig(**options))
