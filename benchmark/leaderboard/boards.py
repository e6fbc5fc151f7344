"""The leaderboard, a pure function of results: scores with intervals, ranks in groups, leaking splits kept separate.

Each dataset has its own boards, and so have releases with other master seeds, to expose models tuned to one draw.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.results import OFFICIAL_TEST, Result
from benchmark.scoring import bootstrap, percentiles
from benchmark.tasks import BY_ID, get_task, leaks
from dataset_card.contract.editions import V1
from dataset_card.contract.schema import MASTER_SEED


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard.

    Attributes:
        rank: First place of its rank group.
        last: Last place of the group; equal to `rank` if the group has only one model.
        result: The ranked result.
        interval: 95 % interval of the headline mean, resampled by battery, or None.
        cross_validation: Mean and std over folds of the same model, or None.
        other_law: On T1 of v2, the worse of the two scores when fitted on one ageing law and scored on the other, or
            None.
        other_releases: Scores of the same model, split and protocol on releases with other master seeds, ascending.
    """

    rank: int
    last: int
    result: Result
    interval: tuple[float, float] | None
    cross_validation: tuple[float, float] | None
    other_law: float | None
    other_releases: tuple[float, ...]


@dataclass(frozen=True)
class Remark:
    """A remark on an entry, shown below its board.

    Attributes:
        result: Result of the entry.
        words: Text of the remark.
        ranked: Whether the entry is ranked nevertheless.
        shown: Whether its score may be shown.
    """

    result: Result
    words: str
    ranked: bool = False
    shown: bool = True


@dataclass(frozen=True)
class Board:
    """Ranked entries of one task, split and dataset.

    Attributes:
        task: Task id.
        split: Name of the split.
        leaks: Whether the split leaks, which makes every score on it too good.
        dataset: Digest of the rows.
        dataset_label: Name, upstream, seed and short digest.
        seed: Master seed of the release, or None if it is unknown.
        entries: Entries, best first.
        name: Name of the dataset.
        remarks: Remarks on entries, ranked or not.
        yardsticks: Results that are never ranked: predictions from the terminals without magnetometry, and ceilings.
    """

    task: str
    split: str
    leaks: bool
    dataset: str | None
    dataset_label: str
    seed: int | None
    entries: tuple[Entry, ...]
    name: str
    yardsticks: tuple[Result, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def title(self) -> str:
        """Task, headline metric, split and release."""
        task = get_task(self.task)
        return f"{task.id.upper()} {task.title}: {task.headline.name}, {self.split}, {self.release}"

    @property
    def release(self) -> str:
        """Short name of the dataset, such as `v2`, with the master seed if it is not the default."""
        short = self.name.removeprefix(V1.name).strip("-") or V1.bridge
        return f"{short}, seed {self.seed}" if self.other_seed else short

    @property
    def other_seed(self) -> bool:
        """Whether the rows come from a master seed other than the default."""
        return self.seed not in (None, MASTER_SEED)


def leaderboard(
    results: list[Result], task: str | None = None, split: str | None = None, remarks: Sequence[Remark] = ()
) -> list[Board]:
    """Rank results within each task, split and dataset.

    Models are ordered by score. A rank group begins with its best model and ends before the first model that the best
    one clearly leads: the 95 % bootstrap interval of the lead, with both resampled on the same test cells, is above
    zero. Of a model's protocols on the official test rows, the first of `rows`, `cells` and `full` counts. Results of
    another version of a task are left out of its board.

    Args:
        results: Results of any tasks, splits and protocols; few-shot results do not appear on boards.
        task: Keep only this task id.
        split: Keep only this split.
        remarks: Remarks on entries, for the boards of their rows.

    Returns:
        Boards by task, honest splits before leaking ones, the default master seed before others, v1 before v2.
    """
    kinds = {"null": "yardsticks", "ceiling": "yardsticks"} | dict.fromkeys(OFFICIAL_TEST, "ranked")
    found: dict[tuple, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    elsewhere: dict[tuple, dict[str | None, float]] = defaultdict(dict)
    for result in results:
        if result.task_version == get_task(result.task).version:
            found[_key(result)][kinds.get(result.protocol, result.protocol)].append(result)
    for remark in remarks:
        found[_key(remark.result)]["remarks"].append(remark)
    wanted = [key for key in found if task in (None, key[0]) and split in (None, key[2])]
    shown = {key: found[key]["ranked"] or [remark.result for remark in found[key]["remarks"]] for key in wanted}
    infos = {key: of_key[0].dataset for key, of_key in shown.items() if of_key}
    for key in wanted:
        for result in found[key]["ranked"]:
            elsewhere[_kin(result)][result.dataset.digest] = result.mean()
    order = list(BY_ID)
    boards = []

    def position(key: tuple) -> tuple:
        seed = infos[key].seed
        return (order.index(key[0]), *key[1:3], seed != MASTER_SEED, seed or 0, infos[key].name, key[3] or "")

    for key in sorted(infos, key=position):
        (task_id, leaking, split_name, digest), info, of = key, infos[key], found[key]
        seed_label = None if info.seed is None else f"seed {info.seed}"
        label = ", ".join(filter(None, (info.name, info.upstream, seed_label, info.short)))
        models: dict[str, Result] = {}
        for result in sorted(of["ranked"], key=lambda r: OFFICIAL_TEST.index(r.protocol)):
            models.setdefault(result.model, result)
        folds, laws = ({r.model: r for r in of[name]} for name in ("cross_validation", "law_transfer"))
        entries = _entries(list(models.values()), folds, laws, elsewhere) if models else ()
        beside = tuple(sorted(of["yardsticks"], key=lambda r: (r.protocol == "ceiling", r.mean())))
        said = tuple(of["remarks"])
        boards.append(Board(task_id, split_name, leaking, digest, label, info.seed, entries, info.name, beside, said))
    return boards


def _key(result: Result) -> tuple:
    """Return the key that the results of one board share."""
    return result.task, leaks(result.split), result.split, result.dataset.digest


def _kin(result: Result) -> tuple:
    """Return the key that the results of one model share on releases with different master seeds."""
    rows = result.dataset
    return result.task, result.split, result.protocol, result.model, rows.name, rows.upstream, rows.bridge_version


def _entries(
    results: list[Result], folds: dict[str, Result], laws: dict[str, Result], elsewhere: dict
) -> tuple[Entry, ...]:
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
            result.interval(),
            (folds[result.model].mean(), folds[result.model].std()) if result.model in folds else None,
            float(laws[result.model].values().min()) if result.model in laws else None,
            tuple(sorted(v for d, v in elsewhere[_kin(result)].items() if d != result.dataset.digest)),
        )
        for (first, last), result in zip(places, results)
    )


def standing(result: Result, board: list[Result]) -> tuple[Entry, tuple[Entry, ...]]:
    """Rank a result among others; return its own entry and all entries of its board."""
    others = [r for r in board if (r.model, r.protocol) != (result.model, result.protocol)]
    boards = leaderboard([*others, result], result.task, result.split)
    (found,) = [b for b in boards if b.dataset == result.dataset.digest]
    return next(e for e in found.entries if e.result.model == result.model), found.entries


def replicates(result: Result) -> np.ndarray | None:
    """Return the bootstrap replicates of a result's headline; None without statistics by battery."""
    if not result.battery_ids:
        return None
    return bootstrap(get_task(result.task), result.battery_ids, np.array([run.batteries for run in result.runs]))


def _beats(better: Result, worse: Result, drawn: dict[str, np.ndarray | None]) -> bool:
    """Return whether one result clearly leads another.

    On the same batteries, the bootstrap interval of the lead must be above zero; on different ones, the two intervals
    must not overlap. Without statistics by battery, no lead is clear.
    """
    ours, theirs = drawn[better.model], drawn[worse.model]
    if ours is None or theirs is None:
        return False
    sign = get_task(better.task).headline.sign
    ours, theirs = sign * ours, sign * theirs
    if better.battery_ids == worse.battery_ids:
        return percentiles(ours - theirs)[0] > 0
    return percentiles(ours)[0] > percentiles(theirs)[1]
