"""The leaderboard as a pure function of results, and its exports."""

import dataclasses
import io
import random

import pytest
from rich.console import Console

from benchmark.data import DatasetInfo
from benchmark.leaderboard.boards import leaderboard
from benchmark.leaderboard.texts import print_table, texts_of, to_markdown, yardsticks_of
from benchmark.results import SHIPPED, Result, Run, read_results
from benchmark.tasks import OPTIMISTIC_SPLIT, PRIMARY_SPLIT
from dataset_card.contract.schema import MASTER_SEED

CELLS = tuple(f"{n:02d}" for n in range(10))
RELEASE = DatasetInfo("made-up", "a" * 64, "simulated", "test", MASTER_SEED)


def result(model, right_of_ten, *, split=PRIMARY_SPLIT, protocol="rows", dataset=RELEASE, task="t2", version="1.0"):
    """A T2 result with ten rows of each class in each of ten cells, `right_of_ten[c]` of them right in cell c."""
    cells = [[n, 10 - n, 10 - n, n] for n in right_of_ten]
    score = sum(right_of_ten) / (10 * len(right_of_ten))
    fold = 0 if protocol == "cross_validation" else None
    run = Run(0, 80, {"balanced_accuracy": score}, fold=fold, batteries=None if fold == 0 else cells)
    return Result(
        task=task,
        task_version=version,
        model=model,
        description=f"Model <{model}>.",
        dataset=dataset,
        split=split,
        protocol=protocol,
        runs=(run,),
        battery_ids=() if fold == 0 else CELLS,
        packages={"python": "3", "numpy": "2"},
        hardware={"processor": "x", "cores": 1, "gpu": None},
        seconds=12.0,
        n_features=57,
        n_test=None if fold == 0 else 200,
    )


STRONG = result("strong", [9] * 10)
ALSO_STRONG = result("also-strong", [9, 8] * 5)
UNEVEN = result("uneven", [10, 7] * 5)
WEAK = result("weak", [6, 7] * 5)
LEAKING = result("weak", [10] * 10, split=OPTIMISTIC_SPLIT)
FOLDS = result("strong", [8] * 10, protocol="cross_validation")
ALL = [STRONG, ALSO_STRONG, UNEVEN, WEAK, LEAKING, FOLDS]


def test_a_rank_group_ends_where_its_best_leads_beyond_doubt():
    board = leaderboard(ALL)[0]
    ranks = [(entry.result.model, entry.rank, entry.last) for entry in board.entries]
    # Strong beats also-strong in every second cell and never loses; also-strong and uneven win as many as they lose.
    assert ranks == [("strong", 1, 1), ("also-strong", 2, 3), ("uneven", 2, 3), ("weak", 4, 4)]
    assert [texts_of(entry)[0] for entry in board.entries] == ["1", "2–3", "2–3", "4"]


def test_is_a_pure_function_of_the_results():
    shuffled = random.Random(0).sample(ALL, len(ALL))
    assert leaderboard(shuffled) == leaderboard(ALL)


def test_equal_models_tie():
    twin = dataclasses.replace(STRONG, model="twin")
    entries = leaderboard([STRONG, twin])[0].entries
    assert [(e.rank, e.last) for e in entries] == [(1, 2), (1, 2)]


def test_leaking_splits_stand_apart_and_marked():
    boards = leaderboard(ALL)
    assert [(b.split, b.leaks) for b in boards] == [(PRIMARY_SPLIT, False), (OPTIMISTIC_SPLIT, True)]
    text = to_markdown(boards)
    assert text.index("by_cell_primary") < text.index("(leaks)") < text.index("**LEAKS")
    console = Console(width=140, file=io.StringIO())
    print_table(boards, console)
    assert "LEAKS" in console.file.getvalue()


@pytest.fixture(scope="module")
def shipped():
    filed = [r for r in read_results(SHIPPED / "v2") if r.task == "t1"]
    return [board for board in leaderboard(filed) if not board.leaks]


@pytest.mark.parametrize("width", [70, 80, 100, 140, 250])
def test_the_table_fits_its_terminal_and_begins_with_what_counts(shipped, width):
    console = Console(width=width, file=io.StringIO())
    print_table(shipped, console)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    heads = [[name.strip() for name in line.strip("┃").split("┃")] for line in lines if line.startswith("┃")]
    assert heads[0][:4] == ["rank", "model", "score", "95 % interval"] and "without parents" not in heads[0]
    assert any("Left out" in line for line in lines) == (width < 250)


def test_other_datasets_and_task_versions_do_not_mix():
    other = result("strong", [1] * 10, dataset=dataclasses.replace(RELEASE, digest="b" * 64))
    boards = leaderboard([STRONG, other])
    assert [len(board.entries) for board in boards] == [1, 1]
    assert leaderboard([dataclasses.replace(STRONG, task_version="0.9")]) == []


def test_other_master_seeds_have_their_own_boards_and_a_column():
    seeds = [
        result("strong", [right] * 10, dataset=dataclasses.replace(RELEASE, digest=str(seed) * 64, seed=seed))
        for seed, right in ((3, 8), (1, 7))
    ]
    boards = leaderboard([*seeds, STRONG, WEAK])
    assert [(b.seed, b.other_seed) for b in boards] == [(MASTER_SEED, False), (1, True), (3, True)]
    strong, weak = boards[0].entries
    assert strong.other_releases == (0.7, 0.8) and weak.other_releases == ()
    assert "0.700 to 0.800" in to_markdown(boards) and "by_cell_primary, made-up, seed 3" in to_markdown(boards)
    elsewhere = dataclasses.replace(RELEASE, digest="c" * 64, seed=1, upstream="published")
    assert leaderboard([STRONG, result("strong", [1] * 10, dataset=elsewhere)])[0].entries[0].other_releases == ()


def test_cost_is_shown():
    assert "| 57 | 12 | rows | 1 |" in to_markdown(leaderboard([STRONG]))
    assert "| 57 | 0.035 | rows |" in to_markdown(leaderboard([dataclasses.replace(STRONG, seconds=0.0351)]))
    unknown = dataclasses.replace(STRONG, n_features=None, seconds=0.0)
    assert "|  |  | rows | 1 |" in to_markdown(leaderboard([unknown]))


def test_results_without_statistics_by_cell_are_listed_and_tie():
    bare = [
        dataclasses.replace(r, battery_ids=(), runs=tuple(dataclasses.replace(run, batteries=None) for run in r.runs))
        for r in (STRONG, WEAK)
    ]
    for results in (bare[:1], bare, [STRONG, bare[1]]):
        (board,) = leaderboard(results)
        assert [entry.rank for entry in board.entries] == [1] * len(results)
        assert board.entries[-1].interval is None


def test_filters_and_protocols():
    assert leaderboard(ALL, task="t1") == []
    assert [b.split for b in leaderboard(ALL, split=OPTIMISTIC_SPLIT)] == [OPTIMISTIC_SPLIT]
    stricter = dataclasses.replace(STRONG, protocol="cells")
    (board,) = leaderboard([stricter, STRONG])
    assert [entry.result.protocol for entry in board.entries] == ["rows"]


def test_cross_validation_stands_beside_its_model():
    entries = {e.result.model: e for e in leaderboard(ALL)[0].entries}
    assert entries["strong"].cross_validation == (0.8, 0.0)
    assert entries["weak"].cross_validation is None
    assert "0.800 ± 0.000" in to_markdown(leaderboard(ALL))


def test_a_ceiling_is_never_ranked():
    ceiling = dataclasses.replace(STRONG, model="fresh-rows", protocol="ceiling")
    assert [e.result.model for board in leaderboard([WEAK, ceiling]) for e in board.entries] == ["weak"]
    assert leaderboard([ceiling]) == []


def test_signals_stand_beside_models_without_magnetometry_only(shipped):
    """Entries of v3 read the terminal voltage too, so none of them stands for the signals."""
    assert "magnetics" in [line[0] for board in shipped for line in yardsticks_of(board)]
    filed = read_results(SHIPPED / "v3")
    lines = [line for board in leaderboard(filed) for line in yardsticks_of(board)]
    assert {line[0] for line in lines} == {"chance", "ceiling"}
    assert all(line[1].count("lower estimate") == (line[0] == "ceiling") for line in lines)
    values = {"terminals": 33, "magnetics": 648}
    read = {(view, r.n_features) for r in filed for view in values if r.model.endswith(view) and r.n_features}
    assert read and all(count <= values[view] for view, count in read)
