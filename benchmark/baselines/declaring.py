"""Declares a baseline, with what `descriptions.yaml` says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmark.features import static_features
from benchmark.models import SEEDS, Model
from benchmark.tasks import TASKS, Task

ALL = tuple(task.id for task in TASKS)
"""The tasks on scans."""

DESCRIPTIONS: dict[str, str] = yaml.safe_load(Path(__file__).with_name("descriptions.yaml").read_text(encoding="utf-8"))


def declare(
    name: str,
    tasks: tuple[str, ...],
    build: Callable[[int, Task], Any],
    features: Callable | None = static_features,
    sampling: str = "rows",
    seeds: tuple[int, ...] = SEEDS,
) -> Model:
    """A baseline of this name; arguments as of `Model`."""
    return Model(name, tasks, build, DESCRIPTIONS[name], features, sampling, seeds)
