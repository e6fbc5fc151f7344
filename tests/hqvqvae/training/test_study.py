"""The study: twins, folds that see nothing of what they are scored on, resuming, any number of processes."""

import dataclasses
import json

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine
from hqvqvae import load_segments
from hqvqvae.bottleneck import n_parameters
from hqvqvae.training import study
from hqvqvae.training.evaluation import fold_seed
from hqvqvae.training.study import ARMS, CIRCUITS, Study, Task, read_records, run_task
from hqvqvae.training.study_summary import run_study

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
    with pytest.raises(MagBridgeError, match=r"no bottlenecks \['qaoa'\] in the grid; there are paper, frozen"):
        Study(segments, tmp_path / "new", arms=("qaoa",))


def test_others_extend_the_study_by_seeds_of_their_own(segments, tmp_path):
    study = Study(segments, tmp_path, seeds=2, first_seed=6)
    assert study.seeds == (6, 7) and study.fresh_seeds == (106, 107)
    for first in (0, 100):
        with pytest.raises(MagBridgeError, match="2 seeds from"):
            Study(segments, tmp_path, seeds=2, first_seed=first)
