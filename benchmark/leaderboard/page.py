"""The leaderboard as one static HTML page that sorts and filters in the browser and asks no server for anything."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from benchmark.leaderboard.boards import COLUMNS, EXPLANATION, LEAK_NOTE, Board, Entry, texts_of
from benchmark.tasks import TASKS, get_task

TEMPLATE = Path(__file__).with_name("leaderboard.html")
NUMERIC = {"rank", "score", "95 % interval", "cross-validation", "other releases", "features", "seconds", "runs"}
"""Columns sorted by the number in `data-value`, the largest first."""

LOW_FIRST = {"rank", "features", "seconds"}
"""Those whose smallest number comes first."""


NOTHING = "<p>No results.</p>"


def to_html(boards: list[Board]) -> str:
    """One self-contained page.

    Args:
        boards: From `leaderboard`.

    Returns:
        HTML; every row is in the page, so that it reads without JavaScript too.
    """
    splits = sorted({board.split for board in boards}, key=lambda split: [b.leaks for b in boards if b.split == split])
    tasks = [task for task in TASKS if any(board.task == task.id for board in boards)]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        explanation=escape(EXPLANATION),
        task_options="".join(f'<option value="{t.id}">{t.id.upper()} {escape(t.title)}</option>' for t in tasks),
        split_options="".join(f'<option value="{escape(split)}">{escape(split)}</option>' for split in splits),
        release_options="".join(
            f'<option value="{name}">{name}</option>' for name in dict.fromkeys(map(_release, boards))
        ),
        honest="".join(_section(board) for board in boards if not board.leaks and not board.other_seed) or NOTHING,
        others="".join(_section(board) for board in boards if not board.leaks and board.other_seed) or NOTHING,
        leaking="".join(_section(board) for board in boards if board.leaks) or NOTHING,
        leak_note=escape(LEAK_NOTE),
    )


def _section(board: Board) -> str:
    head = "".join(
        f'<th scope="col" aria-sort="{"ascending" if column == "rank" else "none"}" class="{_kind(column)}">'
        f'<button type="button">{escape(column)}</button></th>'
        for column in COLUMNS
    )
    rows = "".join(_row(entry) for entry in board.entries)
    badge = '<span class="leak">leaks</span>' if board.leaks else _release(board) if board.other_seed else ""
    task = get_task(board.task)
    return (
        f'<section class="board" data-task="{board.task}" data-split="{escape(board.split)}" '
        f'data-release="{_release(board)}">'
        f"<h3>{task.id.upper()} {escape(task.title)} {badge}</h3>"
        f'<p class="about">{escape(task.headline.name)} ({escape(task.headline.meaning)}), {escape(board.split)}; '
        f"dataset {escape(board.dataset_label)}</p>"
        f'<div class="scroll"><table><caption class="hidden">{escape(board.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _release(board: Board) -> str:
    return f"seed {board.seed}" if board.other_seed else "default seed"


def _kind(column: str) -> str:
    return ("number low" if column in LOW_FIRST else "number") if column in NUMERIC else "text"


def _row(entry: Entry) -> str:
    result = entry.result
    values = (
        entry.rank,
        "",
        result.mean(),
        entry.interval[0] if entry.interval else "",
        entry.cross_validation[0] if entry.cross_validation else "",
        entry.other_releases[0] if entry.other_releases else "",
        "" if result.n_features is None else result.n_features,
        result.seconds / len(result.runs) if result.seconds else "",
        "",
        len(result.runs),
    )
    columns = []
    for column, value, text in zip(COLUMNS, values, texts_of(entry)):
        attributes = f' class="number" data-value="{value}"' if column in NUMERIC else ""
        if column == "model":
            columns.append(f'<th scope="row" title="{escape(result.description)}">{escape(text)}</th>')
        else:
            columns.append(f"<td{attributes}>{escape(text)}</td>")
    return f'<tr data-model="{escape(result.model.lower())}">{"".join(columns)}</tr>'
