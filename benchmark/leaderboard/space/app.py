"""The board, with a form that scores predictions. It runs locally and as a Space on the Hub.

python -m benchmark serve --data magbridge-battery
"""

import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmark.data import dataset_info, release_folder, tasks_in
from benchmark.leaderboard.boards import leaderboard
from benchmark.leaderboard.copies import Known, filed_errors
from benchmark.leaderboard.entries import recompute
from benchmark.leaderboard.page import to_html
from benchmark.leaderboard.space.server import Guard, Uploads, free_port, run
from benchmark.leaderboard.space.submission import Form, handle, ranked, summary
from benchmark.leaderboard.submissions import read_submissions
from benchmark.leaderboard.texts import COLUMNS
from benchmark.predictions.reading import MAX_BYTES
from benchmark.results import Result, read_files, results_of
from benchmark.rounds import Answers
from dataset_card.errors import MagBridgeError
from dataset_card.running.log import LOG
from dataset_card.running.templates import template

SETTINGS = "leaderboard.json"
"""Settings file of a Space: the dataset to score against, and the dataset to which submissions are proposed."""

FORM = "/submit"
"""Path of the form; the board is at the root."""

NOT_SCORED = "**Not scored:**"
MAX_AGE_S = 600
"""Time in s after which uploads that were not submitted are deleted."""

QUEUE = 100
"""Number of submissions that may wait, for about a second each; the page shows the place in the queue, or that it is
full."""

ARRIVAL_S = 5
"""Time in s that an uploaded file may take to arrive in its place."""


def build(
    results: list[Result],
    release: str | Path,
    submissions: str | None = None,
    uploads: Uploads | None = None,
    others: Sequence[Known] = (),
):
    """Build the form, without launching it, and the board.

    Args:
        results: Results to show.
        release: Release folder, or a dataset's id on the Hub.
        submissions: Dataset on the Hub to which checked submissions are proposed, or None.
        uploads: The server's counter of uploads.
        others: Results whose copies are named on the board.

    Returns:
        A `gradio.Blocks`, and the board as HTML.

    Raises:
        MagBridgeError: If there is no such release, or gradio is not installed.
    """
    gradio = _gradio()
    folder = release_folder(release)
    counted = uploads or Uploads()
    entered = read_submissions()
    entries = recompute(entered, [Answers(folder)], results, others)
    board = results + entries.ranked
    remark = dataset_info(folder).remark
    if remark is not None:
        LOG.info(f"note: {remark}")
    about = [entry.submission for entry in entered]
    html = to_html(leaderboard(board, remarks=entries.remarks), about, FORM)

    def submit(file: str | None, *fields: str):
        if file is None:
            return f"{NOT_SCORED} no file: expected Parquet, CSV or JSON lines with sample_id and prediction.", []
        task, *words = fields
        try:
            with tempfile.TemporaryDirectory() as scratch:
                own = _copy(Path(file), Path(scratch))
                result, notes = handle(Form(task, own, *(word or "" for word in words)), folder, board, submissions)
        except MagBridgeError as error:
            return f"{NOT_SCORED} {error}", []
        except Exception:  # the page must answer any failure with a message
            traceback.print_exc(file=sys.stderr)
            return f"{NOT_SCORED} the server failed, not your file: try again, or tell the maintainer of this page.", []
        finally:
            counted.leave(file)
            for stray in Path(file).parent.parent.glob("tmp*"):  # gradio leaves an empty file for each upload
                if stray.is_file() and stray.stat().st_size == 0:
                    stray.unlink(missing_ok=True)
        return summary(result, notes), ranked(result, board)

    with gradio.Blocks(
        title="Submit to MagBridge-Battery", analytics_enabled=False, delete_cache=(MAX_AGE_S, MAX_AGE_S)
    ) as page:
        gradio.Markdown("# Submit predictions\n\n[Back to the board](/)")
        if remark is not None:
            gradio.Markdown(f"**Note:** {remark}.")
        how = template("benchmark.leaderboard.space", "form.md")
        gradio.Markdown(how.render(queue=QUEUE, repo=submissions))
        with gradio.Row():
            choices = [(f"{task.id.upper()} {task.title}", task.id) for task in tasks_in(folder)]
            task = gradio.Dropdown(choices, label="Task")
            name = gradio.Textbox(label="Name on the board", max_length=60)
        with gradio.Row(visible=bool(submissions)):  # needed only for proposals to the board
            authors = gradio.Textbox(label="Authors, separated by commas", max_length=1000)
            licence = gradio.Textbox(label="Licence of the predictions", max_length=60)
        with gradio.Row(visible=bool(submissions)):
            description = gradio.Textbox(label="Description, one sentence", max_length=500)
            code = gradio.Textbox(label="Address of the code, if public", max_length=500)
        with gradio.Row(visible=bool(submissions)):
            seen = gradio.Textbox(label="Trained on: digests of releases, separated by commas", max_length=1000)
            pooling = gradio.Radio(
                [("each scan only", "scan"), ("all scans of a visit", "visit")], label="Predicted from"
            )
        file = gradio.File(label="Predictions", file_types=[".parquet", ".csv", ".jsonl"], elem_id="predictions")
        button = gradio.Button("Score", variant="primary", elem_id="score")
        outcome = gradio.Markdown(elem_id="outcome")
        place = gradio.Dataframe(headers=list(COLUMNS), interactive=False, wrap=False, elem_id="place")
        filled = [file, task, name, authors, description, licence, seen, pooling, code]
        button.click(submit, filled, [outcome, place], api_name=False).then(lambda: None, None, file, api_name=False)
    page.queue(max_size=QUEUE)
    return page, html


def _copy(upload: Path, folder: Path) -> Path:
    """Copy an upload under its own name to a folder of this submission, because others may submit the same file."""
    for _ in range(10 * ARRIVAL_S):
        if upload.is_file():
            return Path(shutil.copy(upload, folder / upload.name))
        time.sleep(0.1)
    raise MagBridgeError(f"{upload.name} was already scored and deleted: upload it again")


def serve(results: Path | None, release: str | Path, port: int | None = None, submissions: str | None = None) -> None:
    """Build the page and serve it until interrupted.

    Args:
        results: Folder of results; the shipped ones by default.
        release: Release folder, or a dataset's id on the Hub.
        port: Port on this machine; the first free one from 7860 by default.
        submissions: As in `build`.
    """
    filed = read_files(results)
    gradio, uploads = _gradio(), Uploads()
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    read = results_of(filed)
    folder = release_folder(release)  # pulled once
    # A Space has no predictions for its results.
    others = filed_errors({} if results else filed, [Answers(folder)])
    page, html = build(read, folder, submissions, uploads, others)
    theme = gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")  # as a Space sets it
    port = port or int(os.environ.get("GRADIO_SERVER_PORT", "0")) or free_port(host)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/", response_class=HTMLResponse)
    def board() -> str:
        return html

    app = gradio.mount_gradio_app(
        app, page, FORM, theme=theme, max_file_size=MAX_BYTES, footer_links=[], show_error=True, ssr_mode=False
    )
    run(Guard(app, uploads), host, port)


def serve_space(folder: Path) -> None:
    """Serve a Space from its folder, which contains `leaderboard.json` and `results/`."""
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    serve(folder / "results", settings["dataset"], submissions=settings["submissions"])


def _gradio():
    try:
        import gradio
    except ImportError as error:
        raise MagBridgeError("the leaderboard page needs gradio: pip install 'gradio>=6.29'") from error
    return gradio
