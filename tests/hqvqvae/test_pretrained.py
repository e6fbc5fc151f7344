"""The weights that ship: they load by name, are what their record says, and their cards quote the evaluation."""

import doctest
import json

import numpy as np
import pytest
import torch

from hqvqvae import HQVQVAEConfig, HQVQVAEModel, load_segments, modeling_hqvqvae
from hqvqvae.modeling_hqvqvae import PACKAGED
from hqvqvae.training.evaluation import table_sha256
from hqvqvae.training.fit import TrainingConfig, fit, quantized_mse

NAMES = ["recommended", "paper"]


@pytest.fixture(scope="module")
def features():
    return torch.tensor(load_segments()[HQVQVAEConfig().feature_names].to_numpy(), dtype=torch.float32)


@pytest.mark.parametrize("name", NAMES)
def test_weights_do_what_their_record_says(name, features):
    model = HQVQVAEModel.from_pretrained(name)
    record = json.loads((PACKAGED / name / "training.json").read_text())
    assert record["config"] == name and record["data_sha256"] == table_sha256(load_segments())
    assert quantized_mse(model, features) == pytest.approx(record["metrics"]["train_mse"], rel=1e-4)
    assert len(model.encode(features).codes.unique()) == record["metrics"]["codes_used"]
    for field, value in HQVQVAEConfig.named(name).to_dict().items():
        if field not in ("architectures", "dtype", "transformers_version", "_name_or_path"):
            assert getattr(model.config, field) == value, field


@pytest.mark.parametrize("name", NAMES)
def test_pennylane_gives_the_same_codes(name, features):
    rows = features[::40]
    native = HQVQVAEModel.from_pretrained(name).encode(rows)
    pennylane = HQVQVAEModel.from_pretrained(name, backend="pennylane").encode(rows)
    assert torch.equal(native.codes, pennylane.codes)
    torch.testing.assert_close(native.latents, pennylane.latents, atol=5e-6, rtol=1e-6)


def test_the_command_makes_these_weights(features):
    """The recommended model, trained again by the recorded settings (to what another processor's rounding leaves)."""
    record = json.loads((PACKAGED / "recommended" / "training.json").read_text())
    settings = TrainingConfig(**record["training"])
    result = fit(HQVQVAEConfig.named("recommended"), features.numpy().astype(float), settings)
    assert result.metrics["train_mse"] == pytest.approx(record["metrics"]["train_mse"], rel=0.1)


def test_the_documented_example_runs():
    result = doctest.testmod(modeling_hqvqvae)
    assert result.attempted > 0 and result.failed == 0


def test_decoded_codes_are_plausible_segments():
    model = HQVQVAEModel.from_pretrained("recommended")
    decoded = model.decode(codes=torch.arange(32)).detach().numpy()
    segments = load_segments()[model.config.feature_names].to_numpy()
    low, high = segments.min(0), segments.max(0)
    margin = 0.25 * (high - low)
    assert (np.median(decoded, axis=0) > low - margin).all() and (np.median(decoded, axis=0) < high + margin).all()


def test_the_precursor_is_pulled_by_transformers_alone(tmp_path):
    from transformers import AutoModel

    model = HQVQVAEModel.from_pretrained("precursor")
    model.save_pretrained(tmp_path)
    pulled = AutoModel.from_pretrained(tmp_path, trust_remote_code=True)
    features = torch.randn(30, 6, generator=torch.Generator().manual_seed(0)).cumsum(0)
    assert torch.equal(pulled.encode(features).codes, model.encode(features).codes)
    assert (pulled.encode(features).codes[:11] == -1).all() and (pulled.encode(features).codes[11:] >= 0).all()


def test_the_precursor_ranks_the_lives_it_was_trained_on_and_its_card_is_that_of_its_record():
    from scipy.stats import spearmanr

    from hqvqvae.cells.matr import load_cycles
    from hqvqvae.discovery.warning_score import WarningScore
    from hqvqvae.hub.model_card import measured, render_card

    folder = PACKAGED / "precursor"
    model, score = HQVQVAEModel.from_pretrained("precursor"), WarningScore.load(folder / "warning_score.json")
    cycles = load_cycles()
    cells, names = np.unique(cycles["cell_id"], return_inverse=True)[::-1]
    codes = model.encode(cycles, torch.tensor(cells)).codes.numpy()
    assert set(codes) == {-1, 0, 1, 2, 3}
    share = [np.mean(codes[(cells == cell) & (codes >= 0)] == score.precursor) for cell in range(len(names))]
    lives = cycles.groupby("cell_id")["life_cycles"].first()
    assert abs(spearmanr(share, lives)[0]) > 0.8
    warned = [score.alarm(codes[(cells == cell) & (codes >= 0)]) is not None for cell in range(len(names))]
    short = (lives < lives.median()).to_numpy()
    assert np.mean(np.array(warned)[short]) > 0.9 and np.mean(np.array(warned)[~short]) < 0.3
    training = json.loads((folder / "training.json").read_text())
    card = render_card(model.config.to_dict(), "precursor", training, measured(PACKAGED, folder))
    assert (folder / "README.md").read_text(encoding="utf-8") == card and "NASA" not in card
