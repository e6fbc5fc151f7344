"""What is installed from the wheel: every packaged model and metric, without a clone; the README's examples beside."""

import importlib.metadata
import subprocess

import pytest

CODE = """
import benchmark, evaluate
from benchmark.baselines import get_model, models
from benchmark.leaderboard.submissions import read_submissions
from benchmark.results import shipped_files
from bridge.models import reservoir_ridge
from dataset_card.contract.editions import DATASETS
from dataset_card.storage.samples import sample
from hqvqvae import HQVQVAEModel, load_segments

print(benchmark.__file__)
print(len(models()) > 20, reservoir_ridge().name, len(read_submissions()) > 0, len(list(shipped_files())) > 4)
print(evaluate.load(benchmark.METRIC, "t2").compute(predictions=["reuse"], references=["reuse"])["balanced_accuracy"])
print([HQVQVAEModel.from_pretrained(name).config.model_type for name in ("recommended", "paper")], len(load_segments()))
print([sample(name).num_rows for name in DATASETS])
"""


@pytest.fixture
def run(wheel, tmp_path):
    (tmp_path / "benchmark.py").write_text("raise SystemExit('a file of the user was run')\n")

    def run(*command, **variables):
        environment = wheel.environment | variables
        done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


def test_every_packaged_model_and_metric_is_there(run, wheel):
    pytest.importorskip("torch")
    lines = run(wheel.python, "-P", "-c", CODE).splitlines()
    assert lines[0].startswith(str(wheel.python.parents[1]))
    assert lines[1:] == ["True reservoir-ridge True True", "1.0", "['hqvqvae', 'hqvqvae'] 1466", "[200, 200, 200]"]


def test_the_command_is_installed(run):
    assert run("magbridge", "--version") == f"magbridge-battery {importlib.metadata.version('magbridge-battery')}\n"
    assert "complete" in run("magbridge", _MAGBRIDGE_COMPLETE="source_bash")


def test_the_board_that_ships_is_shown(run):
    assert "noise-level" in run("magbridge", "benchmark", "leaderboard", "--task", "t1")


def test_the_metadata_names_the_project(wheel):
    (info,) = importlib.metadata.distributions(name="magbridge-battery", path=[str(wheel.site)])
    metadata = info.metadata
    assert metadata["Author"] == "MagBridge-Battery contributors" and "magnetometer" in metadata["Keywords"]
    assert {url.split(",")[0] for url in metadata.get_all("Project-URL")} >= {"Source", "Issues", "Changelog"}
    assert {"plot", "model"} <= set(metadata.get_all("Provides-Extra"))
