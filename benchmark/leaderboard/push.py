"""Publish the metric and the leaderboard as Spaces on the Hugging Face Hub."""

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

from benchmark.leaderboard.space.app import SETTINGS
from benchmark.leaderboard.submissions import read_submissions
from benchmark.refusals import refused
from benchmark.results import SHIPPED, read_files
from dataset_card.running.hub import Repository, require_repo_id

PACKAGE = Path(__file__).parent.parent
METRIC = "magbridge_metric"
METRIC_FILE = f"{METRIC}.py"
SPACE = PACKAGE / "leaderboard" / "space"

APP = '''"""The Space's entry: serves the leaderboard with the result files beside it."""

from pathlib import Path

from benchmark.leaderboard.space.app import serve_space

if __name__ == "__main__":
    serve_space(Path(__file__).parent)
'''


def metric_files(repo_id: str) -> dict[str, Path]:
    """Return the files of the metric's Space, by path.

    Raises:
        MagBridgeError: If the Space's name is not that of the metric's file.
    """
    if repo_id.partition("/")[2] != METRIC:
        raise refused("space_name", repo_id=repo_id, metric=METRIC)
    folder = PACKAGE / METRIC
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and path.name != "__init__.py"}


def leaderboard_files(
    dataset_id: str, results: Path | None = None, submissions: str | None = None
) -> dict[str, Path | bytes]:
    """Return the files of the leaderboard's Space, by path: the page, the code that it runs, and the results.

    Args:
        dataset_id: Id of the dataset on the Hub to score against, `user/name`.
        results: Folder of results; the shipped ones by default.
        submissions: Dataset on the Hub to which checked submissions are proposed if the Space has a token.

    Raises:
        MagBridgeError: If `dataset_id` or `submissions` is not an id of the Hub, or if a results file or an entry is
            missing or invalid.
    """
    if Path(dataset_id).exists():
        raise refused("no_dataset_id", dataset_id=dataset_id)
    require_repo_id(dataset_id)
    if submissions is not None:
        require_repo_id(submissions)
    filed = read_files(results)  # a damaged one fails here, not in the Space
    read_submissions()  # likewise; and a link in an entry would publish a file of this machine
    files: dict[str, Path | bytes] = {
        "README.md": Template((SPACE / "README.md").read_text(encoding="utf-8"))
        .substitute(dataset=dataset_id)
        .encode(),
        "app.py": APP.encode(),
        "requirements.txt": SPACE / "requirements.txt",
        SETTINGS: (json.dumps({"dataset": dataset_id, "submissions": submissions}) + "\n").encode(),
    }
    for package in (PACKAGE, PACKAGE.parent / "dataset_card"):
        for path in sorted(package.rglob("*")):
            inside = path.relative_to(package).parts
            # The chosen results replace the shipped ones; code and schema of `results` stay.
            shipped = inside[0] == SHIPPED.name and (len(inside) > 2 or path.suffix not in (".py", ".json", ".yaml"))
            # The page also needs the predictions of submissions, because it scores them itself.
            needed = path.suffix != ".parquet" or inside[0] == "submissions"
            if path.is_file() and "__pycache__" not in inside and not shipped and needed:
                files["/".join((package.name, *inside))] = path
    return files | {f"results/{path.name}": path for path in filed}


def push_metric(repo_id: str, *, private: bool = False) -> str:
    """Create or update the metric's Space, in one commit.

    Args:
        repo_id: Id of the Space, `user/magbridge_metric`; `evaluate.load` looks for a file with the Space's name.
        private: Whether only its owner may see it.

    Returns:
        The URL of the Space.

    Raises:
        MagBridgeError: If the name differs, the Space has other content, or the Hub refuses or cannot be reached.
    """
    return _push(repo_id, metric_files(repo_id), METRIC_FILE, "MagBridge metric", private)


def push_leaderboard(
    repo_id: str, dataset_id: str, *, results: Path | None = None, submissions: str | None = None, private: bool = False
) -> str:
    """Create or update the leaderboard's Space, in one commit.

    Args:
        repo_id: Id of the Space, `user/name`.
        dataset_id: Id of the dataset on the Hub to score against.
        results: Folder of results; the shipped ones by default.
        submissions: As in `leaderboard_files`.
        private: Whether only its owner may see it.

    Returns:
        The URL of the Space.

    Raises:
        MagBridgeError: As in `leaderboard_files`; also if the Space has other content, or the Hub refuses or cannot be
            reached.
    """
    files = leaderboard_files(dataset_id, results, submissions)
    return _push(repo_id, files, SETTINGS, "MagBridge-Battery leaderboard", private)


def _push(repo_id: str, files: Mapping[str, Path | bytes], marker: str, message: str, private: bool) -> str:
    repository = Repository(repo_id, "space")
    repository.check(marker, private)
    repository.replace(files, message, private=private, space_sdk="gradio")
    return repository.url
