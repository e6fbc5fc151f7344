"""The page: boards in one tab, submission in the other. Runs locally and as a Space of the Hub.

python -m benchmark serve --data magbridge-battery
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmark.data import dataset_info, release_folder
from benchmark.leaderboard.boards import COLUMNS, EXPLANATION, LEAK_NOTE, leaderboard, texts_of
from benchmark.leaderboard.space.submission import MAX_BYTES, ranked, score_submission, summary
from benchmark.results import SHIPPED, Result, read_results
from benchmark.tasks import PRIMARY_SPLIT, SPLITS, TASKS, get_task, leaks
from dataset_card.errors import MagBridgeError

SETTINGS = "leaderboard.json"
"""Beside the page of a Space: the dataset that it scores against."""

TASK_CHOICES = [(f"{task.id.upper()} {task.title}", task.id) for task in TASKS]
SPLIT_CHOICES = [(f"{split} (leaks)" if leaks(split) else split, split) for split in SPLITS]

INTRODUCTION = """# MagBridge-Battery leaderboard

Magnetic signatures of Li-ion cells: SOH regression, second-life class, anomaly detection and anomaly subtype."""

HOW_TO_SUBMIT = """Upload a Parquet file with one row for each test sample: `sample_id` and `prediction` (SOH or label),
optionally `seed` (several rows a sample) and `score` (of the class that the task's AUC speaks of). It is checked and
scored here, against the labels of the dataset, and shown among the results. Nothing is stored."""


NOT_SCORED = "**Not scored:**"


def build(results: list[Result], release: str | Path):
    """The page, not launched.

    Args:
        results: Result files' contents.
        release: Release folder, or a dataset's id on the Hub.

    Returns:
        A `gradio.Blocks`.

    Raises:
        MagBridgeError: There is no release, or gradio is not installed.
    """
    gradio = _gradio()
    folder = release_folder(release)
    dataset = dataset_info(folder)
    boards = {(b.task, b.split): b for b in leaderboard(results) if b.dataset == dataset.digest}

    def show(task_id: str, split: str):
        board = boards.get((task_id, split))
        task = get_task(task_id)
        note = f"**{LEAK_NOTE}.**\n\n" if leaks(split) else ""
        about = f"{note}{task.headline.name} ({task.headline.meaning}), on {dataset.name} `{dataset.short}`."
        if board is None:
            return f"{about} No results yet.", []
        return about, [list(texts_of(entry)) for entry in board.entries]

    def submit(file: str | None, task_id: str, split: str, name: str):
        if file is None:
            return f"{NOT_SCORED} no file: expected a Parquet file with sample_id and prediction.", []
        try:
            scored = score_submission(file, task_id, name or "", folder, split)
        except MagBridgeError as error:
            return f"{NOT_SCORED} {error}", []
        return summary(scored), ranked(results, scored)

    with gradio.Blocks(title="MagBridge-Battery leaderboard", analytics_enabled=False) as page:
        gradio.Markdown(INTRODUCTION)
        with gradio.Tab("Leaderboard"):
            task, split = _choices(gradio)
            words, rows = show(task.value, split.value)
            about = gradio.Markdown(words)
            table = gradio.Dataframe(rows, headers=list(COLUMNS), interactive=False, wrap=False, elem_id="board")
            gradio.Markdown(EXPLANATION)
        with gradio.Tab("Submit predictions"):
            gradio.Markdown(HOW_TO_SUBMIT)
            submitted_task, submitted_split = _choices(gradio)
            name = gradio.Textbox(label="Name on the board", max_length=60)
            file = gradio.File(label="Predictions (Parquet)", file_types=[".parquet"], elem_id="predictions")
            button = gradio.Button("Score", variant="primary", elem_id="score")
            outcome = gradio.Markdown(elem_id="outcome")
            place = gradio.Dataframe(headers=list(COLUMNS), interactive=False, wrap=False, elem_id="place")
        for choice in (task, split):
            choice.change(show, [task, split], [about, table], api_name=False)
        button.click(submit, [file, submitted_task, submitted_split, name], [outcome, place], api_name=False)
    return page


def _choices(gradio):
    with gradio.Row():
        return (
            gradio.Dropdown(TASK_CHOICES, value=TASKS[0].id, label="Task"),
            gradio.Dropdown(SPLIT_CHOICES, value=PRIMARY_SPLIT, label="Split"),
        )


def serve(results: Path | None, release: str | Path, port: int | None = None) -> None:
    """Builds the page and serves it until interrupted.

    Args:
        results: Folder of result files; the shipped ones by default.
        release: Release folder, or a dataset's id on the Hub.
        port: Port on this machine; the first free one from 7860 by default.
    """
    page = build(read_results(results or SHIPPED), release)
    theme = _gradio().themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    page.launch(server_port=port, theme=theme, max_file_size=MAX_BYTES, footer_links=[], strict_cors=True)


def serve_space(folder: Path) -> None:
    """Serves a Space whose folder holds `leaderboard.json` and the result files in `results/`."""
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    serve(folder / "results", settings["dataset"])


def _gradio():
    try:
        import gradio
    except ImportError as error:
        raise MagBridgeError("the leaderboard page needs gradio: pip install 'gradio>=6.29'") from error
    return gradio
