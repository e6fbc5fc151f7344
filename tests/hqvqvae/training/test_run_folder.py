"""A run as a folder: a killed process resumes to the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae import load_segments
from hqvqvae.errors import HQVQVAEError
from hqvqvae.training import run_folder
from hqvqvae.training.fit import TrainingConfig, fit
from hqvqvae.training.run_folder import train_run
from tests.hqvqvae.small import QUICK


@pytest.mark.gate
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
    with pytest.raises(MagBridgeError, match="already contains a run; continue it with --resume"):
        train_run(load_segments(), tmp_path / "killed", thirty, config_name="recommended-classical")
    subprocess.run([*command, "--out", str(tmp_path / "killed"), "--resume"], check=True, capture_output=True)
    train_run(load_segments(), tmp_path / "whole", thirty, config_name="recommended-classical")
    for name in ("metrics.json", "last/model.safetensors", "best/model.safetensors", "last/config.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not [name for name in os.listdir(tmp_path / "killed") if name.endswith(".tmp")]


def test_features_that_cannot_be_trained_on_leave_no_folder(tmp_path):
    with pytest.raises(HQVQVAEError, match="constant over"):
        train_run(load_segments().assign(v_min=2.5), tmp_path / "run", TrainingConfig())
    assert not (tmp_path / "run").exists()


def test_resuming_a_finished_run_keeps_what_was_edited_and_says_so(tmp_path, capfd):
    table, out = load_segments("C")[::5], tmp_path / "run"
    first = train_run(table, out, QUICK, config_name="paper-classical")
    edited = ["best/README.md", "last/config.json", "last/notes.txt", "metrics.json", "training_curve.png"]
    for name in edited:
        (out / name).write_text("mine")
    (out / "best" / "model.safetensors").unlink()
    capfd.readouterr()
    assert train_run(table, out, QUICK, config_name="paper-classical", resume=True) == first
    said = capfd.readouterr().err
    assert [(out / name).read_text() for name in edited] == ["mine"] * len(edited)
    assert not (out / "best" / "model.safetensors").exists()
    for name in ("best", "last", "metrics.json", "training_curve.png"):
        assert f"{out / name} exists and was not changed" in said
    shutil.rmtree(out / "best")
    train_run(table, out, QUICK, config_name="paper-classical", resume=True)
    assert "mine" not in (out / "best" / "README.md").read_text()


def test_a_run_that_another_began_meanwhile_is_left(tmp_path, monkeypatch):
    def after_another(*arguments, state_file, **options):
        state_file.parent.mkdir()
        state_file.write_text("another's")
        return fit(*arguments, state_file=state_file, **options)

    monkeypatch.setattr(run_folder, "fit", after_another)
    with pytest.raises(MagBridgeError, match="state.safetensors was created meanwhile"):
        train_run(load_segments(), tmp_path / "run", QUICK, config_name="paper-classical")
    assert (tmp_path / "run" / "state.safetensors").read_text() == "another's"
