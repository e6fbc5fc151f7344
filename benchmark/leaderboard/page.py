"""The leaderboard as a single static HTML page that sorts and filters in the browser, without requests to a server."""

from benchmark.leaderboard import texts
from benchmark.leaderboard.boards import Board
from benchmark.leaderboard.charts import cost_chart, rank_chart
from benchmark.leaderboard.submissions import Submission
from benchmark.leaderboard.summary import summarize
from benchmark.leaderboard.texts import COLUMNS, WORDS, cells_of, columns_of, notes_of, yardsticks_of
from benchmark.tasks import get_task
from dataset_card.cards.card import ARXIV_ID, DATA_DOI, REPOSITORY
from dataset_card.running.templates import template

FOLDED = ("cross-validation", "other releases", "features", "seconds", "protocol", "runs")
"""Columns shown on demand; the others fit a window of 1,300 pixels."""

TEXT = ("model", "protocol")
LOW_FIRST = ("rank", "features", "seconds")
"""Columns of text, and columns that are sorted with the smallest number first."""

LINKS = {
    "Data": f"https://doi.org/{DATA_DOI}",
    "Code": REPOSITORY,
    "Paper": f"https://arxiv.org/abs/{ARXIV_ID}",
    "Dataset cards": f"{REPOSITORY}/tree/main/docs/datasets",
    "How to enter": f"{REPOSITORY}/blob/main/docs/guides/leaderboard.md",
}
ABOUT: dict[str, str] = WORDS["about"]


def _cell(column: str, text: str, value: float | None = None) -> dict:
    """Describe one cell of a table: its text, the number it is sorted by, and its CSS classes."""
    kinds = {"number": column not in TEXT, "low": column in LOW_FIRST, "more": column in FOLDED}
    return {
        "column": column,
        "text": text,
        "value": value,
        "css": " ".join(name for name, is_so in kinds.items() if is_so),
    }


def to_html(boards: list[Board], submissions: list[Submission] | None = None, form: str | None = None) -> str:
    """Render one self-contained page.

    Args:
        boards: Boards from `leaderboard`.
        submissions: Entries whose links the page shows; none by default.
        form: Address of a form that scores predictions, if one is served with the page.

    Returns:
        HTML that contains every row, so that it can be read without JavaScript.
    """
    newest = [*reversed(ABOUT), *(board.name for board in boards)]
    names = dict.fromkeys(name for name in newest if any(board.name == name for board in boards))
    entered = {entry.name: entry for entry in submissions or []}
    about = {entry.result.model: entry.result.description for board in boards for entry in board.entries}
    return template("benchmark.leaderboard", "leaderboard.html", autoescape=True).render(
        releases=[_release(name, [board for board in boards if board.name == name]) for name in names],
        models=[(name, about[name], entered.get(name)) for name in sorted(about)],
        links=({} if form is None else {"Submit predictions": form}) | LINKS,
        explanation=texts.EXPLANATION,
        rule=texts.RANK_RULE,
        leak_note=texts.LEAK_NOTE,
        folded=", ".join(FOLDED),
    )


def _release(name: str, boards: list[Board]) -> dict:
    """Collect all boards of one dataset: the ranked ones, those of other seeds, and those of the leaking split."""
    honest = [board for board in boards if not board.leaks and not board.other_seed]
    standings = summarize(honest)
    return {
        "name": name,
        "label": next((board.release for board in honest), boards[0].release),
        "about": ABOUT.get(name, "A release of another dataset."),
        "ranked": [_view(board, charts=True) for board in honest],
        "others": [_view(board) for board in boards if board.other_seed and not board.leaks],
        "leaking": [_view(board) for board in boards if board.leaks],
        "standings": standings,
        "chart": rank_chart(standings) if standings else "",
    }


def _view(board: Board, charts: bool = False) -> dict:
    """Describe one board as the page shows it."""
    task, shown, best = get_task(board.task), columns_of(board), _best_null(board)
    at = [COLUMNS[i] for i in shown].index("95 % interval") + 1
    rows = []
    for place, entry in enumerate(board.entries, 1):
        found = cells_of(entry)
        cells = [_cell(COLUMNS[i], found[i][0], place if COLUMNS[i] == "rank" else found[i][1]) for i in shown]
        gain = task.headline.sign * (entry.result.mean() - best)
        rows.append((entry, [*cells[:at], _cell("gain", f"{gain:+.3f}", gain), *cells[at:]]))
    head = [_cell(COLUMNS[i], COLUMNS[i]) for i in shown]
    return {
        "board": board,
        "task": task,
        "head": [*head[:at], _cell("gain", "gain"), *head[at:]],
        "rows": rows,
        # without the first entry, which the board already has
        "nulls": [dict(zip(NULLS, line)) for line in yardsticks_of(board) if line[0] != "magnetics"],
        "notes": notes_of(board),
        "chart": cost_chart(board) if charts else "",
    }


NULLS = ("model", "what", "score", "95 % interval", "per visit")


def _best_null(board: Board) -> float:
    """Return the best score without magnetics: of chance and of the predictions from the terminals."""
    task = get_task(board.task)
    nulls = [r.mean() for r in board.yardsticks if r.protocol == "null" and "magnetics" not in r.model]
    return max([task.chance, *nulls], key=lambda score: task.headline.sign * score)
