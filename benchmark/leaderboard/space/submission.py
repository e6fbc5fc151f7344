"""Submissions from the page's form: checked like a submission folder, ranked at once, and proposed to the Hub."""

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmark.data import dataset_info
from benchmark.leaderboard.boards import standing
from benchmark.leaderboard.submissions import Submitted, check, read_submission
from benchmark.leaderboard.texts import COLUMNS, placed, texts_of
from benchmark.predictions.entry import write_submission
from benchmark.results import Result
from benchmark.rounds import Answers
from benchmark.tasks import get_task
from dataset_card.contract.field import markdown_table
from dataset_card.errors import MagBridgeError
from dataset_card.running.hub import Repository

DEFAULT_NAME = "your-predictions"


@dataclass(frozen=True)
class Form:
    """Fields of the page's form; scores need only the first two.

    Attributes:
        task: Task id.
        file: Uploaded predictions.
        name: Name of the model.
        authors: Names of the authors, separated by commas.
        description: One sentence on the model.
        licence: Licence of the predictions.
        trained_on: Digests of the releases that the model was trained on, separated by commas.
        pooling: As in a submission.
        code: URL of the code, or empty.
    """

    task: str
    file: Path
    name: str = ""
    authors: str = ""
    description: str = ""
    licence: str = ""
    trained_on: str = ""
    pooling: str = ""
    code: str = ""

    @property
    def missing(self) -> list[str]:
        """Empty fields that a proposal to the board needs."""
        asked = ("name", "authors", "description", "licence", "trained_on", "pooling")
        return [name.replace("_", " ") for name in asked if not getattr(self, name).strip()]

    def write(self, parent: Path, release: Path) -> Path:
        """Write the form as a submission folder in `parent`."""
        names = [name.strip() for name in self.authors.split(",") if name.strip()]
        suffix = self.file.suffix if self.file.suffix in (".parquet", ".csv", ".jsonl") else ".csv"
        folder, task = parent / "submission", get_task(self.task).id
        folder.mkdir()
        shutil.copyfile(self.file, folder / f"{task}{suffix}")
        write_submission(
            folder,
            str(dataset_info(release).digest),
            {task: {"predictions": f"{task}{suffix}"}},
            name=self.name.strip() or DEFAULT_NAME,
            authors=names or ["not named"],
            description=self.description.strip() or "A predictions file.",
            code=self.code.strip() or None,
            licence=self.licence.strip() or "not given",
            trained_on=[each.strip() for each in self.trained_on.split(",") if each.strip()],
            pooling=self.pooling or "scan",
        )
        return folder


def handle(form: Form, release: Path, board: list[Result], repo: str | None) -> tuple[Result, list[str]]:
    """Check and score a form, propose it as a pull request if possible, and delete the upload.

    Args:
        form: The submitted form.
        release: Folder of the release.
        board: Results on the board.
        repo: Dataset on the Hub to which submissions are proposed, or None.

    Returns:
        The scored result, and notes for the user: place, remarks, and whether it was kept.

    Raises:
        MagBridgeError: If a check fails; the message does not show the server's paths.
    """
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = form.write(Path(scratch), release)
            try:
                entry = read_submission(folder, named_as_folder=False)
                checked = check(entry, Answers(release), board)
            except MagBridgeError as error:
                said = str(error).replace(f"{folder}/{form.task}{form.file.suffix}", form.file.name)
                raise MagBridgeError(said.replace(f"{folder}/", "").replace(str(folder), "it")) from error
            (result,) = checked.results
            kept = _kept(form, entry, repo)
    finally:
        form.file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # each upload has its own folder; one with other files stays
            form.file.parent.rmdir()
    return result, [placed(result, board), *checked.remarks, kept]


def _kept(form: Form, entry: Submitted, repo: str | None) -> str:
    if repo is None or not os.environ.get("HF_TOKEN"):
        return "Scored and deleted: this page keeps nothing. To enter the board, open a pull request (CONTRIBUTING.md)."
    if form.missing:
        return f"Scored and deleted: to keep it, also fill in {', '.join(form.missing)}."
    name, paths = entry.submission.name, sorted(entry.folder.iterdir())
    files: dict[str, Path | bytes] = {f"{name}/{path.name}": path.read_bytes() for path in paths}
    return f"Kept as a pull request, public from now on: {Repository(repo, 'dataset').propose(files, f'Submit {name}')}"


def summary(result: Result, notes: list[str]) -> str:
    """Render all metrics of a scored submission and its notes as Markdown."""
    metric, seeds = get_task(result.task).headline.name, len(result.runs)
    low, high = result.interval() or (float("nan"), float("nan"))
    lines = [
        f"**{metric} {result.mean():.4f}** (95 % over test batteries {low:.4f} to {high:.4f}), {result.n_test:,} test "
        f"rows, {seeds} seed{'s' if seeds > 1 else ''}, dataset `{result.dataset.short}`.",
        "",
        *(f"- {note}" for note in notes),
        "",
        markdown_table(("metric", "value"), [(n, f"{result.mean(n):.4f}") for n in result.runs[0].scores], "---"),
    ]
    return "\n".join(lines)


def ranked(result: Result, board: list[Result]) -> list[list[str]]:
    """Return the board with the submission in its place, one list of texts per row, columns as in `COLUMNS`."""
    own, entries = standing(result, board)
    rows = [list(texts_of(entry)) for entry in entries]
    rows[entries.index(own)][COLUMNS.index("model")] = f"➤ {result.model}"
    return rows
