"""Diagrams follow the configuration: every trained number is counted, every gate is there."""

import pytest

from hqvqvae import HQVQVAEConfig, HQVQVAEModel
from hqvqvae.discovery.analysis import DiscoveryPlan
from hqvqvae.discovery.reproduction.diagrams import (
    draw_circuit,
    draw_method,
    draw_model,
    draw_notice,
    draw_protocol,
    draw_split,
    layers,
)


@pytest.mark.parametrize(
    "config",
    [
        HQVQVAEConfig.named("paper"),
        HQVQVAEConfig.named("recommended", n_qubits=5, hidden_sizes=[7]),
        HQVQVAEConfig.named("recommended-classical"),
        HQVQVAEConfig.named("bounded-classical", n_couplings=3),
    ],
)
def test_the_layers_hold_every_trained_number_of_the_model(config):
    model = HQVQVAEModel(config)
    trained = sum(weights.numel() for weights in model.parameters())
    moved = 0 if config.codebook_update == "loss" else model.quantizer.codebook.numel()
    rows = layers(config)
    assert sum(row[2] for row in rows) == trained + moved
    assert rows[0][1] == rows[-1][1] == len(config.feature_names)
    assert [row[0] for row in rows].count("circuit") == (config.bottleneck == "quantum")


def words(figure):
    axis = figure.axes[0]
    return "\n".join([axis.get_title(), *(text.get_text() for text in axis.texts)])


def test_diagrams_say_what_the_configuration_says():
    config = HQVQVAEConfig.named("paper", n_qubits=3, codebook_size=9)
    method = words(draw_method(config, DiscoveryPlan(early_fraction=0.2)))
    assert "3 qubits, 2 layers" in method and "9 codes" in method and "first 20%" in method
    assert "no bottleneck" in words(draw_method(HQVQVAEConfig.named("paper-classical"), DiscoveryPlan()))
    assert "the latent is added" in words(draw_model(HQVQVAEConfig.named("recommended")))
    circuit = words(draw_circuit(config))
    assert circuit.count("RY") == 3 and circuit.count("Rot") == 6 and circuit.count("<Z>") == 3
    assert words(draw_notice("none is eligible")).strip() == "none is eligible"


def test_each_cell_is_held_out_once_and_nothing_of_it_is_learned_from():
    figure = draw_split({"B0005": "a", "B0006": "a", "B0025": "b"})
    image = figure.axes[0].images[0].get_array()
    assert (image.sum(axis=0) == 1).all() and (image.sum(axis=1) == 1).all()
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["B0005", "B0006", "B0025"]
    assert "unseen cell" in words(draw_protocol())
