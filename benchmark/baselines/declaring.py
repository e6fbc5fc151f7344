"""Declare baselines, with their descriptions from `descriptions.yaml`."""

from collections.abc import Callable
from typing import Any

from benchmark.features import static_features
from benchmark.models import SEEDS, Model
from benchmark.tasks import TASKS, Task
from dataset_card.storage.documents import packaged

ALL = tuple(task.id for task in TASKS)
"""The tasks on scans."""

DESCRIPTIONS: dict[str, str] = packaged("benchmark.baselines", "descriptions.yaml")


def declare(
    name: str,
    tasks: tuple[str, ...],
    build: Callable[[int, Task], Any],
    features: Callable | None = static_features,
    sampling: str = "rows",
    seeds: tuple[int, ...] = SEEDS,
) -> Model:
    """Declare the baseline with this name; arguments as for `Model`."""
    return Model(name, tasks, build, DESCRIPTIONS[name], features, sampling, seeds)


def scaled(*learners: Any):
    """Build a pipeline of a scaler and then scikit-learn's learners, in order."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), *learners)


def histogram_boosting(of_classes: bool, seed: int, **options: Any):
    """Build scikit-learn's histogram gradient boosting, unfitted, without early stopping; classes are balanced."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if of_classes:
        options["class_weight"] = "balanced"
    kind = HistGradientBoostingClassifier if of_classes else HistGradientBoostingRegressor
    return kind(early_stopping=False, random_state=seed, **options)
