"""The page's two charts as inline SVG: mean rank with its interval, and score against cost; colours follow the page."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10

from benchmark.leaderboard.boards import Board, Entry
from benchmark.leaderboard.summary import Standing
from benchmark.tasks import get_task

LEFT, RIGHT, PITCH = 150, 20, 22
"""Margins and height of a row, in units of the drawing."""

LETTER = 7
"""Width of a letter, rather too large than too small."""


def rank_chart(standings: list[Standing]) -> str:
    """One row per model: its mean rank over tasks and the interval."""
    width, height = 480, PITCH * len(standings) + 46
    last = max(2, ceil(max(s.interval[1] for s in standings)))
    every = ceil(last / 12)  # so that the numbers of the axis stay apart

    def x(rank: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * (rank - 1) / (last - 1)

    marks = []
    for row, s in enumerate(standings):
        y = 14 + PITCH * row
        low, high = (x(rank) for rank in s.interval)
        marks.append(
            f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(s.model)}</text>'
            f'<line class="bar" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="dot" cx="{x(s.mean_rank):.1f}" cy="{y}" r="5"><title>{escape(s.model)}: mean rank '
            f"{s.mean_rank:.2f} ({s.interval[0]:.2f} to {s.interval[1]:.2f})</title></circle>"
        )
    base = height - 32
    ticks = "".join(
        f'<line class="grid" x1="{x(rank):.1f}" x2="{x(rank):.1f}" y1="4" y2="{base}"/>'
        f'<text x="{x(rank):.1f}" y="{base + 14}" text-anchor="middle">{rank}</text>'
        for rank in range(1, last + 1, every)
    )
    words = "; ".join(f"{s.model} {s.mean_rank:.2f}" for s in standings)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Mean rank over tasks: {escape(words)}">{ticks}'
        f'{"".join(marks)}<text x="{(LEFT + width - RIGHT) / 2}" y="{height - 6}" text-anchor="middle">'
        "mean rank, best first; bars: 95 %</text></svg>"
    )


def cost_chart(board: Board) -> str:
    """Headline against seconds a run, logarithmic; models that nothing cheaper beats are named, and those below (↓)."""
    entries = [e for e in board.entries if e.result.seconds > 0 and e.result.protocol != "submitted"]
    if len(entries) < 2:
        return ""
    task, width, height, left, base, top = get_task(board.task), 420, 260, 46, 214, 30
    seconds = {e.result.model: e.result.seconds / len(e.result.runs) for e in entries}
    score = {e.result.model: e.result.mean() for e in entries}
    floor_score = max(min(score.values()), task.chance - 0.25)  # one model far below chance would flatten the rest
    first, last = floor(log10(min(seconds.values()))), ceil(log10(max(seconds.values())))
    low, high = floor(10 * floor_score) / 10, ceil(10 * max(score.values())) / 10

    def at(model: str) -> tuple[float, float]:
        share = (log10(seconds[model]) - first) / max(last - first, 1)
        y = base - (base - top) * (max(score[model], low) - low) / (high - low)
        return left + (width - left - 90) * share, y

    front = _front(entries, seconds)
    named = [*front, *(m for m in score if score[m] < low)]
    steps = round(10 * (high - low))
    every = max(1, steps // 5)
    grid = "".join(
        f'<line class="grid" x1="{left}" x2="{width - 90}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{low + i / 10:.1f}</text>'
        for i in range(0, steps + 1, every)
        for y in [base - (base - top) * i / steps]
    )
    grid += "".join(
        f'<text x="{left + (width - left - 90) * (p - first) / max(last - first, 1):.1f}" y="{base + 16}" '
        f'text-anchor="middle">{10.0**p:g}</text>'
        for p in range(first, last + 1)
    )
    dots = "".join(
        f'<circle class="{"dot" if m in front else "other"}" cx="{x:.1f}" cy="{y:.1f}" r="{5 if m in front else 4}">'
        f"<title>{escape(m)}: {score[m]:.3f} in {seconds[m]:.2g} s</title></circle>"
        for m in score
        for x, y in [at(m)]
    )
    taken: list[float] = []
    names = ""
    for model in sorted(named, key=lambda m: at(m)[1]):
        x, y = at(model)
        label = y + 4
        while any(abs(label - other) < 13 for other in taken):
            label += 13
        taken.append(label)
        name = model + " ↓" * (score[model] < low)
        fits = x + 9 + LETTER * len(name) < width
        at_dot = f'x="{x + 9:.1f}"' if fits else f'x="{x - 9:.1f}" text-anchor="end"'
        names += f'<text {at_dot} y="{label:.1f}">{escape(name)}</text>'
    words = f"{task.id.upper()}: {task.headline.name} against seconds"
    return (
        f'<svg class="cost" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}">'
        f'{grid}{dots}{names}<text x="{(left + width - 90) / 2}" y="{height - 6}" '
        f'text-anchor="middle">seconds a run</text><text x="4" y="14">{escape(task.headline.name.replace("_", " "))}'
        "</text></svg>"
    )


def _front(entries: tuple[Entry, ...] | list[Entry], seconds: dict[str, float]) -> list[str]:
    """Models that no cheaper one scores as high as, the best first."""
    front, cheapest = [], float("inf")
    for entry in sorted(entries, key=lambda e: (-e.result.mean(), seconds[e.result.model])):
        if seconds[entry.result.model] < cheapest:
            cheapest = seconds[entry.result.model]
            front.append(entry.result.model)
    return front
