"""Scores models on MagBridge-Battery releases: tasks T1 to T4, protocol, baselines, leaderboard.

from sklearn.linear_model import Ridge
from benchmark import evaluate_model

print(evaluate_model("t1", Ridge(), "magbridge-battery"))
"""

from importlib import import_module
from pathlib import Path

METRIC = str(Path(__file__).parent / "magbridge_metric")
"""The metric as a module for `evaluate.load`."""

_HOMES = {
    "TASKS": "tasks",
    "Model": "models",
    "Subset": "data",
    "TaskData": "data",
    "best_per_shot": "protocol",
    "cross_validate": "protocol",
    "evaluate_model": "protocol",
    "few_shot": "protocol",
    "get_task": "tasks",
    "load_task": "data",
}
__all__ = ["METRIC", *_HOMES]


def __getattr__(name: str):
    """Load a name's module only when it is used: a command answers signals before."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"benchmark.{_HOMES[name]}"), name)
