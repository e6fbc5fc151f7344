"""The leaderboard as one static HTML page that sorts and filters in the browser and asks no server for anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.leaderboard.boards import Board, Entry
from benchmark.leaderboard.charts import cost_chart, rank_chart
from benchmark.leaderboard.submissions import Submission
from benchmark.leaderboard.summary import Standing, summarize
from benchmark.leaderboard.texts import (
    COLUMNS,
    EXPLANATION,
    LEAK_NOTE,
    RANK_RULE,
    cells_of,
    columns_of,
    notes_of,
    yardsticks_of,
)
from benchmark.tasks import Task, get_task
from dataset_card.cards.card import ARXIV_ID, DATA_DOI, REPOSITORY
from dataset_card.contract.editions import V1, V2

TEMPLATE = Path(__file__).with_name("leaderboard.html")
FOLDED = ("cross-validation", "other releases", "features", "seconds", "protocol", "runs")
"""Columns that show on demand: the ranked ones fit a window of 1,300 pixels."""

TEXT = ("model", "protocol")
LOW_FIRST = ("rank", "features", "seconds")
"""Columns of text, and those whose smallest number comes first when sorted."""

LINKS = {
    "Data": f"https://doi.org/{DATA_DOI}",
    "Code": REPOSITORY,
    "Paper": f"https://arxiv.org/abs/{ARXIV_ID}",
    "Dataset cards": f"{REPOSITORY}/tree/main/docs/datasets",
    "How to enter": f"{REPOSITORY}/blob/main/docs/guides/leaderboard.md",
}
ABOUT = {
    V1.name: "The paper's release: 6,760 synthetic signals from 56 cells. State of health shows in the noise added.",
    V2.name: "Synthetic signals statistically close to real scans, from 215 batteries. State of health acts through a "
    "chosen law of ageing, so that a score says how well a model inverts that law.",
    "magbridge-battery-v3": "Voltages and fields computed from the physics of a cell. State of health is an outcome, "
    "and every task is measured against the terminals alone.",
}


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its text, the number it is sorted by, and whether it shows on demand only."""

    column: str
    text: str
    value: float | None = None

    @property
    def css(self) -> str:
        """Classes of the cell."""
        words = [] if self.column in TEXT else ["number"]
        words += ["low"] if self.column in LOW_FIRST else []
        return " ".join(words + (["more"] if self.column in FOLDED else []))


@dataclass(frozen=True)
class View:
    """One board as the page shows it."""

    board: Board
    task: Task
    head: list[Cell]
    rows: list[tuple[Entry, list[Cell]]]
    nulls: list[dict[str, str]]
    notes: list[str]
    chart: str


@dataclass(frozen=True)
class Release:
    """All boards of one dataset: the ranked ones, those of other seeds, and those of the split that leaks."""

    name: str
    label: str
    about: str
    ranked: list[View]
    others: list[View]
    leaking: list[View]
    standings: list[Standing]
    chart: str


def to_html(boards: list[Board], submissions: list[Submission] | None = None, form: str | None = None) -> str:
    """Render one self-contained page.

    Args:
        boards: From `leaderboard`.
        submissions: Entries whose links the page shows; none by default.
        form: Address of a form that scores predictions, if one is served beside the page.

    Returns:
        HTML; every row is in the page, so that it reads without JavaScript too.
    """
    import jinja2

    newest = [*reversed(ABOUT), *(board.name for board in boards)]
    names = dict.fromkeys(name for name in newest if any(board.name == name for board in boards))
    entered = {entry.name: entry for entry in submissions or []}
    about = {entry.result.model: entry.result.description for board in boards for entry in board.entries}
    template = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return template.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        releases=[_release(name, [board for board in boards if board.name == name]) for name in names],
        models=[(name, about[name], entered.get(name)) for name in sorted(about)],
        links=({} if form is None else {"Submit predictions": form}) | LINKS,
        explanation=EXPLANATION,
        rule=RANK_RULE,
        leak_note=LEAK_NOTE,
        folded=", ".join(FOLDED),
    )


def _release(name: str, boards: list[Board]) -> Release:
    honest = [board for board in boards if not board.leaks and not board.other_seed]
    standings = summarize(honest)
    return Release(
        name,
        next((board.release for board in honest), boards[0].release),
        ABOUT.get(name, "A release of another dataset."),
        [_view(board, charts=True) for board in honest],
        [_view(board) for board in boards if board.other_seed and not board.leaks],
        [_view(board) for board in boards if board.leaks],
        standings,
        rank_chart(standings) if standings else "",
    )


def _view(board: Board, charts: bool = False) -> View:
    shown = columns_of(board)
    names = [COLUMNS[i] for i in shown]
    at = names.index("95 % interval") + 1
    names.insert(at, "gain")
    best = _best_null(board)
    rows = []
    for place, entry in enumerate(board.entries, 1):
        found = cells_of(entry)
        cells = [Cell(COLUMNS[i], found[i][0], place if COLUMNS[i] == "rank" else found[i][1]) for i in shown]
        gain = get_task(board.task).headline.sign * (entry.result.mean() - best)
        rows.append((entry, [*cells[:at], Cell("gain", f"{gain:+.3f}", gain), *cells[at:]]))
    nulls = [
        {"model": name, "what": what, "score": score, "95 % interval": interval, "per visit": pooled}
        for name, what, score, interval, pooled in yardsticks_of(board)
        if name != "magnetics"  # the first entry, which the board has
    ]
    chart = cost_chart(board) if charts else ""
    head = [Cell(name, name) for name in names]
    return View(board, get_task(board.task), head, rows, nulls, notes_of(board), chart)


def _best_null(board: Board) -> float:
    """The best of what tells nothing of magnetics: chance, and what the terminals tell."""
    task = get_task(board.task)
    nulls = [
        result.mean() for result in board.yardsticks if result.protocol == "null" and "magnetics" not in result.model
    ]
    return max([task.chance, *nulls], key=lambda score: task.headline.sign * score)
