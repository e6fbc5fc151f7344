"""The boards as text: columns, yardsticks and notes of a board, as Markdown and as terminal tables."""

from benchmark.leaderboard.boards import Board, Entry, standing
from benchmark.results import Result
from benchmark.tasks import R2_BY_TABLE, R2_HEALTHY, WITHOUT_PARENTS, get_task
from dataset_card.contract.editions import V1, V2
from dataset_card.contract.field import markdown_table
from dataset_card.storage.documents import packaged

WORDS = packaged("benchmark.leaderboard", "texts.yaml")
COLUMNS: tuple[str, ...] = tuple(WORDS["columns"])
OPTIONAL = ("per visit", "other law", "without parents")
"""Columns that only some boards have."""

ALWAYS = 4
"""Number of leading columns that are shown on any terminal, however narrow."""

NARROW = 100
"""Width in characters below which a terminal shows only the score, without the mean over tables."""

RIGHT = ("rank", "features", "seconds", "runs")
LEAK_NOTE, RANK_RULE = WORDS["leak_note"], WORDS["rank_rule"]
EXPLANATION = WORDS["explanation"].format(rank_rule=RANK_RULE)


def columns_of(board: Board) -> list[int]:
    """Return the indices of those `COLUMNS` that are shown on a board; optional ones only if they are not empty."""
    texts = list(zip(*(texts_of(entry) for entry in board.entries))) or [()] * len(COLUMNS)
    return [i for i, name in enumerate(COLUMNS) if any(texts[i]) or name not in OPTIONAL]


def cells_of(entry: Entry) -> tuple[tuple[str, float | None], ...]:
    """Return an entry's cells in the order of `COLUMNS`: text, and the number it is sorted by or None."""
    result, visit = entry.result, entry.result.by_visit()
    metrics, seconds = result.runs[0].scores, result.seconds / len(result.runs)
    without_parents = result.mean(WITHOUT_PARENTS.name) if WITHOUT_PARENTS.name in metrics else None
    words = {R2_BY_TABLE.name: " (by table {:.3f})", R2_HEALTHY.name: " (healthy cells {:.3f})"}
    beside = "".join(text.format(result.mean(name)) for name, text in words.items() if name in metrics)
    others = entry.other_releases and (entry.other_releases[0], entry.other_releases[-1])
    return (
        (f"{entry.rank}" if entry.last == entry.rank else f"{entry.rank}–{entry.last}", entry.rank),
        (result.model, None),
        (f"{result.mean():.3f} ± {result.std():.3f}{beside}", result.mean()),
        _cell("{:.3f} to {:.3f}", entry.interval),
        _cell("{:.3f} ({:.3f} to {:.3f})", visit),
        _cell("{:.3f}", entry.other_law),
        _cell("{:.3f}", without_parents),
        _cell("{:.3f} ± {:.3f}", entry.cross_validation),
        _cell("{:.3f} to {:.3f}", others),
        _cell("{:,}" + reported(result), result.n_features),
        _cell(("{:.0f}" if seconds >= 10 else "{:.2g}") + reported(result), seconds or None),
        (result.protocol, None),
        (str(len(result.runs)), len(result.runs)),
    )


def _cell(form: str, values: tuple[float, ...] | float | None) -> tuple[str, float | None]:
    """Return formatted values and the first of them; empty text and None if there are no values."""
    values = values if isinstance(values, tuple) else () if values is None else (values,)
    return (form.format(*values), values[0]) if values else ("", None)


def texts_of(entry: Entry) -> tuple[str, ...]:
    """Return an entry's texts in the order of `COLUMNS`."""
    return tuple(text for text, _ in cells_of(entry))


def placed(result: Result, board: list[Result]) -> str:
    """Return one line with a result's score, interval and rank, and the models that share that rank."""
    entry, entries = standing(result, board)
    level = [e.result.model for e in entries if e.rank == entry.rank and e.result.model != result.model]
    limits = "" if entry.interval is None else " ({:.4f} to {:.4f})".format(*entry.interval)
    words = f", level with {', '.join(level)}" if level else ""
    place = f"rank {texts_of(entry)[0]} of {len(entries)}"
    if len(entries) == 1:
        place = "no rank: no other entry is scored on these rows"
    return f"{result.task}: {result.headline} {result.mean():.4f}{limits}, {place}{words}"


def reported(result: Result) -> str:
    """Return the mark of values that an entry's author reports and that cannot be recomputed."""
    return " †" if result.protocol == "submitted" else ""


def yardsticks_of(board: Board) -> list[tuple[str, ...]]:
    """Return the yardsticks of a board, one line each: name, meaning, score, its interval, and the score per visit.

    The first is the best constant prediction; the last are ceilings. Beside models without magnetometry, which only v1
    and v2 have, the first entry stands for the signals; v3's entries also read the terminal voltage.
    """
    task = get_task(board.task)
    lines: list[tuple[str, ...]] = [("chance", "the best constant prediction", f"{task.chance:.3f}", "", "")]
    if not board.entries:
        return lines
    nulls = [result for result in board.yardsticks if result.protocol == "null"]
    lines += [_yardstick(result, result.model, result.description) for result in nulls]
    if nulls:
        best = board.entries[0].result
        lines.append(_yardstick(best, "magnetics", f"the first entry, {best.model}: signals only"))
    ceilings = [result for result in board.yardsticks if result.protocol == "ceiling"]
    return lines + [_yardstick(r, "ceiling", r.description) for r in ceilings]


def _yardstick(result: Result, name: str, meaning: str) -> tuple[str, ...]:
    limits, visit = _cell("{:.3f} to {:.3f}", result.interval()), _cell("{:.3f} ({:.3f} to {:.3f})", result.by_visit())
    return name, meaning, f"{result.mean():.3f}", limits[0], visit[0]


YARDSTICKS = ("yardstick", "what it is", "score", "95 % interval", "per visit")


def notes_of(board: Board) -> list[str]:
    """Return the notes that must be shown with a board."""
    notes = []
    for remark in board.remarks:
        score = f", {remark.result.headline} {remark.result.mean():.3f}" if remark.shown and not remark.ranked else ""
        notes.append(f"{'' if remark.ranked else 'Not ranked: '}{remark.result.model}{score}: {remark.words}.")
    if len(board.entries) == 1:
        notes.append(WORDS["only"])
    if board.task in ("t1", "t2"):
        notes.append(WORDS["construction"])
    if board.task in ("t3", "t4") and board.name.startswith(V1.name) and not board.name.startswith(V2.name):
        notes.append(WORDS[f"parents_{board.task}"])
    return notes


def to_markdown(boards: list[Board]) -> str:
    """Render the boards as Markdown, with leaking ones last and marked."""
    lines = ["# MagBridge-Battery leaderboard", "", EXPLANATION, ""]
    for board in _honest_first(boards):
        lines += [f"## {board.title}{' (leaks)' if board.leaks else ''}", ""]
        if board.leaks:
            lines += [f"**{LEAK_NOTE}.**", ""]
        lines += [f"Dataset: {board.dataset_label}", ""]
        rows = [COLUMNS, *(texts_of(entry) for entry in board.entries)]
        head, *body = (tuple(row[i] for i in columns_of(board)) for row in rows)
        lines += [markdown_table(head, body, "---"), ""]
        if board.yardsticks:
            lines += ["Never ranked:", "", markdown_table(YARDSTICKS, yardsticks_of(board), "---"), ""]
        for note in notes_of(board):
            lines += [note, ""]
    return "\n".join(lines)


def print_table(boards: list[Board], console) -> None:
    """Print the boards on a `rich` console, each with as many columns as fit."""
    from rich.table import Table

    for board in _honest_first(boards):
        rows = [texts_of(entry) for entry in board.entries]
        if console.width < NARROW:
            rows = [(*row[:2], row[2].partition(" (by table")[0], *row[3:]) for row in rows]
        shown, left_out = _fitting(rows, console.width)
        caption = [board.dataset_label] + [LEAK_NOTE] * board.leaks
        if left_out:
            caption.append(f"Left out, too wide for this terminal: {', '.join(left_out)} (see --format markdown)")
        table = Table(title=board.title, caption="\n".join(caption), caption_justify="left", title_justify="left")
        for i in shown:
            table.add_column(COLUMNS[i], justify="right" if COLUMNS[i] in RIGHT else "left", overflow="fold")
        for row in rows:
            table.add_row(*(row[i] for i in shown))
        console.print(table)
        if board.yardsticks:
            beside = Table(title="Never ranked", title_justify="left")
            for column in YARDSTICKS:
                beside.add_column(column, overflow="fold")
            for line in yardsticks_of(board):
                beside.add_row(*line)
            console.print(beside)
        for note in notes_of(board):
            console.print(note)
    console.print(EXPLANATION)


def _fitting(rows: list[tuple[str, ...]], width: int) -> tuple[list[int], list[str]]:
    """Return the indices of non-empty columns that fit (the first four always) and the names of the others."""
    shown: list[int] = []
    left_out: list[str] = []
    used = 1
    for i, name in enumerate(COLUMNS):
        widest = max((len(row[i]) for row in rows), default=0)
        if not widest:
            continue
        used += max(widest, len(name)) + 3
        if i < ALWAYS or (used <= width and not left_out):
            shown.append(i)
        else:
            left_out.append(name)
    return shown, left_out


def _honest_first(boards: list[Board]) -> list[Board]:
    """Order boards: the default master seed split by cell, then other seeds, then leaking splits."""
    return sorted(boards, key=lambda board: (board.leaks, board.other_seed))
