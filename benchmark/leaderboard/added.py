"""The gain from magnetometers on v3: learners on terminals, on magnetics and on both, with intervals of the gain."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmark.baselines.physics import VIEWS
from benchmark.leaderboard.boards import replicates
from benchmark.refusals import refused
from benchmark.results import OFFICIAL_TEST, Result
from benchmark.scoring import percentiles
from benchmark.tasks import PRIMARY_SPLIT, R2_HEALTHY, V3_TASKS, Task, get_task
from dataset_card.running.templates import template

SPOKEN_OF = ("t7", "t8", "t9")
"""Tasks whose gain is stated in a sentence."""


@dataclass(frozen=True)
class Added:
    """One learner on one task of one release.

    Attributes:
        task: Id of the task.
        learner: Name of the learner, without the view.
        release: Name, seed and short digest of the release.
        scores: Headline score by view, for those of `VIEWS` that were run.
        healthy: For tasks of SOH, the score over cells without a defect, by view.
        gain: Gain of both over terminals, positive if better; None unless these two were run.
        interval: 95 % interval of the gain, with test cells resampled for both together.
        over_better: Gain of both over the better of the other two, and its interval; None unless all three were run.
    """

    task: str
    learner: str
    release: str
    scores: dict[str, float]
    healthy: dict[str, float]
    gain: float | None
    interval: tuple[float, float] | None
    over_better: tuple[float, float, float] | None


def added(results: Iterable[Result]) -> list[Added]:
    """Group results by task, release and learner.

    Args:
        results: Results on any tasks; only those on v3's official test rows by models named after a view count.

    Raises:
        MagBridgeError: If there is no such result.
    """
    found: dict[tuple, dict[str, Result]] = {}
    for result in results:
        learner, _, view = result.model.rpartition("-")
        official = result.protocol in OFFICIAL_TEST and result.split == PRIMARY_SPLIT
        if view in VIEWS and official and result.task in {task.id for task in V3_TASKS}:
            dataset = result.dataset
            release = f"{dataset.name}, seed {dataset.seed}, {dataset.short}"
            found.setdefault((result.task, release, learner), {})[view] = result
    if not found:
        raise refused("no_views", views=", ".join(VIEWS))
    return [
        _added(get_task(task), release, learner, views) for (task, release, learner), views in sorted(found.items())
    ]


def _added(task: Task, release: str, learner: str, views: dict[str, Result]) -> Added:
    scores = {view: views[view].mean() for view in VIEWS if view in views}
    known = {view: result for view, result in views.items() if R2_HEALTHY.name in result.runs[0].scores}
    healthy = {view: result.mean(R2_HEALTHY.name) for view, result in known.items()}
    gain = interval = over = None
    if {"both", "terminals"} <= set(views):
        gain, low, high = _lead(task, views["both"], views["terminals"])
        interval = low, high
    if set(views) == set(VIEWS):
        alone = max((views[view] for view in ("terminals", "magnetics")), key=lambda r: task.headline.sign * r.mean())
        over = _lead(task, views["both"], alone)
    return Added(task.id, learner, release, scores, healthy, gain, interval, over)


def _lead(task: Task, ours: Result, theirs: Result) -> tuple[float, float, float]:
    """Compute by how much one result is better than another, with the paired interval."""
    sign, (a, b) = task.headline.sign, (replicates(result) for result in (ours, theirs))
    low, high = (float("nan"),) * 2 if a is None or b is None else percentiles(sign * (a - b))
    return sign * (ours.mean() - theirs.mean()), low, high


def sentence(found: Added) -> str:
    """State whether magnetics adds to the terminals, judged only by the interval."""
    if found.gain is None or found.interval is None or not np.isfinite(found.interval).all():
        return f"{found.task.upper()}, {found.learner}: terminals and both were not run on the same cells."
    low, high = found.interval
    figures = f"{found.gain:+.3f} (95 %: {low:+.3f} to {high:+.3f})"
    words = f"no gain is shown; the interval of {figures} contains zero"
    if low > 0:
        words = f"magnetics adds to the terminals, {figures}"
    if high < 0:
        words = f"adding magnetics makes the score worse, {figures}"
    return f"{found.task.upper()}, {found.learner}: {words}."


def to_markdown(table: list[Added]) -> str:
    """Render the scores by view and the gain of each learner, by task, followed by the sentences, as Markdown."""
    boards: dict[str, dict[Task, list[Added]]] = {}
    for found in sorted(table, key=lambda found: [task.id for task in V3_TASKS].index(found.task)):
        boards.setdefault(found.release, {}).setdefault(get_task(found.task), []).append(found)
    text = template("benchmark.leaderboard", "added.md").render(
        releases=dict.fromkeys(found.release for found in table),
        boards=boards,
        views=list(VIEWS),
        spoken_of=SPOKEN_OF,
        sentence=sentence,
    )
    return text.removesuffix("\n")
