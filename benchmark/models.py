"""What the benchmark evaluates: a model declaration, and how other things become one."""

from __future__ import annotations

import copy
import importlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from benchmark.features import static_features
from benchmark.tasks import TASKS, Task, get_task
from dataset_card.errors import MagBridgeError

SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Model:
    """A model to evaluate.

    The object that `build` returns has `fit(inputs, target)` and `predict(inputs)`; `predict_proba` or
    `decision_function` with `classes_` give scores for the AUC. Its `fit` may ask by name for more:
    `validation`, the validation rows as a `Subset`, for early stopping; `clean`, the clean grounded rows that
    it may fit on, as a `Subset` with SOH as target. An `n_features_` that it sets tells how many numbers a row its last
    learner sees; by default those of the inputs.

    Attributes:
        name: Unique within a task; letters, digits, `-` and `_`.
        tasks: Ids of the tasks it is for.
        build: Makes an unfitted model from a seed and a task.
        description: One sentence.
        features: Maps signals (n, 100, 6) to inputs (n, ...); None passes the signals.
        sampling: Training rows of one seed: `rows`, `cells` or `full` (see `benchmark.protocol`).
        seeds: Seeds of the protocol.
    """

    name: str
    tasks: tuple[str, ...]
    build: Callable[[int, Task], Any]
    description: str
    features: Callable | None = static_features
    sampling: str = "rows"
    seeds: tuple[int, ...] = SEEDS


class FunctionModel:
    """A plain function of signals, (n, 100, 6) to n predictions or (predictions, scores); nothing is fitted."""

    def __init__(self, function: Callable):
        self.function = function

    def fit(self, signals, target) -> FunctionModel:
        """Do nothing: the function is already what it is."""
        return self

    def predict(self, signals):
        """Return the function's value."""
        return self.function(signals)


class KeptByTask:
    """A learner that keeps its task by id, so that a fitted one is plain values and arrays: skops needs no pickle."""

    task: Task

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "task": self.task.id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, task=get_task(state["task"]))


def as_model(
    model, *, name: str | None = None, description: str | None = None, features: Callable | None = static_features
) -> Model:
    """`model` as a declaration.

    Args:
        model: A `Model`; anything with `fit` and `predict`, copied for each seed, whose unset `random_state`
            parameters take the seed; or a function of signals (n, 100, 6).
        name: Name in results; the class or function name by default, for a pipeline those of its steps.
        description: One sentence for boards.
        features: Inputs of an estimator, the static descriptor by default; None passes the signals themselves.

    Raises:
        MagBridgeError: It is none of these, or the name is none.
    """
    every_task = tuple(task.id for task in TASKS)
    if name is not None:
        check_name(name)
    if isinstance(model, Model):
        return replace(model, name=name or model.name, description=description or model.description)
    if hasattr(model, "fit") and hasattr(model, "predict"):
        if isinstance(model, type):
            raise MagBridgeError(f"{model.__name__} is a class: pass an instance, {model.__name__}()")
        return Model(
            name or "-".join(type(step).__name__ for _, step in getattr(model, "steps", [("", model)])),
            every_task,
            lambda seed, task: _seeded(model, seed),
            description or "An estimator passed to evaluate_model.",
            features,
        )
    if callable(model):
        # One seed is enough: with nothing fitted, every seed scores the same.
        return Model(
            name or str(getattr(model, "__name__", "")).strip("<>") or "function",
            every_task,
            lambda seed, task: FunctionModel(model),
            description or "A function of the signals, with nothing fitted.",
            None,
            "full",
            (0,),
        )
    raise MagBridgeError(
        f"cannot evaluate {type(model).__name__}: expected an object with fit and predict, or a function "
        "of signals (n, 100, 6)"
    )


def check_name(name: str) -> str:
    """A model's name, if boards and files can hold it.

    Raises:
        MagBridgeError: It is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name):
        raise MagBridgeError(f"model name {name!r}: expected 1 to 60 letters, digits, - and _")
    return name


def import_model(reference: str) -> Model:
    """The model that `module:name` names, from this folder or an installed package.

    Args:
        reference: A module's name or path and, after a colon, a `Model`, an estimator, or a function of signals
            (n, 100, 6); a function without arguments is called and gives one of these.

    Raises:
        MagBridgeError: There is no such module or name in it.
    """
    module, _, name = reference.partition(":")
    sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module.removesuffix(".py").replace("/", ".")), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise MagBridgeError(
            f"no model {reference} ({error}): expected MODULE:NAME, as in my_model:predict for predict() in my_model.py"
        ) from error
    finally:
        sys.path.remove("")
    if callable(found) and not isinstance(found, type) and not inspect.signature(found).parameters:
        found = found()
    # A declared model has a name of its own.
    return as_model(found, name=None if isinstance(found, Model) else name)


def _seeded(estimator, seed: int):
    """A copy of the estimator whose unset `random_state` parameters are `seed`."""
    estimator = copy.deepcopy(estimator)
    if hasattr(estimator, "get_params") and hasattr(estimator, "set_params"):
        unset = {
            name: seed
            for name, value in estimator.get_params().items()
            if name.rpartition("__")[2] == "random_state" and value is None
        }
        estimator.set_params(**unset)
    return estimator
