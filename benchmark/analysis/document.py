"""The measurements on one release that the analysis page reports, as a JSON document of unrounded values."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmark.analysis import measures
from benchmark.analysis.measures import REFERENCE, OutOfFold
from benchmark.analysis.occlusion import occlusion
from benchmark.analysis.splits import MODELS, spread
from benchmark.data import DatasetInfo, dataset_info, load_truth, release_folder
from benchmark.refusals import refused
from benchmark.results import Result, read_predictions, read_results, release_stem
from benchmark.running.yardsticks import READERS
from benchmark.tasks import PRIMARY_SPLIT, TASKS, get_task
from dataset_card.contract.schema import REUSE_ABOVE_SOH, SECOND_LIFE_CLASSES
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import read_json
from dataset_card.storage.files import write_text

OCCLUDED = {"v1": (), "v2": ("functional-signed",)}
"""Shape readouts whose steps and channels are occluded, by bridge. There are none for v1, where SOH is in the noise."""

NEAR = 0.02
"""Distance in SOH within which a row counts as near the threshold of the classes."""

COMMAND = "python -m benchmark run --data {} --protocol {} --model {} --task {} --out {}"


def measure(release: str | Path, folder: Path, say: Callable[[str], None] = lambda words: None) -> dict:
    """Measure one release.

    Args:
        release: Release folder or Hub id.
        folder: Folder of results, which must include those on the release.
        say: Called with the name of each measurement before it starts.

    Returns:
        The document.

    Raises:
        MagBridgeError: If a result that the page reports is missing; this is checked before anything is measured.
    """
    dataset = dataset_info(release_folder(release))
    bridge = dataset.bridge
    filed = _filed(folder, dataset)
    readers = READERS[bridge]
    folds = {task: _folds(filed, task, model, release, folder) for task, model in readers.items()}
    say(f"{dataset.name}: severity and SOH error")
    document: dict = {
        "dataset": asdict(dataset),
        "readers": readers,
        "scores": _scores(folder, dataset, readers),
        "severity": {task: measures.recall_by_severity(folds[task]) for task in ("t3", "t4")},
        "false_alarms": measures.false_alarms(folds["t3"]),
        "soh": measures.soh_errors(folds["t1"]),
        "few_shot": _few_shot([result for _, result in filed]),
        "test_cells": {task: _test_cells(task, rows, release) for task, rows in folds.items()},
    }
    document |= {"curves": {task.id: {} for task in TASKS}, "splits": [], "occlusion": []}
    for task in TASKS:
        for model in dict.fromkeys((readers[task.id], REFERENCE[bridge][task.id])):
            say(f"{dataset.name}: learning curve of {model} on {task.id}")
            document["curves"][task.id][model] = measures.learning_curve(task.id, model, release)
    for task_id, models in MODELS.items():
        for model in models:
            if model in readers.values() or not any(model in others.values() for others in READERS.values()):
                say(f"{dataset.name}: random splits for {model} on {task_id}")
                document["splits"].append(asdict(spread(task_id, model, release)))
    for model in OCCLUDED[bridge]:
        say(f"{dataset.name}: occlusion of {model}")
        document["occlusion"].append(occlusion(model, release))
    return document


def write(document: dict, out: Path) -> Path:
    """Write a document, replacing those of other rows of the same dataset."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{release_stem(DatasetInfo(**document['dataset']))}.json"
    if path.exists() and "dataset" not in read_json(path):
        raise MagBridgeError(f"{path} is not a document of this page and was left unchanged: move it away")
    write_text(path, json.dumps(document, indent=1) + "\n")
    for other in out.glob("*.json"):
        if other != path and read_json(other).get("dataset", {}).get("name") == document["dataset"]["name"]:
            other.unlink()
    return path


def read_all(out: Path) -> list[dict]:
    """Read the documents in a folder, in the order of their datasets' names.

    Raises:
        MagBridgeError: If the folder has no document.
    """
    found = [document for path in sorted(out.glob("*.json")) if "dataset" in (document := read_json(path))]
    if not found:
        raise MagBridgeError(f"no measurements in {out}: name a release to measure with --data")
    return sorted(found, key=lambda document: document["dataset"]["name"])


def _filed(folder: Path, dataset: DatasetInfo) -> list[tuple[Path, Result]]:
    """Return the results on the release, each with its file, from the folder and its subfolders."""
    found = sorted(folder.rglob(f"{release_stem(dataset)}.jsonl"))
    if not found:
        raise refused("no_results_of_release", name=dataset.name, digest=dataset.short, folder=folder)
    return [(path, result) for path in found for result in read_results(path)]


def _folds(filed: list, task: str, model: str, release: str | Path, folder: Path) -> OutOfFold:
    """Read the out-of-fold predictions of a model."""
    key = (task, model, PRIMARY_SPLIT, "cross_validation")
    for path, result in filed:
        if result.key == key and result.predictions:
            return measures.out_of_fold(task, read_predictions(path, [result])[key], release)
    command = COMMAND.format(release, "cross_validation", model, task, folder)
    raise MagBridgeError(f"no predictions of {' '.join(key)} in {folder}: make them with `{command}`")


def _scores(folder: Path, dataset: DatasetInfo, readers: dict[str, str]) -> list[dict]:
    """Collect test and cross-validation scores on the release and on releases with other master seeds."""
    filed = [result for path in sorted(folder.rglob("*.jsonl")) for result in read_results(path)]
    kin = {(r.dataset.seed, r.task, r.model, r.protocol): r for r in filed if _is_kin(r, dataset)}
    out = []
    for seed in sorted({key[0] for key in kin}, key=lambda seed: (seed != dataset.seed, seed or 0)):
        for task, model in readers.items():
            test, folds = (kin.get((seed, task, model, protocol)) for protocol in ("rows", "cross_validation"))
            if test is None:
                raise refused("no_result_of_seed", model=model, task=task, seed=seed, folder=folder)
            ceiling = kin.get((seed, task, "fresh-rows", "ceiling"))
            out.append(
                {
                    "seed": seed,
                    "task": task,
                    "model": model,
                    "test": [test.mean(), test.std(), *(test.interval() or (None, None))],
                    "folds": None if folds is None else [folds.mean(), folds.std()],
                    "ceiling": None if ceiling is None else ceiling.mean(),
                }
            )
    return out


def _is_kin(result: Result, dataset: DatasetInfo) -> bool:
    other = result.dataset
    same = all(getattr(other, name) == getattr(dataset, name) for name in ("name", "upstream", "bridge_version"))
    return same and result.split == PRIMARY_SPLIT and (other.seed != dataset.seed or other.digest == dataset.digest)


def _few_shot(results: list[Result]) -> dict:
    """Collect the mean and std over seeds by task, model and number of shots."""
    out: dict = {task.id: {} for task in TASKS}
    for result in results:
        if result.protocol == "few_shot" and result.split == PRIMARY_SPLIT:
            shots = sorted({run.k for run in result.runs if run.k is not None})
            out[result.task][result.model] = [[k, result.mean(k=k), result.std(k=k)] for k in shots]
    return out


def _test_cells(task: str, rows: OutOfFold, release: str | Path) -> dict:
    """Compare out-of-fold scores on the official test cells and on the others, to show how easy the former are."""
    cells = load_truth(get_task(task), release_folder(release), PRIMARY_SPLIT).cell_ids
    test = np.isin(rows.columns["cell_id"], cells)
    return {
        name: {"score": measures.headline(task, part), "rows": len(part.truth)} | _difficulty(task, part)
        for name, part in (("test", rows.take(test)), ("others", rows.take(~test)))
    }


def _difficulty(task: str, rows: OutOfFold) -> dict:
    """Measure how hard rows are: on T1 by error and spread of SOH, on T2 by share near the threshold and recall."""
    if task == "t1":
        error = rows.prediction - rows.truth
        return {"rmse": float(np.sqrt((error**2).mean())), "soh_std": float(rows.truth.std())}
    if task == "t2":
        near = np.abs(rows.columns["soh"].astype(float) - REUSE_ABOVE_SOH) < NEAR
        of = {label: rows.truth == label for label in SECOND_LIFE_CLASSES}
        return {
            "near": {label: float(near[members].mean()) for label, members in of.items()},
            "recall": {label: float((rows.prediction == label)[members].mean()) for label, members in of.items()},
        }
    return {}
