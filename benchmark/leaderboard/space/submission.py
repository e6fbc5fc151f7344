"""A predictions file that someone submits: validated, scored, and put among the results."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.leaderboard.boards import COLUMNS, leaderboard, texts_of
from benchmark.predictions import score_seeds
from benchmark.results import Result, Run
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError

MAX_BYTES = 20 * 2**20
"""A file of a few thousand rows is far smaller."""

MAX_ROWS = 200_000
"""Over a hundred seeds of the largest task; a few bytes of Parquet can unpack to far more."""

DEFAULT_NAME = "your predictions"


def score_submission(path: str | Path, task_id: str, name: str, release: str | Path, split: str) -> Result:
    """Scores a predictions file as a result that a board can rank.

    Args:
        path: Parquet file as `benchmark.predictions.write_predictions` makes.
        task_id: `t1` to `t4`.
        name: Shown on the board.
        release: Release folder or Hub id.
        split: Whose test rows were predicted.

    Returns:
        The result; it is written nowhere.

    Raises:
        MagBridgeError: The file is too large or cannot be scored; says why.
    """
    path, task = Path(path), get_task(task_id)
    _check_size(path)
    try:
        scored = score_seeds(path, task, release, split)
    except MagBridgeError as error:
        # The folder that an upload lands in says nothing to who uploaded it.
        raise MagBridgeError(str(error).replace(str(path), path.name)) from error
    runs = tuple(
        Run(seed, 0, scores, cells=cells.tolist())
        for seed, scores, cells in zip(scored.seeds, scored.scores, scored.cells)
    )
    return Result(
        task=task.id,
        task_version=task.version,
        model=name.strip() or DEFAULT_NAME,
        description="A submitted predictions file.",
        dataset=scored.dataset,
        split=split,
        protocol="submitted",
        runs=runs,
        cell_ids=tuple(scored.cell_ids.tolist()),
        packages={},
        hardware={},
        seconds=0.0,
        n_features=None,
        n_test=scored.n_test,
    )


def _check_size(path: Path) -> None:
    """Refuses a file that is too large, compressed or unpacked, before it is read."""
    size = path.stat().st_size if path.is_file() else 0
    if size > MAX_BYTES:
        raise MagBridgeError(
            f"{path.name} has {size / 2**20:.1f} MB: expected a predictions file of at most {MAX_BYTES / 2**20:.0f} MB"
        )
    try:
        rows = pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowInvalid):
        return  # scoring says what is wrong with it
    if rows > MAX_ROWS:
        raise MagBridgeError(
            f"{path.name} has {rows:,} rows: expected at most {MAX_ROWS:,}, one a test sample and seed"
        )


def summary(result: Result) -> str:
    """Every metric of a scored submission, as Markdown."""
    task = get_task(result.task)
    low, high = result.interval() or (float("nan"), float("nan"))
    seeds = f"{len(result.runs)} seed" + ("s" if len(result.runs) > 1 else "")
    lines = [
        f"**{task.headline.name} {result.mean():.4f}** (95 % over test cells {low:.4f} to {high:.4f}), "
        f"{result.n_test:,} test rows, {seeds}, {result.split}, dataset `{result.dataset.short}`.",
        "",
        "| metric | value |",
        "|---|---|",
    ]
    return "\n".join(lines + [f"| {metric} | {result.mean(metric):.4f} |" for metric in result.runs[0].scores])


def ranked(results: list[Result], submitted: Result) -> list[list[str]]:
    """The submission's board with it in its place, a list of texts a row, columns as in `COLUMNS`.

    A name that is on the board already gets a mark, so that nobody's row is replaced.
    """
    taken = {result.model for result in results}
    if submitted.model in taken:
        submitted = dataclasses.replace(submitted, model=f"{submitted.model} (submitted)")
    boards = leaderboard([*results, submitted], submitted.task, submitted.split)
    (board,) = [board for board in boards if board.dataset == submitted.dataset.digest]
    rows = []
    for entry in board.entries:
        texts = list(texts_of(entry))
        if entry.result.model == submitted.model:
            texts[COLUMNS.index("model")] = f"➤ {submitted.model}"
        rows.append(texts)
    return rows
