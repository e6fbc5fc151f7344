"""Model declarations, and the conversion of estimators and functions to them."""

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
    `decision_function`, together with `classes_`, give the scores for the AUC. Its `fit` may name further arguments:
    `validation`, the validation rows as a `Subset`, for early stopping; `clean`, the clean grounded rows that it may
    fit on, as a `Subset` with SOH as target; `groups`, the battery of each row, which is also passed to a search whose
    `cv` splits by groups. If it sets `n_features_`, that is the number of values per row that its last learner sees;
    otherwise the size of the inputs counts.

    Attributes:
        name: Unique within a task; letters, digits, `-` and `_`.
        tasks: Ids of the tasks that the model is for.
        build: Function that makes an unfitted model from a seed and a task.
        description: One sentence.
        features: Function from signals (n, 100, 6) to inputs (n, ...); None passes the signals.
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
        """Compute the inputs from signals (n, 100, 6): their `features`, or the signals themselves."""
        return signals if self.features is None else self.features(signals)


class FunctionModel:
    """A function from signals (n, 100, 6) to n predictions or to (predictions, scores); nothing is fitted.

    A trained torch module is such a function of tensors: its logits (n, k), or whole numbers, refer to the task's
    classes in their order, which is also that of the `ClassLabel` in `datasets`.
    """

    def __init__(self, function: Callable, task: Task):
        self.function, self.task = function, task

    def fit(self, signals, target) -> FunctionModel:
        """Do nothing: a function needs no fitting."""
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
    """A learner that stores its task by id, so that skops can save it as plain values and arrays, without pickle."""

    task: Task

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "task": self.task.id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, task=get_task(state["task"]))


class Coded(KeptByTask):
    """Wrapper for a learner of whole numbers, such as XGBoost's: labels become positions in the task's classes."""

    def __init__(self, learner, task: Task):
        self.learner, self.task = learner, task

    def fit(self, inputs, target, **extras) -> Coded:
        """Fit the learner on the positions of the labels."""
        self.learner.fit(inputs, np.array([self.task.labels.index(label) for label in target]), **extras)
        return self

    def predict(self, inputs):
        """Return the labels at the positions that the learner predicts."""
        return labelled(plain(self.learner.predict(inputs)), self.task)

    @property
    def classes_(self) -> list[str]:
        """Labels in the order of the learner's classes."""
        return [self.task.labels[int(place)] for place in self.learner.classes_]

    def __getattr__(self, name: str):
        if name == "learner":  # not set yet
            raise AttributeError(name)
        return getattr(self.learner, name)


def plain(values) -> np.ndarray:
    """Return predictions (array, tensor, frame, list or tuple) as an array, with a column (n, 1) flattened to (n,)."""
    if isinstance(values, list | tuple):
        values = [value.detach().cpu() if hasattr(value, "detach") else value for value in values]
    values = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def labelled(values: np.ndarray, task: Task) -> np.ndarray:
    """Return the labels for class positions (n,) or for the greatest of scores (n, k); other values pass unchanged."""
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
    """Turn `model` into a declaration.

    Args:
        model: A `Model`; an object with `fit` and `predict`, which is copied for each seed and whose unset
            `random_state` parameters take the seed; a function of signals (n, 100, 6); or a trained torch module.
        name: Name in results; by default the class or function name, or for a pipeline the names of its steps.
        description: One sentence for boards.
        features: Inputs of an estimator, the static descriptor by default; None passes the signals themselves. An
            estimator, or first step of a pipeline, from aeon or sktime gets signals with time last, as these expect.

    Returns:
        The declaration.

    Raises:
        MagBridgeError: If `model` has an unsupported type or `name` is invalid.
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
        # One seed is enough: nothing is fitted, so every seed scores the same.
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
    """Return a model's name if it is valid on boards and in file names.

    Raises:
        MagBridgeError: If it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name):
        raise MagBridgeError(f"model name {name!r}: expected 1 to 60 letters, digits, - and _")
    return name


def import_model(reference: str) -> Model:
    """Import the model `module:name` from the working folder or an installed package.

    Args:
        reference: A module's name or path and, after a colon, the name of a `Model`, an estimator, or a function of
            signals (n, 100, 6); a function without arguments is called and must return one of these.

    Raises:
        MagBridgeError: If there is no such module, or it has no such name.
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
    # A declared model already has a name.
    return as_model(found, name=None if isinstance(found, Model) else name)


def _seeded(estimator, seed: int):
    """Return a copy of the estimator with its unset `random_state` parameters set to `seed`."""
    estimator = copy.deepcopy(estimator)
    if hasattr(estimator, "get_params") and hasattr(estimator, "set_params"):
        unset = {
            name: seed
            for name, value in estimator.get_params().items()
            if name.rpartition("__")[2] == "random_state" and value is None
        }
        estimator.set_params(**unset)
    return estimator
