"""Run declared baselines over tasks and file their results."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from benchmark.baselines import get_model, models, tabicl
from benchmark.data import TaskData, load_task, tasks_in
from benchmark.models import Model, import_model
from benchmark.protocol import cross_validate, evaluate_model, few_shot
from benchmark.refusals import refused
from benchmark.results import SAMPLINGS, Result, read_results, write_result
from benchmark.running.yardsticks import law_transfer, nulls
from benchmark.tasks import PRIMARY_SPLIT, Task, get_task, known
from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine
from dataset_card.storage.output import require_place

TABLE_FAMILIES = {3: "classical", 4: "deep"}


def _needs_the_bridge(name: str) -> Model:
    raise MagBridgeError(f"{name} needs the bridge: run `magbridge benchmark run --model {name}`")


OUTSIDE: dict[str, Callable[[], Model]] = {
    **{name: partial(_needs_the_bridge, name) for name in ("reservoir-ridge", "matched-filters")},
    "tabicl": lambda: tabicl.MODEL,
}
"""Models that run only if named. Packages above this one supply the first two; the third needs weights."""

LAWS = "law_transfer"
RUN = (*SAMPLINGS, "few_shot", "cross_validation", LAWS, "null")
"""Protocols that can be run; `null` runs no model, but scores predictions from the terminals without signals."""


def run_baselines(
    data: str | Path,
    *,
    task: str | None = None,
    model: str | None = None,
    table: int | None = None,
    split: str = PRIMARY_SPLIT,
    protocol: str | None = None,
    like: Path | None = None,
    out: Path | None = None,
    engine: Engine | None = None,
) -> list[Result]:
    """Run the chosen baselines.

    Args:
        data: Release folder or Hub id.
        task: One task id; all by default.
        model: Name of one model, or `module:name` for the user's own; all by default.
        table: 3 or 4, for the models of that published table.
        split: Split to read.
        protocol: One of `RUN`; each model's own sampling by default. `law_transfer` applies only to T1.
        like: Results file or folder: run only the models, tasks and protocols of these results.
        out: Folder to which each result is written as soon as it is available.
        engine: Processes or a cluster for the fits; by default this process runs them in turn.

    Returns:
        Results by task, then model.

    Raises:
        MagBridgeError: If the task, model, table or protocol is unknown, or there is nothing to run.
    """
    if table is not None and table not in TABLE_FAMILIES:
        raise MagBridgeError(f"unknown table {table}: expected 3 or 4")
    if out is not None:
        require_place(out)
    if protocol is not None:
        known(protocol, RUN, "protocol")
    own = None
    if model in OUTSIDE:
        own = OUTSIDE[model]()
    elif model is not None and ":" in model:
        own = import_model(model)
    elif model is not None:
        get_model(model)
    tasks = tasks_in(data) if task is None else (get_task(task),)
    pairs = (
        [(t, own) for t in tasks if t.id in own.tasks]
        if own
        else [(t, m) for t in tasks for m in _chosen(t, model, table)]
    )
    chosen: list[tuple[Task, Model | None, str | None]]
    if protocol == "null":
        chosen = [(t, None, protocol) for t in tasks]
    elif like is None:
        chosen = [(t, m, protocol) for t, m in pairs if protocol != LAWS or t.id == "t1"]
    else:
        filed = {(r.task, r.model, r.protocol) for r in read_results(like) if protocol in (None, r.protocol)}
        chosen = [(t, m, kind) for t, m in pairs for kind in RUN if (t.id, m.name, kind) in filed]
        chosen += [(t, None, "null") for t in tasks if (t.id, "null") in {(task, kind) for task, _, kind in filed}]
    if not chosen:
        raise refused("no_baseline_fits", task=task, model=model, table=table, like=like)
    results, rows = [], None
    for t, m, kind in chosen:
        if rows is None or rows.task != t:
            rows = load_task(t, data, split)
        for result in _run(t, m, kind, rows, data, engine):
            if out is not None:
                write_result(result, out)
            results.append(result)
    return results


def _run(
    task: Task, model: Model | None, protocol: str | None, rows: TaskData, data: str | Path, engine: Engine | None
) -> Iterable[Result]:
    if model is None:
        return nulls(task, rows, data, rows.dataset.bridge)
    if protocol == "few_shot":
        return [few_shot(task, model, rows, engine=engine, progress=True)]
    if protocol == "cross_validation":
        return [cross_validate(task, model, rows, engine=engine, progress=True)]
    if protocol == LAWS:
        return [law_transfer(model, rows)]
    return [evaluate_model(task, model, rows, sampling=protocol, engine=engine, progress=True)]


def _chosen(task: Task, name: str | None, table: int | None) -> list[Model]:
    family = None if table is None else TABLE_FAMILIES[table]
    return [m for m in models(task.id, family) if name in (None, m.name)]
