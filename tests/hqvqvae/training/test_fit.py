"""Training: same seed same result, a killed run resumes to the same end, what the recipe does, what is refused."""

import numpy as np
import pytest
import torch

from dataset_card.errors import MagBridgeError
from hqvqvae import HQVQVAEConfig, HQVQVAEError
from hqvqvae.training.fit import TrainingConfig, draw_history, fit, quantized_mse
from hqvqvae.training.plotting import save_figure_of
from tests.hqvqvae.small import QUICK, assert_same, nasa_features


@pytest.mark.parametrize("name", ["paper", "recommended", "bounded-classical"])
def test_seed_decides_everything_and_globals_stay(name):
    config, x = HQVQVAEConfig.named(name), nasa_features()
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    first = fit(config, x, QUICK)
    torch.manual_seed(99)
    torch.set_num_threads(1)
    second = fit(config, x, QUICK)
    torch.set_num_threads(threads)
    assert_same(first, second)
    other = fit(config, x, TrainingConfig(epochs=7, seed=4))
    assert other.history[-1]["loss"] != first.history[-1]["loss"]
    torch.set_rng_state(before)
    fit(config, x, TrainingConfig(epochs=1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "changes", [{"learning_rate": float("inf")}, {"learning_rate": float("nan")}, {"seed": -1}, {"seed": 2**32}]
)
def test_a_setting_that_no_training_takes_is_named(changes):
    with pytest.raises(MagBridgeError, match=f"{next(iter(changes))}=.*: expected"):
        TrainingConfig(**changes)


@pytest.mark.parametrize("name", ["paper", "recommended"])
def test_a_training_that_diverges_is_one_error_and_saves_nothing(name, tmp_path):
    config, state = HQVQVAEConfig.named(name), tmp_path / "state.safetensors"
    with pytest.raises(MagBridgeError, match=r"diverged in epoch 1 .*; lower learning_rate=1e\+30"):
        fit(config, nasa_features(), TrainingConfig(epochs=2, learning_rate=1e30), state_file=state)
    assert not state.exists()
    whole = TrainingConfig(epochs=1, learning_rate=1e30, batch_size=10**4)  # the only step's loss is still finite
    with pytest.raises((MagBridgeError, HQVQVAEError), match="diverged.*; lower"):
        fit(config, nasa_features(), whole, state_file=state)
    assert not state.exists()


def test_training_lowers_the_error_and_the_recipe_uses_its_codes():
    x = nasa_features()
    result = fit(HQVQVAEConfig.named("recommended"), x, TrainingConfig(epochs=20, warmup_epochs=5), validation=x[:50])
    errors = [row["train_mse"] for row in result.history]
    assert errors[-1] < 0.5 * errors[5]
    assert result.metrics["codes_used"] >= 28
    validation = [row["validation_mse"] for row in result.history]
    assert result.best_epoch == int(np.argmin(validation))
    held_out = torch.tensor(x[:50], dtype=torch.float32)
    assert quantized_mse(result.best_model, held_out) == pytest.approx(min(validation), rel=1e-5)
    assert quantized_mse(result.model, held_out) == pytest.approx(validation[-1], rel=1e-5)


def test_no_epoch_of_the_warm_up_is_the_best():
    config, x = HQVQVAEConfig.named("recommended-classical"), nasa_features()
    held_out = np.tile(x.mean(0), (3, 1))  # what codes that are not placed yet reproduce best
    result = fit(
        config, x, TrainingConfig(epochs=5, warmup_epochs=2, batch_size=32, learning_rate=3e-3), validation=held_out
    )
    errors = [row["validation_mse"] for row in result.history]
    assert int(np.argmin(errors)) < 2 <= result.best_epoch
    assert errors[result.best_epoch] == min(errors[2:])
    all_of_it = fit(config, x, TrainingConfig(epochs=3), validation=held_out)  # the codes are placed at the end
    assert all_of_it.best_epoch == 2 and len(all_of_it.best_model.encode(x).codes.unique()) > 20


def test_measuring_the_last_epoch_only_gives_the_same_model():
    config, x = HQVQVAEConfig.named("recommended"), nasa_features()
    each, last = (fit(config, x, QUICK, measure_each_epoch=measured) for measured in (True, False))
    for name, tensor in each.model.state_dict().items():
        assert torch.equal(tensor, last.model.state_dict()[name]), name
    assert ["train_mse" in row for row in last.history] == [False] * (QUICK.epochs - 1) + [True]
    assert each.history[-1] == last.history[-1] and last.best_epoch == QUICK.epochs - 1


def test_what_cannot_be_trained_is_named():
    with pytest.raises(MagBridgeError, match="epochs=0"):
        TrainingConfig(epochs=0)
    with pytest.raises(MagBridgeError, match="device 'abacus' cannot be used"):
        fit(HQVQVAEConfig.named("paper"), nasa_features(), QUICK, device="abacus")
    with pytest.raises(HQVQVAEError, match="got 20 for 32"):
        fit(HQVQVAEConfig.named("recommended"), nasa_features()[:20], QUICK)
    broken = nasa_features()
    broken[4, 2] = np.nan
    with pytest.raises(HQVQVAEError, match="v_max of row 4"):
        fit(HQVQVAEConfig.named("paper"), broken, QUICK)


def test_training_curve_is_a_png(tmp_path):
    result = fit(HQVQVAEConfig.named("paper-classical"), nasa_features(), QUICK)
    save_figure_of(tmp_path / "curve.png", draw_history, result.history)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_trains_on_a_gpu():
    x = nasa_features()
    on_gpu = fit(HQVQVAEConfig.named("recommended"), x, QUICK, device="cuda")
    on_cpu = fit(HQVQVAEConfig.named("recommended"), x, QUICK)
    assert on_gpu.model.device.type == "cpu"
    assert on_gpu.metrics["train_mse"] == pytest.approx(on_cpu.metrics["train_mse"], rel=0.2)
