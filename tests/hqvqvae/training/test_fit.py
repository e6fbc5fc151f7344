"""Training: same seed same result, a killed run resumes to the same end, what the recipe does, what is refused."""

import os
import signal
import subprocess
import sys
import time
from unittest import mock

import numpy as np
import pytest
import torch

import hqvqvae.training.fit as training
from hqvqvae import HQVQVAEConfig, HQVQVAEError, load_segments
from hqvqvae.cells.features import FEATURES
from hqvqvae.training.checkpoint import save_state
from hqvqvae.training.fit import TrainingConfig, fit, plot_history, quantized_mse
from hqvqvae.training.run_folder import train_run

QUICK = TrainingConfig(epochs=7, warmup_epochs=2, restart_before_epoch=5, seed=3)


def segments(cells=("B0005", "B0025", "B0045", "B0053")):
    table = load_segments()
    return table[table["cell_id"].isin(cells)][list(FEATURES)].to_numpy(copy=True)


def assert_same(first, second):
    assert first.history == second.history and first.metrics == second.metrics
    for one, other in ((first.model, second.model), (first.best_model, second.best_model)):
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name


@pytest.mark.parametrize("name", ["paper", "recommended", "bounded-classical"])
def test_seed_decides_everything_and_globals_stay(name):
    config, x = HQVQVAEConfig.named(name), segments()
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


def test_training_lowers_the_error_and_the_recipe_uses_its_codes():
    x = segments()
    result = fit(HQVQVAEConfig.named("recommended"), x, TrainingConfig(epochs=20, warmup_epochs=5), validation=x[:50])
    errors = [row["train_mse"] for row in result.history]
    assert errors[-1] < 0.5 * errors[5]
    assert result.metrics["codes_used"] >= 28
    validation = [row["validation_mse"] for row in result.history]
    assert result.best_epoch == int(np.argmin(validation))
    held_out = torch.tensor(x[:50], dtype=torch.float32)
    assert quantized_mse(result.best_model, held_out) == pytest.approx(min(validation), rel=1e-5)
    assert quantized_mse(result.model, held_out) == pytest.approx(validation[-1], rel=1e-5)


def test_resume_equals_an_unbroken_run_from_every_epoch(tmp_path):
    config, x = HQVQVAEConfig.named("recommended"), segments()
    whole = fit(config, x, QUICK, validation=x[::7])
    state = tmp_path / "state.safetensors"

    class Killed(Exception):
        pass

    for last in (1, 2, 5):  # in the warm-up, just after it, after the last restart
        state.unlink(missing_ok=True)

        def save_then_die(path, run_state, *rest, last=last, save=save_state):
            save(path, run_state, *rest)
            if run_state.epoch == last:
                raise Killed

        with mock.patch.object(training, "save_state", save_then_die), pytest.raises(Killed):
            fit(config, x, QUICK, validation=x[::7], state_file=state)
        assert_same(whole, fit(config, x, QUICK, validation=x[::7], state_file=state, resume=True))


def test_a_killed_process_resumes_to_the_same_end(tmp_path):
    thirty = TrainingConfig(epochs=30)
    command = [sys.executable, "-m", "hqvqvae", "train", "--config", "recommended-classical", "--epochs", "30"]
    run = subprocess.Popen([*command, "--out", str(tmp_path / "killed")], stderr=subprocess.DEVNULL)
    state = tmp_path / "killed" / "state.safetensors"
    while not state.exists() and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "metrics.json").exists()
    with pytest.raises(HQVQVAEError, match="holds a run already; go on with --resume"):
        train_run(load_segments(), tmp_path / "killed", thirty, config_name="recommended-classical")
    subprocess.run([*command, "--out", str(tmp_path / "killed"), "--resume"], check=True, capture_output=True)
    train_run(load_segments(), tmp_path / "whole", thirty, config_name="recommended-classical")
    for name in ("metrics.json", "last/model.safetensors", "best/model.safetensors", "last/config.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not [name for name in os.listdir(tmp_path / "killed") if name.endswith(".tmp")]


def test_a_state_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    config, x, state = HQVQVAEConfig.named("paper-classical"), segments(), tmp_path / "state.safetensors"
    fit(config, x, QUICK, state_file=state)
    others = (
        (HQVQVAEConfig.named("paper-classical", codebook_size=16), x, QUICK),
        (config, x[:-1], QUICK),
        (config, x, TrainingConfig(epochs=8, seed=3)),
    )
    for other in others:
        with pytest.raises(HQVQVAEError, match="another configuration, training or data"):
            fit(*other, state_file=state, resume=True)
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(HQVQVAEError, match="not a training state"):
        fit(config, x, QUICK, state_file=state, resume=True)


def test_what_cannot_be_trained_is_named():
    with pytest.raises(HQVQVAEError, match="epochs=0"):
        TrainingConfig(epochs=0)
    with pytest.raises(HQVQVAEError, match="device 'abacus' cannot be used"):
        fit(HQVQVAEConfig.named("paper"), segments(), QUICK, device="abacus")
    with pytest.raises(HQVQVAEError, match="got 20 for 32"):
        fit(HQVQVAEConfig.named("recommended"), segments()[:20], QUICK)
    broken = segments()
    broken[4, 2] = np.nan
    with pytest.raises(HQVQVAEError, match="v_max of row 4"):
        fit(HQVQVAEConfig.named("paper"), broken, QUICK)


def test_training_curve_is_a_png(tmp_path):
    result = fit(HQVQVAEConfig.named("paper-classical"), segments(), QUICK)
    plot_history(result.history, tmp_path / "curve")
    assert (tmp_path / "curve").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_trains_on_a_gpu():
    x = segments()
    on_gpu = fit(HQVQVAEConfig.named("recommended"), x, QUICK, device="cuda")
    on_cpu = fit(HQVQVAEConfig.named("recommended"), x, QUICK)
    assert on_gpu.model.device.type == "cpu"
    assert on_gpu.metrics["train_mse"] == pytest.approx(on_cpu.metrics["train_mse"], rel=0.2)
