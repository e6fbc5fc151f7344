"""The leaderboard as one static HTML page that sorts and filters in the browser and asks no server for anything."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from benchmark.leaderboard.boards import Board, Entry
from benchmark.leaderboard.charts import cost_chart, rank_chart
from benchmark.leaderboard.submissions import Submission
from benchmark.leaderboard.summary import summarize
from benchmark.leaderboard.texts import (
    COLUMNS,
    EXPLANATION,
    LEAK_NOTE,
    RANK_RULE,
    columns_of,
    notes_of,
    texts_of,
    yardsticks_of,
)
from benchmark.tasks import TASKS, WITHOUT_PARENTS, get_task

TEMPLATE = Path(__file__).with_name("leaderboard.html")
NUMERIC = set(COLUMNS) - {"model", "protocol"}
"""Columns sorted by the number in `data-value`, the largest first."""

LOW_FIRST = {"rank", "features", "seconds"}
"""Those whose smallest number comes first."""


NOTHING = "<p>No results.</p>"


def to_html(boards: list[Board], submissions: list[Submission] | None = None) -> str:
    """One self-contained page.

    Args:
        boards: From `leaderboard`.
        submissions: Entries whose links the page shows; none by default.

    Returns:
        HTML; every row is in the page, so that it reads without JavaScript too.
    """
    splits = sorted({board.split for board in boards}, key=lambda split: [b.leaks for b in boards if b.split == split])
    tasks = [task for task in TASKS if any(board.task == task.id for board in boards)]
    honest = [board for board in boards if not board.leaks and not board.other_seed]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        summary=_summaries(honest),
        explanation=escape(EXPLANATION),
        rule=escape(RANK_RULE),
        task_options="".join(f'<option value="{t.id}">{t.id.upper()} {escape(t.title)}</option>' for t in tasks),
        split_options="".join(f'<option value="{escape(split)}">{escape(split)}</option>' for split in splits),
        release_options="".join(
            f'<option value="{escape(name)}">{escape(name)}</option>'
            for name in dict.fromkeys(board.release for board in boards)
        ),
        honest=_beside(honest, charts=True),
        others=_beside([board for board in boards if not board.leaks and board.other_seed]),
        leaking=_beside([board for board in boards if board.leaks]),
        leak_note=escape(LEAK_NOTE),
        models=_models(boards, {entry.name: entry for entry in submissions or []}),
    )


def _beside(boards: list[Board], charts: bool = False) -> str:
    """The boards of one task beside each other where the window is wide enough."""
    pairs = (
        "".join(_section(board, cost_chart(board) if charts else "") for board in boards if board.task == task.id)
        for task in TASKS
    )
    return "".join(f'<div class="pair">{pair}</div>' for pair in pairs if pair) or NOTHING


def _summaries(boards: list[Board]) -> str:
    """The summary of each release, beside each other; nothing where none has all tasks."""
    names = dict.fromkeys(board.release for board in boards)
    parts = "".join(_summary(name, [board for board in boards if board.release == name]) for name in names)
    return f'<section id="summary"><h2>All tasks</h2><div class="pair">{parts}</div></section>' if parts else ""


def _summary(name: str, boards: list[Board]) -> str:
    """Mean ranks over tasks on one release, as a chart and a table; nothing where a task is missing."""
    standings = summarize(boards)
    if not standings:
        return ""
    head = "".join(f'<th scope="col" class="number">{task.id.upper()}</th>' for task in TASKS)
    rows = "".join(
        f'<tr><th scope="row">{_link(s.model)}</th><td class="number">{s.mean_rank:.2f}</td>'
        f'<td class="number">{s.interval[0]:.2f} to {s.interval[1]:.2f}</td>'
        + "".join(f'<td class="number">{s.scores[task.id]:.3f}</td>' for task in TASKS)
        + "</tr>"
        for s in standings
    )
    first = [
        f"{task.id.upper()} {_link(board.entries[0].result.model)} ({board.entries[0].result.mean():.3f})"
        for task in TASKS
        for board in boards
        if board.task == task.id and board.entries
    ]
    return (
        f"<div><h3>{escape(name)}</h3><p>First on each task: {', '.join(first)}.</p>"
        f'<p class="note">Below, the {len(standings)} models that do all four tasks, by their mean rank among each '
        "other; intervals: 95 %, test batteries resampled for all models at once.</p>"
        f'<div class="scroll">{rank_chart(standings)}</div>'
        f"{_scrolled(f'{name}: mean rank over all tasks')}<table>"
        '<caption class="hidden">Mean rank over all tasks</caption><thead><tr>'
        '<th scope="col">model</th><th scope="col" class="number">mean rank</th>'
        f'<th scope="col" class="number">95 % interval</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div>"
    )


def _scrolled(label: str) -> str:
    """The start of a box that scrolls sideways where the page is narrow, with the keyboard too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">'


def _link(model: str) -> str:
    return f'<a href="#model-{escape(model)}">{escape(model)}</a>'


def _models(boards: list[Board], submissions: dict[str, Submission]) -> str:
    """What each model is, and where to read on."""
    about = {entry.result.model: entry.result.description for board in boards for entry in board.entries}
    items = []
    for model in sorted(about):
        words = escape(about[model])
        if (entry := submissions.get(model)) is not None:
            links = [(name, getattr(entry, name)) for name in ("url", "paper", "code")]
            words += f" {escape(', '.join(entry.authors))}, {entry.date}; reported by its author."
            words += "".join(f' <a href="{escape(href)}" rel="nofollow">{name}</a>' for name, href in links if href)
        items.append(f'<dt id="model-{escape(model)}">{escape(model)}</dt><dd>{words}</dd>')
    return f"<dl>{''.join(items)}</dl>" if items else NOTHING


def _section(board: Board, chart: str = "") -> str:
    head = "".join(
        f'<th scope="col" aria-sort="{"ascending" if column == "rank" else "none"}" class="{_kind(column)}">'
        f'<button type="button">{escape(column)}</button></th>'
        for column in (COLUMNS[i] for i in columns_of(board))
    )
    rows = "".join(_row(entry, place, columns_of(board)) for place, entry in enumerate(board.entries, 1))
    badge = '<span class="leak">leaks</span>' if board.leaks else ""
    task = get_task(board.task)
    return (
        f'<section class="board" data-task="{board.task}" data-split="{escape(board.split)}" '
        f'data-release="{escape(board.release)}">'
        f"<h3>{task.id.upper()} {escape(task.title)}, {escape(board.release)} {badge}</h3>"
        f'<p class="about">{escape(task.headline.name)} ({escape(task.headline.meaning)}), {escape(board.split)}; '
        f"dataset {escape(board.dataset_label)}</p>"
        f'{_scrolled(board.title)}<table><caption class="hidden">{escape(board.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        + _yardsticks(board)
        + "".join(f'<p class="note">{escape(note)}</p>' for note in notes_of(board))
        + (f"<details><summary>Score against cost</summary>{chart}</details>" if chart else "")
        + "</section>"
    )


def _yardsticks(board: Board) -> str:
    """What the board is to be read against; nothing where none of it was measured."""
    if not board.yardsticks:
        return ""
    items = "".join(
        f"<li><b>{escape(name)}</b> {escape(score)}{f' ({escape(interval)})' if interval else ''}: {escape(what)}"
        f"{f'; per visit {escape(pooled)}' if pooled else ''}</li>"
        for name, what, score, interval, pooled in yardsticks_of(board)
    )
    return f'<p class="note">Never ranked:</p><ul class="note">{items}</ul>'


def _kind(column: str) -> str:
    return ("number low" if column in LOW_FIRST else "number") if column in NUMERIC else "text"


def _row(entry: Entry, place: int, shown: list[int]) -> str:
    result = entry.result
    values = (
        place,
        "",
        result.mean(),
        entry.interval[0] if entry.interval else "",
        pooled[0] if (pooled := result.by_visit()) else "",
        "" if entry.other_law is None else entry.other_law,
        result.mean(WITHOUT_PARENTS.name) if WITHOUT_PARENTS.name in result.runs[0].scores else "",
        entry.cross_validation[0] if entry.cross_validation else "",
        entry.other_releases[0] if entry.other_releases else "",
        "" if result.n_features is None else result.n_features,
        result.seconds / len(result.runs) if result.seconds else "",
        "",
        len(result.runs),
    )
    columns = []
    texts = texts_of(entry)
    for column, value, text in ((COLUMNS[i], values[i], texts[i]) for i in shown):
        attributes = f' class="number" data-value="{value}"' if column in NUMERIC else ""
        if column == "model":
            columns.append(f'<th scope="row">{_link(text)}</th>')
        else:
            columns.append(f"<td{attributes}>{escape(text)}</td>")
    first = ' class="first"' if entry.rank == place else ""
    return f'<tr{first} data-model="{escape(result.model.lower())}">{"".join(columns)}</tr>'
