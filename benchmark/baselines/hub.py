"""Fitted baselines on the Hub: one skops file per seed, without pickle, described in `baseline.json`.

skops builds only the types it knows and those of `TRUSTED`. Some of these, trees and convolutions, are arrays that
compiled code reads unchecked: a forged file could crash the process, but could not run code.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark.baselines import get_model
from benchmark.data import TaskData, load_task
from benchmark.models import Model
from benchmark.protocol import fit_seeds, predict, prediction_table
from benchmark.refusals import refused
from benchmark.results import named_digest
from benchmark.scoring import score_rows
from benchmark.tasks import Task, get_task
from dataset_card.cards.evaluation import eval_results
from dataset_card.errors import MagBridgeError, optional
from dataset_card.running.hub import Repository
from dataset_card.running.templates import template

FILE = "baseline.json"
MAX_BYTES = 256 * 2**20
"""Size limit of a pulled baseline, all files together."""

TRUSTED = Path(__file__).with_name("trusted.txt").read_text(encoding="utf-8").split()
"""Trusted types in addition to those of skops: the baselines' own classes, trees, and aeon's transforms."""


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline.

    Attributes:
        model: Declaration of the model.
        task: Task that it was fitted for.
        digest: Digest of the release that it was fitted on.
        fitted: Estimator by seed.
        dataset_id: Id of the dataset on the Hub that it was fitted on, or None for a local release.
        evaluation: Its scores on that dataset, in the format of the Hub's leaderboards, or None.
    """

    model: Model
    task: Task
    digest: str
    fitted: dict[int, Any]
    dataset_id: str | None = None
    evaluation: str | None = None

    def predictions(self, data: TaskData | str | Path) -> pa.Table:
        """Predict the test rows with every seed, in the format of `evaluate_model`.

        Args:
            data: Rows of the task, or a release folder or Hub id.
        """
        rows = data if isinstance(data, TaskData) else load_task(self.task, data)
        inputs = rows.inputs(self.model.features, "test")
        tables = [
            prediction_table(self.task, rows.test.sample_ids, seed, *predict(estimator, inputs, self.task))
            for seed, estimator in self.fitted.items()
        ]
        return pa.concat_tables(tables).combine_chunks()


def fit_baseline(task: str | Task, name: str, data: TaskData | str | Path) -> Baseline:
    """Fit a declared baseline once per seed, as for the board.

    Raises:
        MagBridgeError: If there is no such baseline or task, or the rows are not from a release.
    """
    task, model = get_task(task), get_model(name)
    rows = data if isinstance(data, TaskData) else load_task(task, data)
    fitted = dict(fit_seeds(task, model, rows))
    baseline = Baseline(model, task, named_digest(rows.dataset), fitted)
    if isinstance(data, TaskData) or Path(data).exists() or not task.headline.higher_is_better:
        return baseline
    inputs = rows.inputs(model.features, "test")
    scores = [score_rows(task, rows.test, *predict(fit, inputs, task))[task.headline.name] for fit in fitted.values()]
    notes = f"{task.headline.name}, {task.split}, mean over {len(scores)} seeds, dataset {baseline.digest}"
    evaluation = eval_results(str(data), [(task.config, float(np.mean(scores)), notes)])
    return replace(baseline, dataset_id=str(data), evaluation=evaluation)


def baseline_files(baseline: Baseline, repo_id: str) -> dict[str, bytes]:
    """Return the files of a baseline's repository, by path.

    Raises:
        MagBridgeError: If skops is not installed, or the baseline contains types that a pull would not trust.
    """
    io = _skops()
    about = {"model": baseline.model.name, "task": baseline.task.id, "release": baseline.digest}
    files = {FILE: (json.dumps(about | {"seeds": list(baseline.fitted)}) + "\n").encode()}
    for seed, estimator in baseline.fitted.items():
        try:
            content = io.dumps(estimator)
            strange = set(io.get_untrusted_types(data=content)) - set(TRUSTED)
        except (RuntimeError, TypeError) as error:  # torch's tensors, and objects without a state
            raise MagBridgeError(
                f"{baseline.model.name} cannot be saved without pickle ({error}): push another baseline"
            ) from error
        if strange:
            raise refused("untrusted", model=baseline.model.name, strange=sorted(strange)[0])
        files[f"seed-{seed}.skops"] = content
    card = template("benchmark.baselines", "baseline_card.md", keep_trailing_newline=True)
    if baseline.evaluation is not None:
        files[".eval_results/magbridge.yaml"] = baseline.evaluation.encode()
    return files | {"README.md": card.render(baseline=baseline, repo=repo_id).encode()}


def push_baseline(repo_id: str, baseline: Baseline, *, private: bool = False) -> str:
    """Create or update a baseline's repository in one commit, and return its URL.

    Raises:
        MagBridgeError: As in `baseline_files`; also if the repository has other content or the Hub refuses.
    """
    files = baseline_files(baseline, repo_id)
    repository = Repository(repo_id, "model")
    repository.check(FILE, private)
    repository.replace(files, f"{baseline.model.name} on {baseline.task.id}", private=private)
    return repository.url


def pull_baseline(repo_id: str, revision: str | None = None) -> Baseline:
    """Load a fitted baseline from the Hub.

    Args:
        repo_id: Id of the repository, `user/name`.
        revision: A commit or tag; the newest by default.

    Raises:
        MagBridgeError: If the repository has no baseline, or one that is damaged or contains untrusted types.
    """
    repository = Repository(repo_id, "model")
    if FILE not in repository.files:
        raise refused("no_baseline", repo_id=repo_id, file=FILE)
    files = {path: repository.read(path, revision) for path in sorted(repository.files) if path.endswith(".skops")}
    return read_baseline(files | {FILE: repository.read(FILE, revision)}, repo_id)


def read_baseline(files: dict[str, bytes], where: str) -> Baseline:
    """Read a baseline from the files that `baseline_files` made; `where` names them in errors."""
    io = _skops()
    if sum(map(len, files.values())) > MAX_BYTES:
        raise MagBridgeError(f"{where} is over {MAX_BYTES / 2**20:.0f} MB: expected a fitted baseline")
    try:
        about = json.loads(files[FILE])
        model, task, digest = get_model(str(about["model"])), get_task(str(about["task"])), str(about["release"])
        seeds = [int(seed) for seed in about["seeds"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise MagBridgeError(f"{where}: {FILE} is damaged ({str(error)[:200]}): push it again") from error
    fitted = {}
    for seed in seeds:
        try:
            fitted[seed] = io.loads(files[f"seed-{seed}.skops"], trusted=TRUSTED)
        except MagBridgeError:
            raise  # a library that the model needs is not installed
        except Exception as error:  # a damaged file may provoke any error in skops or zipfile
            reason = " ".join(str(error).split())[:200]
            raise MagBridgeError(f"{where}: seed-{seed}.skops is not a trusted skops file ({reason})") from error
    return Baseline(model, task, digest, fitted)


def _skops():
    with optional("skops"):
        import skops.io
    return skops.io
