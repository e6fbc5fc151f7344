"""The page's two charts as inline SVG in the page's colours: mean rank with its interval, and score against cost."""

from collections.abc import Sequence
from math import ceil, floor, log10

from benchmark.leaderboard.boards import Board, Entry
from benchmark.leaderboard.summary import Standing
from benchmark.tasks import get_task
from dataset_card.running.templates import template

LETTER = 7
"""Width of a letter, estimated generously."""

WIDTH, LEFT, RIGHT, TOP, BASE = 420, 46, 330, 30, 214
"""Width of the cost chart and edges of its panel, in units of the drawing."""


def _draw(name: str, **values) -> str:
    return str(getattr(template("benchmark.leaderboard", "charts.svg", autoescape=True).module, name)(**values))


def rank_chart(standings: list[Standing]) -> str:
    """Draw one row per model, with its mean rank over tasks and the interval."""
    last = max(2, ceil(max(s.interval[1] for s in standings)))
    every = ceil(last / 12)  # keeps the numbers of the axis apart

    def x(rank: float) -> str:
        return f"{150 + 310 * (rank - 1) / (last - 1):.1f}"

    return _draw("rank_chart", standings=standings, x=x, last=last, every=every)


def cost_chart(board: Board) -> str:
    """Draw the headline against seconds per run; name the models that no cheaper one beats, and those below (↓)."""
    entries = [e for e in board.entries if e.result.seconds > 0 and e.result.protocol != "submitted"]
    if len(entries) < 2:
        return ""
    task = get_task(board.task)
    seconds = {e.result.model: e.result.seconds / len(e.result.runs) for e in entries}
    score = {e.result.model: e.result.mean() for e in entries}
    floor_score = max(min(score.values()), task.chance - 0.25)  # one model far below chance would flatten the rest
    first, last = floor(log10(min(seconds.values()))), ceil(log10(max(seconds.values())))
    low, high = floor(10 * floor_score) / 10, ceil(10 * max(score.values())) / 10

    def x(power: float) -> float:
        return LEFT + (RIGHT - LEFT) * (power - first) / max(last - first, 1)

    def y(value: float) -> float:
        return BASE - (BASE - TOP) * (max(value, low) - low) / (high - low)

    front, steps = _front(entries, seconds), round(10 * (high - low))
    at = {m: (x(log10(seconds[m])), y(score[m])) for m in score}
    names: list[tuple[str, float, float, bool]] = []
    for model in sorted([*front, *(m for m in score if score[m] < low)], key=lambda m: at[m][1]):
        name, label = model + " ↓" * (score[model] < low), at[model][1] + 4
        while any(abs(label - other) < 13 for _, _, other, _ in names):
            label += 13
        names.append((name, at[model][0], label, at[model][0] + 9 + LETTER * len(name) < WIDTH))
    return _draw(
        "cost_chart",
        task=task,
        levels=[(low + i / 10, BASE - (BASE - TOP) * i / steps) for i in range(0, steps + 1, max(1, steps // 5))],
        decades=[(power, x(power)) for power in range(first, last + 1)],
        dots=[(m, score[m], seconds[m], *at[m], m in front) for m in score],
        names=names,
    )


def _front(entries: Sequence[Entry], seconds: dict[str, float]) -> list[str]:
    """Return the models with a score that no cheaper model reaches, best first."""
    front, cheapest = [], float("inf")
    for entry in sorted(entries, key=lambda e: (-e.result.mean(), seconds[e.result.model])):
        if seconds[entry.result.model] < cheapest:
            cheapest = seconds[entry.result.model]
            front.append(entry.result.model)
    return front
