"""Score models on MagBridge-Battery releases: tasks, protocols, baselines, leaderboard.

from sklearn.linear_model import Ridge
from benchmark import evaluate_model

print(evaluate_model("t1", Ridge(), "magbridge-battery"))
"""

from importlib import import_module
from pathlib import Path

METRIC = str(Path(__file__).parent / "magbridge_metric")
"""Path of the metric, for `evaluate.load`."""

_NAMES = {
    "data": ("Subset", "TaskData", "load_task"),
    "models": ("Model",),
    "protocol": ("best_per_shot", "cross_validate", "evaluate_model", "few_shot"),
    "tasks": ("TASKS", "get_task"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = ["METRIC", *_HOMES]


def __dir__():
    return {*globals(), *__all__}


def __getattr__(name: str):
    """Load a name's module only when the name is used, so that commands can handle signals before the slow imports."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"benchmark.{_HOMES[name]}"), name)
