"""Intervals and the confirmation on planted records; the packaged study is what its records say."""

import dataclasses
import json

import numpy as np
import pytest

from hqvqvae import load_segments
from hqvqvae.hub.model_card import STUDY
from hqvqvae.modeling_hqvqvae import PACKAGED
from hqvqvae.training import study
from hqvqvae.training.study import (
    ARMS,
    FIRST_FRESH_SEED,
    LEARNING_RATES,
    MORE_LEARNING_RATES,
    Record,
    Study,
    Task,
    read_records,
)
from hqvqvae.training.study_summary import paired_difference, plot_study, run_study


class Planted(Study):
    """A study whose fits are drawn: the error of an arm on a task is what `error` says."""

    def __init__(self, out, error, **options):
        super().__init__(load_segments(), out, **options)
        self.error, self.asked = error, []

    def records(self, tasks):
        tasks = list(tasks)
        self.asked += tasks
        cells = self.segments.groupby("cell_id")["cohort"].first()
        made = []
        for task in tasks:
            scored = [cell for cell, cohort in cells.items() if task.held_out in (cell, cohort)]
            errors = {cell: (self.error(task), int((self.segments["cell_id"] == cell).sum())) for cell in scored}
            made.append(Record(task, "", errors, 0.1, 32, 1.0))
        return made


def noise(task):
    return np.random.default_rng(list(f"{task.by}{task.held_out}{task.seed}".encode())).normal(0, 0.01)


def test_a_constant_difference_has_a_narrow_interval_and_noise_a_wide_one(tmp_path):
    def folds(error):
        planted = Planted(tmp_path, error, arms=("rot-zz",))
        return [r for r in planted.measure({"rot-zz": LEARNING_RATES}, planted.seeds) if r.task.by == "cell"]

    base = folds(lambda task: 0.5 + 10 * noise(task))
    shifted = [dataclasses.replace(r, errors={c: (mse + 0.1, n) for c, (mse, n) in r.errors.items()}) for r in base]
    constant = paired_difference(shifted, base)
    assert constant.mean == pytest.approx(0.1) and constant.low == pytest.approx(0.1)
    unpaired = paired_difference(base, folds(lambda task: 0.5 - 10 * noise(task)))
    assert unpaired.low < unpaired.mean < unpaired.high and unpaired.high - unpaired.low > 0.02
    sizes = load_segments().groupby("cell_id").size()
    weights = [sizes[r.task.held_out] for r in base]
    assert unpaired.mean == pytest.approx(np.average([20 * noise(r.task) for r in base], weights=weights))


@pytest.mark.parametrize("survives", [True, False])
def test_a_circuit_ahead_is_measured_again_before_it_counts(tmp_path, survives):
    def error(task):
        ahead = task.arm == "rot-zz" and (survives or task.seed < FIRST_FRESH_SEED)
        return 0.4 - 0.1 * ahead + noise(task) * (1 if task.arm == "rot-zz" else -1)

    planted = Planted(tmp_path, error, arms=("rot-zz", "product", "none"))
    summary = run_study(planted)
    assert summary["pairs"]["rot-zz"]["cell"]["high"] < 0 and set(summary["pairs"]) == {"rot-zz", "product"}
    again = [task for task in planted.asked if task.seed in planted.fresh_seeds]
    assert {task.arm for task in again} == {"rot-zz", ARMS["rot-zz"].twin}
    searched = {task.learning_rate for task in planted.asked if task.by == "search" and task.arm == ARMS["rot-zz"].twin}
    assert searched == set(MORE_LEARNING_RATES)
    assert summary["verdict"].startswith("`rot-zz` (1 of 2 circuits) beat" if survives else "None of 2 circuits beats")
    assert ("ahead on the first seeds" in summary["verdict"]) is not survives


def test_the_rate_is_chosen_without_the_held_out_cohort(tmp_path):
    def error(task):
        return 0.3 if task.learning_rate == (1e-3 if task.held_out == "25-28" else 3e-3) else 0.4

    planted = Planted(tmp_path, error, arms=("none",))
    for record in planted.measure({"none": LEARNING_RATES}, planted.seeds):
        in_cohort = record.task.held_out in ("25-28", "B0025", "B0026", "B0027", "B0028")
        assert record.task.learning_rate == (1e-3 if in_cohort else 3e-3)


def test_the_packaged_study_is_what_its_records_say(tmp_path, monkeypatch):
    folder = (PACKAGED / STUDY).parent
    (tmp_path / "records.jsonl").write_bytes((folder / "records.jsonl").read_bytes())
    monkeypatch.setattr(study, "run_task", lambda task, **inputs: pytest.fail(f"{task} is made again"))
    published = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary = run_study(Study(load_segments(), tmp_path, seeds=len(published["seeds"])))
    assert summary == published
    plot_study(summary, tmp_path / "study.png")
    assert (tmp_path / "study.png").read_bytes().startswith(b"\x89PNG")


def test_the_packaged_records_are_what_this_code_measures():
    records = read_records((PACKAGED / STUDY).parent / "records.jsonl")
    kept = next(r for r in records if r.task == Task("none", "cell", "B0028", 1, r.task.learning_rate))
    again = study.run_task(kept.task, load_segments())
    assert again.key == kept.key
    # Another processor rounds otherwise, and training amplifies that.
    assert again.mse == pytest.approx(kept.mse, rel=0.25)
