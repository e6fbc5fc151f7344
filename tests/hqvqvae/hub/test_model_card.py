"""The cards of the packaged models are rendered from configuration, record and evaluation."""

import json

import pytest
import yaml
from huggingface_hub import ModelCard

from hqvqvae import HQVQVAEConfig, HQVQVAEModel
from hqvqvae.cells.nasa import URL
from hqvqvae.hub.model_card import measured, render_card
from hqvqvae.hub.sentences import WORDS, power_sentences
from hqvqvae.modeling_hqvqvae import PACKAGED
from hqvqvae.training.methods import METHODS


@pytest.mark.parametrize("name", ["recommended", "paper"])
def test_cards_are_rendered_from_the_measured_evaluation(name):
    folder = PACKAGED / name
    card = (folder / "README.md").read_text(encoding="utf-8")
    config = HQVQVAEModel.from_pretrained(name).config.to_dict()
    training = json.loads((folder / "training.json").read_text())
    records = measured(PACKAGED)
    assert card == render_card(config, name, training, records)
    assert records["study"]["verdict"] in card and records["discovery"]["verdict"][0] in card
    assert power_sentences(records["power"], records["discovery"]) in card
    assert f"With `--reference 1:5`, which subtracts each cell's beginning: {records['relative']['verdict'][0]}" in card
    outcome = "A precursor was" if records["discovery"]["precursor_found"] else "No precursor was"
    assert f"{outcome} found in these cells. The smallest effect that 20 cells could have shown" in card
    header = yaml.safe_load(card.split("---")[1])
    assert header["license"] == "apache-2.0" and header["library_name"] == "transformers"
    assert "model-index" not in header and "datasets" not in header, "the cells are not a dataset on the Hub"
    assert (
        f"[NASA PCoE battery set]({URL})" in card and "*HQ-VQVAE for Unsupervised Battery Precursor Discovery*" in card
    )
    assert yaml.safe_load(ModelCard(card).data.to_yaml()) == header, "the Hub's reader keeps every field"
    figures = {record["leave_out"]: record for record in records["evaluations"]}["cell"]["methods"]
    for method in METHODS:
        assert f"`{method}`: {WORDS['methods'][method]} | {figures[method]['train_mse']:.3f}" in card
    assert f"collapses: it uses {figures['paper']['codes_used']:.1f} of 32 codes" in card
    for heading in (
        "## Data and paper",
        "## Intended use and limits",
        "## Measured",
        "## Does the circuit help?",
        "## Precursors",
        "## Reproduce",
    ):
        assert heading in card


@pytest.mark.parametrize(
    ("bottleneck", "words"), [("quantum", "8 qubits"), ("tanh", "(tanh)"), ("sin", "(sin)"), ("none", "no circuit")]
)
def test_every_bottleneck_has_a_card(bottleneck, words):
    assert words in render_card(HQVQVAEConfig(bottleneck=bottleneck).to_dict(), None)
