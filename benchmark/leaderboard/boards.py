"""The leaderboard: a pure function of results; rows with intervals, ranks in groups, leaking splits apart.

v1 and v2 stand beside each other; releases of other master seeds have boards of their own, so that nobody tunes to one
draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.results import OFFICIAL_TEST, Result
from benchmark.scoring import bootstrap, percentiles
from benchmark.tasks import R2_BY_TABLE, TASKS, get_task, leaks
from dataset_card.contract.editions import V1
from dataset_card.contract.schema import MASTER_SEED

COLUMNS = (
    "rank",
    "model",
    "score",
    "95 % interval",
    "cross-validation",
    "other releases",
    "features",
    "seconds",
    "protocol",
    "runs",
)
RIGHT = ("rank", "features", "seconds", "runs")
LEAK_NOTE = "LEAKS: cells and parents are shared between subsets; compare with the primary split, never rank on it"


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard.

    Attributes:
        rank: First place of its rank group.
        last: Last place of the group; the same where the model stands alone.
        result: The result ranked.
        interval: Of the headline mean by cell, or None.
        cross_validation: Mean and std over folds of the same model, or None.
        other_releases: Scores of the same model, split and protocol on releases of other master seeds, ascending.
    """

    rank: int
    last: int
    result: Result
    interval: tuple[float, float] | None
    cross_validation: tuple[float, float] | None
    other_releases: tuple[float, ...]


@dataclass(frozen=True)
class Board:
    """Ranked entries of one task, split and dataset.

    Attributes:
        task: Task id.
        split: Name of the split.
        leaks: Whether the split flatters every model on it.
        dataset: Digest of the rows.
        dataset_label: Name, upstream, seed and short digest.
        seed: Master seed of the release, or None where that is not known.
        entries: Best first.
        name: Name of the dataset.
    """

    task: str
    split: str
    leaks: bool
    dataset: str | None
    dataset_label: str
    seed: int | None
    entries: tuple[Entry, ...]
    name: str

    @property
    def title(self) -> str:
        """Task, headline metric, split and release."""
        task = get_task(self.task)
        return f"{task.id.upper()} {task.title}: {task.headline.name}, {self.split}, {self.release}"

    @property
    def release(self) -> str:
        """The dataset in short, as `v2`, and the master seed where it is another than the default."""
        short = self.name.removeprefix(V1.name).strip("-") or V1.bridge
        return f"{short}, seed {self.seed}" if self.other_seed else short

    @property
    def other_seed(self) -> bool:
        """Whether the rows are those of another master seed than the default."""
        return self.seed not in (None, MASTER_SEED)


def leaderboard(results: list[Result], task: str | None = None, split: str | None = None) -> list[Board]:
    """Ranks results within each task, split and dataset.

    Models stand in the order of their scores. A rank group begins with its best model and goes on until that one leads
    beyond doubt: when the 95 % bootstrap interval of its lead, both resampled on the same test cells, lies above zero.
    Of a model's protocols on the official test rows, the first of `rows`, `cells` and
    `full` counts.
    Results of another version of a task are left out of its board.

    Args:
        results: Of any tasks, splits and protocols; few-shot results have no place on a board.
        task: Keep this task id.
        split: Keep this split.

    Returns:
        Boards by task, honest splits before leaking ones, the default master seed before others, v1 before v2.
    """
    groups: dict[tuple, dict[str, Result]] = {}
    folds: dict[tuple, Result] = {}
    elsewhere: dict[tuple, dict[str | None, float]] = {}
    for result in results:
        wanted = task in (None, result.task) and split in (None, result.split)
        if not wanted or result.task_version != get_task(result.task).version:
            continue
        key = (result.task, leaks(result.split), result.split, result.dataset.digest)
        if result.protocol == "cross_validation":
            folds[(*key, result.model)] = result
        elif result.protocol in OFFICIAL_TEST:
            models = groups.setdefault(key, {})
            models[result.model] = min(
                (models.get(result.model, result), result), key=lambda r: OFFICIAL_TEST.index(r.protocol)
            )
            elsewhere.setdefault(_kin(result), {})[result.dataset.digest] = result.mean()
    order = [t.id for t in TASKS]
    boards = []
    infos = {key: next(iter(models.values())).dataset for key, models in groups.items()}

    def position(key: tuple) -> tuple:
        seed = infos[key].seed
        return (order.index(key[0]), *key[1:3], seed != MASTER_SEED, seed or 0, infos[key].name, key[3] or "")

    for key in sorted(groups, key=position):
        task_id, leaking, split_name, digest = key
        info = infos[key]
        seed_label = None if info.seed is None else f"seed {info.seed}"
        label = ", ".join(filter(None, (info.name, info.upstream, seed_label, info.short)))
        cross_validated = {r.model: r for k, r in folds.items() if k[:4] == key}
        entries = _entries(list(groups[key].values()), cross_validated, elsewhere)
        boards.append(Board(task_id, split_name, leaking, digest, label, info.seed, entries, info.name))
    return boards


def _kin(result: Result) -> tuple:
    """What the results of one model on releases of different master seeds share."""
    rows = result.dataset
    return result.task, result.split, result.protocol, result.model, rows.name, rows.upstream, rows.bridge_version


def _entries(results: list[Result], folds: dict[str, Result], elsewhere: dict) -> tuple[Entry, ...]:
    sign = get_task(results[0].task).headline.sign
    results = sorted(results, key=lambda r: (-sign * r.mean(), r.model))
    drawn = {result.model: replicates(result) for result in results}
    starts = [0]
    for place, result in enumerate(results):
        if _beats(results[starts[-1]], result, drawn):
            starts.append(place)
    ends = [*starts[1:], len(results)]
    places = [(start + 1, end) for start, end in zip(starts, ends) for _ in range(start, end)]
    return tuple(
        Entry(
            first,
            last,
            result,
            None if (samples := drawn[result.model]) is None else percentiles(samples),
            (folds[result.model].mean(), folds[result.model].std()) if result.model in folds else None,
            tuple(sorted(v for d, v in elsewhere[_kin(result)].items() if d != result.dataset.digest)),
        )
        for (first, last), result in zip(places, results)
    )


def replicates(result: Result) -> np.ndarray | None:
    """The bootstrap replicates of its headline; None without per-cell statistics."""
    if not result.battery_ids:
        return None
    return bootstrap(get_task(result.task), result.battery_ids, np.array([run.batteries for run in result.runs]))


def _beats(better: Result, worse: Result, drawn: dict[str, np.ndarray | None]) -> bool:
    """Whether the lead's bootstrap interval lies above zero; with cells that differ, whether the intervals part.

    Without per-cell statistics no lead is beyond doubt.
    """
    ours, theirs = drawn[better.model], drawn[worse.model]
    if ours is None or theirs is None:
        return False
    sign = get_task(better.task).headline.sign
    ours, theirs = sign * ours, sign * theirs
    if better.battery_ids == worse.battery_ids:
        return percentiles(ours - theirs)[0] > 0
    return percentiles(ours)[0] > percentiles(theirs)[1]


def texts_of(entry: Entry) -> tuple[str, ...]:
    """One entry as text, in the order of `COLUMNS`."""
    result = entry.result
    return (
        f"{entry.rank}" if entry.last == entry.rank else f"{entry.rank}–{entry.last}",
        result.model,
        f"{result.mean():.3f} ± {result.std():.3f}{_by_table(result)}",
        "" if entry.interval is None else f"{entry.interval[0]:.3f} to {entry.interval[1]:.3f}",
        "" if entry.cross_validation is None else "{:.3f} ± {:.3f}".format(*entry.cross_validation),
        f"{entry.other_releases[0]:.3f} to {entry.other_releases[-1]:.3f}" if entry.other_releases else "",
        "" if result.n_features is None else f"{result.n_features:,}",
        _seconds(result.seconds / len(result.runs)),
        result.protocol,
        str(len(result.runs)),
    )


def _by_table(result: Result) -> str:
    """The mean over tables, where the release has several."""
    if R2_BY_TABLE.name not in result.runs[0].scores:
        return ""
    return f" (by table {result.mean(R2_BY_TABLE.name):.3f})"


def _seconds(seconds: float) -> str:
    """Two digits; nothing where no time is known."""
    return "" if seconds == 0 else f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def to_markdown(boards: list[Board]) -> str:
    """The boards as Markdown, leaking ones last and marked."""
    lines = ["# MagBridge-Battery leaderboard", "", EXPLANATION, ""]
    for board in _honest_first(boards):
        lines += [f"## {board.title}{' (leaks)' if board.leaks else ''}", ""]
        if board.leaks:
            lines += [f"**{LEAK_NOTE}.**", ""]
        lines += [f"Dataset: {board.dataset_label}", "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        lines += [f"| {' | '.join(texts_of(entry))} |" for entry in board.entries] + [""]
    return "\n".join(lines)


def print_table(boards: list[Board], console) -> None:
    """Prints the boards on a `rich` console."""
    from rich.table import Table

    for board in _honest_first(boards):
        caption = board.dataset_label + (f"\n{LEAK_NOTE}" if board.leaks else "")
        table = Table(title=board.title, caption=caption, caption_justify="left", title_justify="left")
        for column in COLUMNS:
            table.add_column(column, justify="right" if column in RIGHT else "left", no_wrap=True)
        for entry in board.entries:
            table.add_row(*texts_of(entry))
        console.print(table)
    console.print(EXPLANATION, soft_wrap=True)


RANK_RULE = (
    "Models that share a rank are level with the best of their group: its lead over them is within the 95 % interval "
    "of the paired difference."
)
EXPLANATION = (
    f"Order: by score. Rank: {RANK_RULE} Score: mean ± population std over seeds on the test subset. Interval: 95 % "
    "bootstrap over test cells; v1's nine are few, so it is a little narrow there. Cross-validation: mean ± std over "
    "folds of all cells, the steadier figure. Other releases: lowest to highest score on releases of other master "
    "seeds. Features: numbers a row that the last learner sees, 600 where it sees the samples. Seconds: mean wall time "
    "of a run (features, fit, prediction; features common to all runs are made once) on the machine that the results "
    "name."
)


def _honest_first(boards: list[Board]) -> list[Board]:
    """The default master seed split by cell, then other seeds, then what leaks."""
    return sorted(boards, key=lambda board: (board.leaks, board.other_seed))
