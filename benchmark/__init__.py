"""Scores models on MagBridge-Battery releases: tasks T1 to T4, protocol, baselines, leaderboard.

from sklearn.linear_model import Ridge
from benchmark import evaluate_model

print(evaluate_model("t1", Ridge(), "magbridge-battery"))
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.data import Subset, TaskData, load_task
    from benchmark.models import Model
    from benchmark.protocol import best_per_shot, cross_validate, evaluate_model, few_shot
    from benchmark.tasks import TASKS, get_task

METRIC = str(Path(__file__).parent / "magbridge_metric")
"""The metric as a module for `evaluate.load`."""

__all__ = [
    "METRIC",
    "TASKS",
    "Model",
    "Subset",
    "TaskData",
    "best_per_shot",
    "cross_validate",
    "evaluate_model",
    "few_shot",
    "get_task",
    "load_task",
]

_HOMES = {
    "benchmark.data": (
        "Subset",
        "TaskData",
        "load_task",
    ),
    "benchmark.models": ("Model",),
    "benchmark.protocol": (
        "best_per_shot",
        "cross_validate",
        "evaluate_model",
        "few_shot",
    ),
    "benchmark.tasks": (
        "TASKS",
        "get_task",
    ),
}


def __getattr__(name: str):
    """Load a name's module only when it is used: a command answers signals before."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
