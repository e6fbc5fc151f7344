"""T1 between the two ageing laws of v2: fitted on batteries of one, scored on test rows of the other.

How the field follows SOH is a hypothesis, and v2 draws a battery's law from two. A readout that only inverts one of
them shows it here.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np

from benchmark.data import Subset, TaskData
from benchmark.models import Model
from benchmark.protocol import evaluate_model
from benchmark.results import Result
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError

TASK = get_task("t1")


def law_transfer(model: Model, data: TaskData) -> Result:
    """Fit a T1 model on all training rows of one law and score it on test rows of the other, both ways.

    Args:
        model: A model of T1.
        data: Its rows, of a release that has laws.

    Returns:
        Two runs: fold 0 is fitted on the law whose name comes first and scored on the other, fold 1 the other way.

    Raises:
        MagBridgeError: The rows have no laws, or they have one law alone.
    """
    laws = sorted(set(data.train.laws.tolist()) - {""})
    if len(laws) != 2 or not set(laws) <= set(data.test.laws.tolist()):
        raise MagBridgeError(
            f"ageing laws {laws} in the training rows: expected two, in the test rows too; they are mixed from v2.1 on"
        )
    runs, started = [], time.perf_counter()
    for fold, (fitted, scored) in enumerate((laws, laws[::-1])):
        validation = data.validation and _of(data.validation, fitted)
        given = TaskData(
            TASK,
            _of(data.train, fitted),
            validation,
            _of(data.test, scored),
            data.split,
            data.dataset,
            load_clean=partial(_clean, data, fitted),
        )
        result = evaluate_model(TASK, model, given, sampling="full", seeds=(0,))
        runs.append(replace(result.runs[0], fold=fold, batteries=None, visits=None))
    return replace(
        result,
        protocol="law_transfer",
        runs=tuple(runs),
        battery_ids=(),
        n_test=None,
        seconds=time.perf_counter() - started,
        table=None,
    )


def worst(result: Result) -> float:
    """The lower of the two scores."""
    return float(np.min(result.values()))


def _clean(data: TaskData, law: str) -> dict[str, Subset]:
    return {"train": _of(data.clean()["train"], law)}


def _of(rows: Subset, law: str) -> Subset:
    return rows.take(rows.laws == law)
