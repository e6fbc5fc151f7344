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

import numpy as np

from benchmark.features import channels_first, static_features
from benchmark.refusals import refused
from benchmark.tasks import BY_ID, Task, get_task
from dataset_card.errors import MagBridgeError

SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Model:
    """A model to evaluate.

    The object that `build` returns has `fit(inputs, target)` and `predict(inputs)`; `predict_proba` or
    `decision_function` with `classes_` give scores for the AUC. Its `fit` may ask by name for more:
    `validation`, the validation rows as a `Subset`, for early stopping; `clean`, the clean grounded rows that
    it may fit on, as a `Subset` with SOH as target; `groups`, the battery of each row, which a search whose `cv` splits
    by groups gets too. An `n_features_` that it sets tells how many numbers per row its last
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

    def inputs(self, signals: np.ndarray) -> np.ndarray:
        """What it reads of signals (n, 100, 6): `features` of them, or themselves."""
        return signals if self.features is None else self.features(signals)


class FunctionModel:
    """A plain function of signals, (n, 100, 6) to n predictions or (predictions, scores); nothing is fitted.

    A torch module, already trained, is such a function of tensors: its logits (n, k), or whole numbers, are of the
    task's classes in their order, which is that of the `ClassLabel` in `datasets`.
    """

    def __init__(self, function: Callable, task: Task):
        self.function, self.task = function, task

    def fit(self, signals, target) -> FunctionModel:
        """Do nothing: the function is already what it is."""
        return self

    def predict(self, signals):
        """Return the function's value."""
        name, shape = _name(self.function), signals.shape
        if hasattr(self.function, "named_parameters"):
            return labelled(self._forward(signals), self.task)
        try:
            return self.function(signals)
        except (AttributeError, TypeError) as error:
            raise refused("function_of_tensors", name=name, shape=shape, error=error) from error

    def _forward(self, signals) -> np.ndarray:
        import torch

        module: Any = copy.deepcopy(self.function)
        module.eval()
        like = next(module.parameters(), torch.empty(0))
        with torch.no_grad():
            try:
                return plain(module(torch.as_tensor(signals).to(like)))
            except RuntimeError as error:
                raise MagBridgeError(
                    f"{_name(module)} on a tensor of shape {signals.shape}: {' '.join(str(error).split())[:200]}; "
                    "a module of (n, channels, time) begins with x = x.transpose(1, 2)"
                ) from error


class KeptByTask:
    """A learner that keeps its task by id, so that a fitted one is plain values and arrays: skops needs no pickle."""

    task: Task

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "task": self.task.id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, task=get_task(state["task"]))


class Coded(KeptByTask):
    """A learner of whole numbers, such as XGBoost's: it is fitted on the places of labels in the task's classes."""

    def __init__(self, learner, task: Task):
        self.learner, self.task = learner, task

    def fit(self, inputs, target, **extras) -> Coded:
        """Fit the learner on the labels' places."""
        self.learner.fit(inputs, np.array([self.task.labels.index(label) for label in target]), **extras)
        return self

    def predict(self, inputs):
        """Labels at the places that the learner predicts."""
        return labelled(plain(self.learner.predict(inputs)), self.task)

    @property
    def classes_(self) -> list[str]:
        """Labels in the order of the learner's classes."""
        return [self.task.labels[int(place)] for place in self.learner.classes_]

    def __getattr__(self, name: str):
        if name == "learner":  # not there yet
            raise AttributeError(name)
        return getattr(self.learner, name)


def plain(values) -> np.ndarray:
    """Predictions of any kind (array, tensor, frame, list, tuple) as an array, a column (n, 1) as (n,)."""
    if isinstance(values, list | tuple):
        values = [value.detach().cpu() if hasattr(value, "detach") else value for value in values]
    values = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def labelled(values: np.ndarray, task: Task) -> np.ndarray:
    """Labels of the task at places (n,) in its classes, or where scores (n, k) are greatest; numbers as they are."""
    if task.is_regression or values.dtype.kind not in "iufb":
        return values
    if values.ndim == 2 and values.shape[1] == len(task.labels):
        values = values.argmax(axis=1)
    places = range(len(task.labels))
    if not np.isin(values, places).all():
        raise MagBridgeError(
            f"task {task.id}: numbers from {values.min():.4g} to {values.max():.4g} as predictions: expected labels, "
            f"or 0 to {places[-1]} for {', '.join(task.labels)}"
        )
    return np.array(task.labels)[values.astype(int)]


def as_model(
    model, *, name: str | None = None, description: str | None = None, features: Callable | None = static_features
) -> Model:
    """`model` as a declaration.

    Args:
        model: A `Model`; anything with `fit` and `predict`, copied for each seed, whose unset `random_state`
            parameters take the seed; a function of signals (n, 100, 6); or a torch module that is trained already.
        name: Name in results; the class or function name by default, for a pipeline those of its steps.
        description: One sentence for boards.
        features: Inputs of an estimator, the static descriptor by default; None passes the signals themselves. Where
            aeon or sktime made it, or the first step of a pipeline, it gets signals with time last, as they read them.

    Raises:
        MagBridgeError: It is none of these, or the name is none.
    """
    every_task = tuple(BY_ID)
    if name is not None:
        check_name(name)
    if isinstance(model, Model):
        return replace(model, name=name or model.name, description=description or model.description)
    if hasattr(model, "fit") and hasattr(model, "predict"):
        if isinstance(model, type):
            raise MagBridgeError(f"{model.__name__} is a class: pass an instance, {model.__name__}()")
        steps = getattr(model, "steps", [("", model)])
        of_series = type(steps[0][1]).__module__.partition(".")[0] in ("aeon", "sktime")
        return Model(
            name or "-".join(type(step).__name__ for _, step in steps),
            every_task,
            lambda seed, task: _seeded(model, seed),
            description or "An estimator passed to evaluate_model.",
            channels_first if of_series and features in (None, static_features) else features,
        )
    if callable(model):
        # One seed is enough: with nothing fitted, every seed scores the same.
        return Model(
            name or _name(model),
            every_task,
            lambda seed, task: FunctionModel(model, task),
            description or "A function of the signals, with nothing fitted.",
            None,
            "full",
            (0,),
        )
    raise refused("cannot_evaluate", kind=type(model).__name__)


def _name(function: Callable) -> str:
    return str(getattr(function, "__name__", type(function).__name__)).strip("<>")


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
        raise refused("no_model", reference=reference, error=error) from error
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
