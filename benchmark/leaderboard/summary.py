"""The board over all tasks: mean ranks of the models that do every task, with their test cells resampled together."""

from dataclasses import dataclass

import numpy as np

from benchmark.leaderboard.boards import Board, replicates
from benchmark.scoring import percentiles
from benchmark.tasks import TASKS, get_task


@dataclass(frozen=True)
class Standing:
    """One model over all tasks.

    Attributes:
        model: Name of the model.
        mean_rank: Mean over tasks of its rank among the models that do all tasks; equal scores share their mean rank.
        interval: 95 % interval, with each task's test cells resampled for all models together.
        scores: Headline score by task id.
    """

    model: str
    mean_rank: float
    interval: tuple[float, float]
    scores: dict[str, float]


def summarize(boards: list[Board]) -> list[Standing]:
    """Compute the standings of all models that have results with statistics by battery on every task.

    Args:
        boards: Boards of one release and split.

    Returns:
        Standings, best first; empty if a task has no board.
    """
    by_task = {board.task: {entry.result.model: entry.result for entry in board.entries} for board in boards}
    if set(by_task) != {task.id for task in TASKS}:
        return []
    drawn = {task: {m: replicates(r) for m, r in results.items()} for task, results in by_task.items()}
    models = sorted(set.intersection(*({m for m, d in of.items() if d is not None} for of in drawn.values())))
    if not models:
        return []
    ranks, resampled = [], []
    for task, results in by_task.items():
        sign = get_task(task).headline.sign
        ranks.append(_ranks(sign * np.array([[results[m].mean() for m in models]]))[0])
        samples = sign * np.stack([np.asarray(drawn[task][m]) for m in models], axis=1)
        whole = ~np.isnan(samples).any(axis=1)
        resampled.append(np.where(whole[:, None], _ranks(samples), np.nan))
    mean, draws = np.mean(ranks, axis=0), np.nanmean(resampled, axis=0)
    standings = [
        Standing(m, float(mean[i]), percentiles(draws[:, i]), {task: by_task[task][m].mean() for task in by_task})
        for i, m in enumerate(models)
    ]
    return sorted(standings, key=lambda standing: (standing.mean_rank, standing.model))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Rank M models in each of B rows of scores (B, M): 1 for the highest, ties at their mean rank."""
    better = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    equal = (scores[:, None, :] == scores[:, :, None]).sum(axis=2)
    return better + (equal + 1) / 2
