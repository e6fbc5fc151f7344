"""Yardsticks: what a terminal tells, and one law's readout of the other; nothing of a battery in its own fit."""

import dataclasses
import json

import numpy as np
import pytest

from benchmark import load_task
from benchmark.baselines import get_model
from benchmark.results import write_result
from benchmark.running import run_baselines
from benchmark.running.yardsticks import NULLS, READERS, law_transfer, nulls
from benchmark.tasks import TASKS, get_task
from dataset_card.errors import MagBridgeError


@pytest.fixture(autouse=True)
def plain_readers(monkeypatch):
    """The made-up release is no bridge's: a ridge and a logistic regression stand in for its best readouts."""
    models = {"t1": "ridge", **dict.fromkeys(("t2", "t3", "t4"), "logistic-regression")}
    monkeypatch.setitem(READERS, "v1", models)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_voltages_that_say_nothing_score_at_chance_and_beside_magnetics_add_nothing(release, task, monkeypatch):
    """Every row of the made-up release has the same pulses, and one of two voltages: Regime-B's."""
    monkeypatch.setattr("benchmark.running.yardsticks.TREES", 20)
    found = {result.model: result for result in nulls(task, load_task(task, release), release, "v1")}
    assert list(found) == list(NULLS) and {result.protocol for result in found.values()} == {"null"}
    chance = 2 / 3 if task.id == "t3" else task.chance
    for name in ("voltage-soc", "pulses"):
        assert found[name].mean() < chance + 0.12 and found[name].n_features == (2 if name == "voltage-soc" else 21)
    assert found["pulses-and-magnetics"].mean() > found["pulses"].mean() + 0.1


def test_nulls_are_run_filed_and_run_again(release, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.running.yardsticks.TREES", 5)
    first = run_baselines(release, task="t1", protocol="null", out=tmp_path)
    again = run_baselines(release, like=tmp_path)
    assert [r.key for r in first] == [r.key for r in again] and [r.runs for r in first] == [r.runs for r in again]
    (path,) = tmp_path.glob("*.jsonl")
    assert {json.loads(line)["protocol"] for line in path.read_text().splitlines()} == {"null"}
    assert write_result(first[0], tmp_path) == path and get_task("t1").is_pooled
    assert all(np.isfinite(r.by_visit()).all() for r in first)


@pytest.fixture
def two_laws(release):
    """T1's rows, every second battery's signals with the sign of the other law: more noise where SOH is higher."""
    data = load_task("t1", release)

    def mixed(rows):
        other = np.char.mod("%d", rows.battery_ids.astype(int) % 2) == "1"
        mirrored = rows.signals.mean(axis=1, keepdims=True)
        noise = rows.signals - mirrored
        flipped = mirrored + noise * (0.03 / (1 - rows.target) ** 2)[:, None, None]
        laws = np.where(other, "inventory", "material")
        return dataclasses.replace(rows, signals=np.where(other[:, None, None], flipped, rows.signals), laws=laws)

    return dataclasses.replace(
        data, train=mixed(data.train), validation=mixed(data.validation), test=mixed(data.test), load_clean=None
    )


def test_a_readout_that_inverts_one_law_fails_on_the_other(two_laws):
    result = law_transfer(get_model("ridge"), two_laws)
    assert (result.protocol, [run.fold for run in result.runs], result.battery_ids) == ("law_transfer", [0, 1], ())
    assert result.values().min() < 0
    assert [run.n_train for run in result.runs] == [
        (two_laws.train.laws == law).sum() for law in ("inventory", "material")
    ]


def test_rows_of_one_law_are_refused(release):
    with pytest.raises(MagBridgeError, match="expected two"):
        run_baselines(release, model="ridge", protocol="law_transfer")
