"""The study: twins, folds that see nothing of what they are scored on, resuming, any number of processes."""

import dataclasses
import json

import numpy as np
import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine
from hqvqvae import load_segments
from hqvqvae.bottleneck import n_parameters
from hqvqvae.hub.model_card import STUDY
from hqvqvae.modeling_hqvqvae import PACKAGED
from hqvqvae.training import study
from hqvqvae.training.evaluation import fold_seed
from hqvqvae.training.plotting import save_figure_of
from hqvqvae.training.study import (
    ARMS,
    CIRCUITS,
    FIRST_FRESH_SEED,
    LEARNING_RATES,
    MORE_LEARNING_RATES,
    Record,
    Study,
    Task,
    draw_study,
    paired_difference,
    read_records,
    run_study,
    run_task,
)

CELLS = ("B0005", "B0006", "B0025", "B0026", "B0047", "B0048")  # of three cohorts


@pytest.fixture
def segments():
    table = load_segments()
    return table[table["cell_id"].isin(CELLS)].reset_index(drop=True)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(study, "EPOCHS", 3)


def without_cost(records):
    return [dataclasses.replace(record, cpu_seconds=0.0) for record in records]


def test_every_circuit_has_a_twin_of_its_size():
    assert {"paper", "ry-cz", "rot-zz", "reuploading", "iqp", "product", "frozen"} <= set(CIRCUITS)
    for name in CIRCUITS:
        twin = ARMS[ARMS[name].twin]
        assert n_parameters(twin.config) == n_parameters(ARMS[name].config) and twin.config.bottleneck == "tanh"
    for arm in ARMS.values():
        assert not arm.config.residual and arm.config.codebook_init == "kmeans"
    assert len(study.MORE_LEARNING_RATES) == 2 * len(study.LEARNING_RATES)


def test_seeds_of_search_comparison_and_confirmation_differ(segments, tmp_path):
    fits = Study(segments, tmp_path, seeds=50)
    assert len({study.SEARCH_SEED, *fits.seeds, *fits.fresh_seeds}) == 101
    assert Study(segments, tmp_path, seeds=50, short=True).seeds == fits.seeds[:1]


def test_each_fold_and_seed_has_a_draw_of_its_own():
    seeds = {fold_seed(seed, by, group) for seed in range(3) for by in ("cell", "cohort") for group in CELLS}
    assert len(seeds) == 36 and all(0 <= seed < 2**32 for seed in seeds)


def test_a_fit_sees_nothing_of_what_it_is_scored_on(segments, quick):
    """Values of held-out cells may be anything: what the fit learns does not change, only its error on them."""
    for task, hidden, scored in (
        (Task("none", "cell", "B0026", 1, 1e-3), ["B0026"], {"B0026"}),
        (Task("none", "cohort", "25-28", 1, 1e-3), ["B0025", "B0026"], {"B0025", "B0026"}),
        # The search for a cohort knows none of its cells, and is scored on the first cell of the others.
        (Task("none", "search", "25-28", 0, 1e-3), ["B0025", "B0026", "B0005", "B0047"], {"B0005", "B0047"}),
    ):
        changed = segments.copy()
        changed.loc[changed["cell_id"].isin(hidden), "v_mean"] += 1.0
        plain, other = run_task(task, segments), run_task(task, changed)
        assert set(plain.errors) == set(other.errors) == scored
        assert plain.train_mse == other.train_mse and plain.mse != other.mse
    only_sisters = segments.copy()
    only_sisters.loc[only_sisters["cohort"] == "25-28", "v_mean"] += 1.0
    assert run_task(task, only_sisters).errors == run_task(task, segments).errors


def test_jobs_do_not_change_a_figure_and_a_cut_run_goes_on(segments, quick, tmp_path):
    class Killed(Exception):
        pass

    arms = ("rot-zz", "none")
    whole = Study(segments, tmp_path / "one", short=True, arms=arms)
    summary = run_study(whole)
    path = tmp_path / "two" / "records.jsonl"
    path.parent.mkdir()
    lines = (tmp_path / "one" / "records.jsonl").read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-4]) + lines[-4][:40])  # killed in the middle of a line
    with pytest.MonkeyPatch.context() as patch:
        real, made = study.run_task, []

        def count(task, segments):
            made.append(task)
            return real(task, segments)

        patch.setattr(study, "run_task", count)
        again = run_study(Study(segments, path.parent, short=True, arms=arms))
    assert len(made) == 4
    both = [read_records(tmp_path / name / "records.jsonl") for name in ("one", "two")]
    assert without_cost(both[0]) == without_cost(both[1])
    for name in ("seconds", "cpu_seconds_a_fold"):
        for record in (summary, again):
            for figures in record["bottlenecks"].values():
                figures.pop(name, None)
    assert json.dumps(summary) == json.dumps(again)


@pytest.mark.gate
def test_processes_make_the_same_records(segments, tmp_path):
    tasks = [Task("tanh-100", "cell", cell, 1, 1e-3) for cell in CELLS[2:4]]
    one, two = (Study(segments, tmp_path / str(jobs), engine=Engine(jobs=jobs), arms=("tanh-100",)) for jobs in (1, 2))
    assert without_cost(one.records(tasks)) == without_cost(two.records(tasks))
    for each in (one, two):
        each.sort_records()
    kept = [read_records(tmp_path / name / "records.jsonl") for name in "12"]
    assert without_cost(kept[0]) == without_cost(kept[1])


def test_records_of_other_data_are_not_taken_and_bad_lines_are_named(segments, quick, tmp_path):
    task = Task("none", "cell", "B0026", 1, 1e-3)
    (first,) = Study(segments, tmp_path).records([task])
    (other,) = Study(segments[::2].reset_index(drop=True), tmp_path).records([task])
    assert first.key != other.key and len(read_records(tmp_path / "records.jsonl")) == 2
    with (tmp_path / "records.jsonl").open("a") as file:
        file.write('{"task": 1}\n')
    with pytest.raises(MagBridgeError, match="line 3 is not a record of the study"):
        Study(segments, tmp_path)
    with pytest.raises(MagBridgeError, match=r"no bottlenecks \['qaoa'\] in the grid; expected some of paper, frozen"):
        Study(segments, tmp_path / "new", arms=("qaoa",))


def test_others_extend_the_study_by_seeds_of_their_own(segments, tmp_path):
    study = Study(segments, tmp_path, seeds=2, first_seed=6)
    assert study.seeds == (6, 7) and study.fresh_seeds == (106, 107)
    for first in (0, 100):
        with pytest.raises(MagBridgeError, match="2 seeds from"):
            Study(segments, tmp_path, seeds=2, first_seed=first)


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
    assert constant["mean"] == pytest.approx(0.1) and constant["low"] == pytest.approx(0.1)
    unpaired = paired_difference(base, folds(lambda task: 0.5 - 10 * noise(task)))
    assert unpaired["low"] < unpaired["mean"] < unpaired["high"] and unpaired["high"] - unpaired["low"] > 0.02
    sizes = load_segments().groupby("cell_id").size()
    weights = [sizes[r.task.held_out] for r in base]
    assert unpaired["mean"] == pytest.approx(np.average([20 * noise(r.task) for r in base], weights=weights))


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
    save_figure_of(tmp_path / "study.png", draw_study, summary)
    assert (tmp_path / "study.png").read_bytes().startswith(b"\x89PNG")


def test_the_packaged_records_are_what_this_code_measures():
    records = read_records((PACKAGED / STUDY).parent / "records.jsonl")
    kept = next(r for r in records if r.task == Task("none", "cell", "B0028", 1, r.task.learning_rate))
    again = study.run_task(kept.task, load_segments())
    assert again.key == kept.key
    # Another processor rounds otherwise, and training amplifies that.
    assert again.mse == pytest.approx(kept.mse, rel=0.25)
