"""Configurations: the paper's by name, values out of range named, names guessed."""

import pytest

from hqvqvae import HQVQVAEConfig, HQVQVAEError
from hqvqvae.cells.features import FEATURES


def test_paper_configuration_is_the_papers():
    config = HQVQVAEConfig.named("paper")
    assert (config.latent_dim, config.codebook_size, config.commitment_cost) == (8, 32, 0.25)
    assert (config.n_qubits, config.n_layers, config.bottleneck) == (8, 2, "quantum")
    assert tuple(config.feature_names) == FEATURES
    assert not config.residual and not config.restart_unused_codes
    assert (config.codebook_init, config.codebook_update) == ("uniform", "loss")
    assert HQVQVAEConfig.named("paper-classical").bottleneck == "none"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codebook_size": 0}, "codebook_size=0: expected a whole number of at least 1"),
        ({"n_qubits": 13}, "n_qubits=13 is more than the 12 supported"),
        ({"n_layers": 0}, "n_layers=0"),
        ({"latent_dim": 2.5}, "latent_dim=2.5"),
        ({"ansatz": "magic"}, "ansatz='magic' is unknown; expected one of strongly_entangling"),
        ({"backend": "qiskit"}, "backend='qiskit' is unknown; expected one of torch, pennylane"),
        ({"feature_names": []}, "feature_names"),
        ({"feature_names": ["a", "a"]}, "feature_names"),
        ({"hidden_sizes": [0]}, "hidden_sizes"),
        ({"ema_decay": 1.0}, "ema_decay=1.0"),
        ({"z_clip": -1.0}, "z_clip=-1.0"),
        ({"commitment_cost": -0.1}, "commitment_cost=-0.1"),
        ({"residual": "false"}, "residual='false': expected true or false"),
        ({"restart_unused_codes": None}, "restart_unused_codes=None: expected true or false"),
        ({"z_clip": "10"}, "z_clip='10': expected a positive number"),
        ({"ema_decay": None}, "ema_decay=None: expected a number"),
        ({"hidden_sizes": 64}, "hidden_sizes=64: expected whole numbers"),
        ({"reference_window": 5}, "reference_window=5: expected first and last"),
        ({"feature_names": "abc"}, "feature_names='abc': expected a list"),
        ({"feature_names": [0, 1]}, r"feature_names=\[0, 1\]: expected a list"),
    ],
)
def test_bad_configurations_are_named(change, message):
    with pytest.raises(HQVQVAEError, match=message):
        HQVQVAEConfig(**change)


def test_unknown_keys_are_refused_with_a_guess(tmp_path):
    with pytest.raises(HQVQVAEError, match="the configuration has no n_qubit; did you mean n_qubits?"):
        HQVQVAEConfig(n_qubit=4)
    with pytest.raises(HQVQVAEError, match="has no colour; expected one of feature_names"):
        HQVQVAEConfig.named("recommended", colour="red")
    HQVQVAEConfig().save_pretrained(tmp_path)
    assert HQVQVAEConfig.from_pretrained(tmp_path).feature_names == list(FEATURES)
    with pytest.raises(HQVQVAEError, match="n_qubits=99 is more than"):  # a change on loading is checked as well
        HQVQVAEConfig.from_pretrained(tmp_path, n_qubits=99)


def test_unknown_names_are_answered_with_a_guess():
    with pytest.raises(HQVQVAEError, match="did you mean 'recommended'"):
        HQVQVAEConfig.named("recomended")


@pytest.mark.parametrize(
    "name", ["input_scale", "input_shift", "z_clip", "circuit_init_std", "pennylane_shots", "commitment_cost"]
)
def test_a_number_that_no_tensor_takes_is_refused(name):
    with pytest.raises(HQVQVAEError, match=name):
        HQVQVAEConfig(**{name: 10**40})


@pytest.mark.parametrize("changes", [{"hidden_sizes": [10**9]}, {"codebook_size": True}, {"hidden_sizes": [8] * 99}])
def test_a_model_too_large_to_be_one_is_refused(changes):
    with pytest.raises(HQVQVAEError, match="at most"):
        HQVQVAEConfig(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_labels": 10**9},
        {"num_labels": -1},
        {"num_labels": "many"},
        {"hidden_sizes": [4096] * 8},
        {"pennylane_shots": 10**9},
        {"pennylane_shots": 1.5},
    ],
)
def test_a_configuration_that_asks_for_gigabytes_is_refused_before_it_gets_them(changes):
    with pytest.raises(HQVQVAEError, match="expected"):
        HQVQVAEConfig(**changes)
    with pytest.raises(HQVQVAEError, match="expected"):
        HQVQVAEConfig.from_dict({**HQVQVAEConfig().to_dict(), **changes})
