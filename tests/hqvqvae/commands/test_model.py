"""The commands, in this process: what they write, what a script reads, one line and exit code 1 for bad input."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hqvqvae import HQVQVAEModel, __main__
from hqvqvae.cells import nasa
from hqvqvae.cells.features import FEATURES
from tests.hqvqvae.small import cell_table

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a command in an empty folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments):
        monkeypatch.setattr(sys, "argv", ["hqvqvae", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_code:
            __main__.main()
            raise SystemExit(0)
        output = capsys.readouterr()
        return exit_code.value.code or 0, output.out, output.err

    return run_command


def test_features_writes_the_embedded_table_or_a_users(run, tmp_path):
    code, out, _ = run("features", "--out", "nasa.parquet", "--curves", "curves.parquet", "--json")
    assert code == 0 and json.loads(out)["valid"] == 1466
    pd.testing.assert_frame_equal(pd.read_parquet("nasa.parquet"), nasa.embedded_table())
    assert len(pd.read_parquet("curves.parquet")) == 1466
    cell_table().to_csv("cell.csv", index=False)
    code, out, _ = run("features", "--table", "cell.csv", "--out", "mine.parquet")
    assert code == 0 and out.startswith("1 cell, 3 discharges, 3 valid")
    assert set(FEATURES) <= set(pd.read_parquet("mine.parquet"))
    code, _, err = run("features", "--table", "cell.csv", "--nasa", "x", "--out", "other.parquet")
    assert code == 1 and "alternatives" in err and not (tmp_path / "other.parquet").exists()
    code, _, err = run("features", "--out", "one.parquet", "--curves", tmp_path / "one.parquet")
    assert code == 1 and "expected two files" in err and not (tmp_path / "one.parquet").exists()


def test_train_on_a_users_cells_then_score(run, tmp_path):
    pd.concat([cell_table(20, cell="a"), cell_table(25, cell="b")]).assign(
        voltage_V=lambda t: t["voltage_V"] - 0.002 * t["cycle"] - 0.001 * (t["cell_id"] == "a"),
        temperature_C=lambda t: t["temperature_C"] + 0.1 * t["cycle"],
        time_s=lambda t: t["time_s"] * (1 - 0.004 * t["cycle"]),
        current_A=lambda t: t["current_A"] * (1 + 0.001 * t["cycle"] ** 0.5),
        capacity_Ah=lambda t: t["capacity_Ah"] - 0.01 * t["cycle"],
    ).to_csv("cells.csv", index=False)
    assert run("features", "--table", "cells.csv", "--out", "cells.parquet")[0] == 0
    train = ("train", "--config", "paper-classical", "--data", "cells.parquet", "--epochs", "3", "--out", "run")
    code, out, err = run(*train, "--validation", "a", "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["metrics"]["segments"] == 25 and "validation_mse" in record["metrics"]
    for name in ("best/model.safetensors", "last/config.json", "metrics.json", "training_curve.png"):
        assert (tmp_path / "run" / name).is_file()
    code, out, err = run("score", "cells.csv", "--model", "run/last")
    scored = pd.read_csv(io.StringIO(out))
    assert code == 0 and err.startswith("Understood: ") and err.count("\n") == 1 and len(scored) == 45
    assert list(scored) == ["cell_id", "cycle", "code", "reconstruction_error"]
    mine = scored.loc[scored["cell_id"] == "b", "reconstruction_error"].mean()
    assert mine == pytest.approx(record["metrics"]["train_mse"], rel=1e-3)
    narrow = ("--features", "t_total, v_mean,capacity", "--n-qubits", "3", "--n-layers", "1", "--out", "narrow")
    code, _, err = run("train", "--data", "cells.parquet", "--epochs", "2", *narrow)
    config = HQVQVAEModel.from_pretrained(tmp_path / "narrow").config  # a run folder is where a model is
    assert (code, err) == (0, "") and config.feature_names == ["t_total", "v_mean", "capacity"]
    assert (config.n_qubits, config.n_layers) == (3, 1)
    narrow = ("--features", "t_total,v_mean,capacity", "--reference", "1:5", "--out", "relative")
    code, out, err = run("train", "--data", "cells.parquet", "--epochs", "2", *narrow, "--json")
    assert (code, err) == (0, "") and json.loads(out)["metrics"]["segments"] == 45 - 2 * 5
    code, out, err = run("score", "cells.csv", "--model", "relative")
    assert code == 0 and pd.read_csv(io.StringIO(out))["cycle"].min() == 6
    code, _, err = run("train", "--data", "cells.parquet", "--features", "t_total,colour", "--out", "none")
    assert code == 1 and "the table has no features ['colour']; it has" in err
    code, _, err = run(*train)
    assert code == 1 and "already contains a run" in err
    code, _, err = run(*train[:-1], "other", "--validation", "zz")
    assert code == 1 and "no cells ['zz'] to hold out; expected some of ['a', 'b']" in err


def test_score_with_packaged_weights(run):
    table = cell_table()
    table.to_csv("cell.csv", index=False)
    code, out, _ = run("score", "cell.csv", "--json")
    assert code == 0 and [row["cycle"] for row in json.loads(out)] == [1, 2, 3]
    short = table[(table["cycle"] != 2) | (table["time_s"] < 250)]
    short.to_csv("short.csv", index=False)
    code, out, err = run("score", "short.csv")
    assert (code, out) == (1, "")
    assert err.splitlines()[1].startswith("error: cell mine cycle 2: 6 loaded samples, fewer than 10 (1 of 3")
    code, out, _ = run("score", "short.csv", "--skip-invalid", "--out", "scored.csv")
    assert code == 0 and list(pd.read_csv("scored.csv")["cycle"]) == [1, 3]
    table.assign(current_A=0.0).to_csv("idle.csv", index=False)
    code, _, err = run("score", "idle.csv")
    assert code == 1 and "no discharge in 180 rows" in err


def test_packaged_model_uses_its_codes_on_the_nasa_set():
    import torch

    model = HQVQVAEModel.from_pretrained("recommended")
    segments = nasa.load_segments()
    features = torch.tensor(segments[model.config.feature_names].to_numpy(), dtype=torch.float32)
    codes = model.encode(features).codes.numpy()
    assert len(np.unique(codes)) >= 31


def test_evaluate_prints_a_table_and_writes_json(run, tmp_path):
    options = ("--method", "random", "--by", "cohort", "--seeds", "1", "--jobs", "1", "--out", "e.json")
    code, out, err = run("evaluate", *options)
    assert (code, err) == (0, "") and "| `random`: random codes |" in out
    record = json.loads((tmp_path / "e.json").read_text())["evaluations"][0]
    assert record["leave_out"] == "cohort" and len(record["groups"]) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("score", "none.csv"), "none.csv does not exist or is not a file"),
        (("train", "--config", "papper"), "did you mean 'paper'"),
        (("train", "--protocol", "X"), "protocol 'X' is unknown"),
        (("train", "--data", "none.parquet"), "does not exist"),
        (("train", "--epochs", "0"), "epochs=0: expected a positive number"),
        (("push", "paper", "--repo", "../x", "--dry-run"), "repository '../x': expected USER/NAME"),
        (("evaluate", "--method", "svm"), "method 'svm' is unknown"),
        (("features", "--nasa", "nowhere"), "nowhere does not exist"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(run, tmp_path, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.gate
def test_export_writes_an_encoder_for_other_runtimes_and_one_line(tmp_path):
    import onnxruntime

    command = [sys.executable, "-m", "hqvqvae", "export", "paper", "--onnx", "encoder.onnx"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)  # what a user sees
    assert (done.returncode, done.stdout, done.stderr) == (0, "encoder of paper -> encoder.onnx\n", "")
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx")
    codes, latents = session.run(None, {"features": np.zeros((3, 10), dtype=np.float32)})
    assert codes.shape == (3,) and latents.shape == (3, 8)
