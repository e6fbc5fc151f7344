"""Convert results to JSON documents and back; check the schema and that the figures are possible."""

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from benchmark.data import DatasetInfo
from benchmark.results.result import Result
from benchmark.scoring import LEVEL, RESAMPLES, Run, whole
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import schema_errors

SCHEMA_VERSION = "3.0"
GREATEST = 1e300
"""Greatest absolute value of a statistic, as in the schema."""
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")


def to_json(result: Result) -> dict:
    """Return the result as its JSON document, without the predictions."""
    summary: dict = {"metric": result.headline, "mean": result.mean(), "std": result.std(), "interval": None}
    if (limits := result.interval()) is not None:
        how = {"level": LEVEL, "resamples": RESAMPLES, "resampled": "batteries"}
        summary["interval"] = dict(zip(("low", "high"), limits)) | how
    plain = {f.name: getattr(result, f.name) for f in fields(Result) if f.name not in ("table", "runs")}
    plain |= {"dataset": asdict(result.dataset), "battery_ids": list(result.battery_ids)}
    runs = [{k: v for k, v in asdict(run).items() if v is not None} for run in result.runs]
    headline_of = None if result.protocol == "few_shot" else summary
    return {"schema_version": SCHEMA_VERSION, **plain, "headline": headline_of, "runs": runs}


def from_json(document: dict, where: str) -> Result:
    """Return the result that a JSON document describes.

    Args:
        document: Document as `to_json` returns it.
        where: Name of the document in errors.

    Raises:
        MagBridgeError: If the document breaks the schema, or a figure is impossible: not finite, outside a metric's
            bounds, or different from what its statistics by battery give.
    """
    for part, message in schema_errors(_without_statistics(document), SCHEMA_FILE):
        raise MagBridgeError(f"{where}: {'/'.join(part) or 'the document'}: {message[:300]}; see {SCHEMA_FILE.name}")
    kept = {f.name: document[f.name] for f in fields(Result) if f.name != "table"}
    kept["dataset"] = DatasetInfo(**document["dataset"])
    kept["runs"] = tuple(Run(**run) for run in document["runs"])
    kept["battery_ids"] = tuple(document["battery_ids"])
    result = Result(**kept)
    for number, run in enumerate(result.runs):
        _check_figures(result, run, f"{where}: runs/{number}")
    summary = document["headline"]
    if summary is not None and not np.isclose(summary["mean"], result.mean(), rtol=1e-9, atol=1e-12):
        raise MagBridgeError(f"{where}: headline/mean is {summary['mean']}, the runs give {result.mean()}")
    return result


def _without_statistics(document: dict) -> dict:
    """Return the document without its valid tables of numbers: the schema validator takes seconds to walk them."""
    try:
        runs = [
            {name: [] if name in ("batteries", "visits") and _holds(value) else value for name, value in run.items()}
            for run in document["runs"]
        ]
    except (AttributeError, KeyError, TypeError):
        return document  # the schema says what is wrong with it
    return document | {"runs": runs}


def _holds(table: object) -> bool:
    """Return whether a value is a table of numbers as the schema requires."""
    return isinstance(table, list) and all(
        isinstance(row, list) and all(type(v) in (int, float) and -GREATEST <= v <= GREATEST for v in row)
        for row in table
    )


def _check_figures(result: Result, run: Run, where: str) -> None:
    """Raise an error for scores that no predictions can have."""
    task = get_task(result.task)
    metrics = {metric.name: metric for metric in task.metrics}
    if task.headline.name not in run.scores:
        raise MagBridgeError(f"{where}/scores lacks the headline {task.headline.name} of {task.id}")
    for name, value in run.scores.items():
        if name not in metrics:
            raise MagBridgeError(f"{where}/scores: unknown metric {name}: expected some of {', '.join(metrics)}")
        low, high = metrics[name].lowest, metrics[name].highest
        if not (low <= value <= high and abs(value) < float("inf")):
            raise MagBridgeError(f"{where}/scores: {name} is {value}: expected a finite number from {low} to {high}")
    if not result.battery_ids:
        return
    width, count = 4 if task.is_regression else len(task.labels) ** 2, len(result.battery_ids)
    for name, rows in (("batteries", run.batteries), ("visits", run.visits)):
        if rows is None and name == "visits":
            continue
        if rows is None or [len(row) for row in rows] != [width] * count:
            raise MagBridgeError(f"{where}/{name}: expected {width} statistics for each of {count} batteries")
    given = run.scores[task.headline.name]
    with np.errstate(all="ignore"):
        recomputed = whole(task, np.array(run.batteries, dtype=float))
    if not np.isclose(recomputed, given, rtol=1e-9, atol=1e-12):
        raise MagBridgeError(f"{where}: {task.headline.name} is {given}, its statistics by battery give {recomputed}")
