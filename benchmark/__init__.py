"""Scores models on MagBridge-Battery releases: tasks T1 to T4, protocol, baselines, leaderboard.

from sklearn.linear_model import Ridge
from benchmark import evaluate_model

print(evaluate_model("t1", Ridge(), "magbridge-battery"))
"""

from benchmark.data import Subset, TaskData, load_task
from benchmark.models import Model
from benchmark.protocol import best_per_shot, cross_validate, evaluate_model, few_shot
from benchmark.tasks import TASKS, get_task

__all__ = [
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
