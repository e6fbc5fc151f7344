"""The benchmark tasks as frozen declarations; their common logic is in `scoring` and `protocol`."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.magbridge_metric.scores import TASKS as SPECS
from dataset_card.contract.editions import V1, V3, Edition
from dataset_card.errors import MagBridgeError

PRIMARY_SPLIT = "by_cell_primary"
OPTIMISTIC_SPLIT = "by_record_optimistic_baseline"
SPLITS = (PRIMARY_SPLIT, OPTIMISTIC_SPLIT)


@dataclass(frozen=True)
class Metric:
    """One score.

    Attributes:
        name: Key in results.
        meaning: One phrase for tables.
        lowest: Lowest possible value; minus infinity if it is unbounded.
        highest: Highest possible value.
        higher_is_better: Whether higher values are better.
        needs_scores: Whether it reads a score per row in addition to the predicted label.
        needs_rows: Whether it needs more than the labels of the rows: the tables that v2's cells come from, or which
            rows are parents or have a defect.
    """

    name: str
    meaning: str
    lowest: float = 0.0
    highest: float = 1.0
    higher_is_better: bool = True
    needs_scores: bool = False
    needs_rows: bool = False

    @property
    def sign(self) -> int:
        """1 if higher values are better, else -1; of values multiplied by it, the highest is the best."""
        return 1 if self.higher_is_better else -1


@dataclass(frozen=True, repr=False)
class Task:
    """One benchmark task.

    Attributes:
        id: `t1` to `t4` on releases of scans, `t5` to `t9` on v3.
        title: A few words.
        config: Configuration of a release that contains the task's rows.
        rows: Provenances of the rows.
        target: Column to predict.
        metrics: Every metric, the headline first.
        chance: Headline value of the best constant predictor.
        labels: Classes in a fixed order; empty for regression.
        version: Raised when rows, target or headline metric change, so that results never mix.
        positive: Class whose F1 is reported, or None.
        scored_label: Class that the optional scores refer to, or None.
        auc: Name of the metric that reads the scores, or None.
        split: Split of the headline figures.
        second: Second column to predict if the target is a place in the plane, else None; rows without a place are
            left out.
    """

    id: str
    title: str
    config: str
    rows: tuple[str, ...]
    target: str
    metrics: tuple[Metric, ...]
    chance: float = 0.0
    labels: tuple[str, ...] = ()
    version: str = "1.0"
    positive: str | None = None
    scored_label: str | None = None
    auc: str | None = None
    split: str = PRIMARY_SPLIT
    second: str | None = None

    def __repr__(self) -> str:
        kind = " and ".join(self.targets) if self.is_regression else f"{self.target} ({', '.join(self.labels)})"
        return f"<task {self.id} {self.version}: {self.title}; predicts {kind}; ranked by {self.headline.name}>"

    @property
    def targets(self) -> tuple[str, ...]:
        """Columns to predict."""
        return (self.target,) if self.second is None else (self.target, self.second)

    @property
    def headline(self) -> Metric:
        """The metric that ranks models."""
        return self.metrics[0]

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number."""
        return not self.labels

    @property
    def is_pooled(self) -> bool:
        """Whether all scans of a cell visit share the target, so that their predictions can be pooled."""
        return self.rows == ("clean",)


R2 = Metric("r2", "coefficient of determination", lowest=float("-inf"))
MAE = Metric("mae", "mean absolute error, in the target's unit", highest=float("inf"), higher_is_better=False)
R2_BY_TABLE = Metric("r2_by_table", "mean over tables of R2 within each", lowest=float("-inf"), needs_rows=True)
R2_HEALTHY = Metric(
    "r2_healthy", "R2 over the test rows of cells without a defect; unranked", lowest=float("-inf"), needs_rows=True
)
BALANCED_ACCURACY = Metric("balanced_accuracy", "mean recall over classes")
WITHOUT_PARENTS = Metric(
    "without_parents", "balanced accuracy over the test rows that no fault was injected into; unranked", needs_rows=True
)


def _recalls(id: str) -> tuple[Metric, ...]:
    return tuple(Metric(f"recall_{label}", f"share of {label} rows found") for label in SPECS[id].labels)


def _task(
    edition: Edition, id: str, title: str, target: str, metrics: tuple[Metric, ...] = (), chance: float = 0.0
) -> Task:
    """Declare a task on the rows of its configuration, with the classes of its formulas."""
    config, spec = next(config for config in edition.configs if config.task == id), SPECS[id]
    if spec.labels:
        metrics, chance = (BALANCED_ACCURACY, *metrics), 1 / len(spec.labels)
    return Task(id, title, config.name, config.provenances, target, metrics, chance, **spec._asdict())


F1, REUSE_AUC = Metric("f1", "F1 of reuse"), Metric("roc_auc", "ROC AUC of reuse", needs_scores=True)
REGIME_B_AUC = Metric("regime_b_auroc", "ROC AUC of Regime-B against grounded rows", needs_scores=True)
"""A sanity check, about 1.00 for any model, and never the headline (paper, section IV-E)."""

TASKS = (
    _task(V1, "t1", "SOH regression", "soh", (R2, MAE, R2_BY_TABLE)),
    _task(V1, "t2", "Second-life class", "second_life_class", (F1, REUSE_AUC, *_recalls("t2"))),
    _task(V1, "t3", "Anomaly detection", "anomaly_origin", (*_recalls("t3"), WITHOUT_PARENTS, REGIME_B_AUC)),
    _task(V1, "t4", "Anomaly subtype", "anomaly_subtype", _recalls("t4")),
)

MEDIAN_ERROR = Metric("median_error_mm", "median distance from the place", highest=float("inf"), higher_is_better=False)
PRIOR_ERROR_MM = 34.4
"""Median distance of the release's test places from the middle of its training places: the error of a constant."""

HEALTHY_AUC = Metric("healthy_auc", "ROC AUC of healthy against defective cells", needs_scores=True)
WITHIN_10 = Metric("within_10_mm", "share of places found to 10 mm")

V3_TASKS = (
    _task(V3, "t5", "Defect class", "defect", (*_recalls("t5"), HEALTHY_AUC)),
    _task(V3, "t6", "Defect place", "x_mm", (MEDIAN_ERROR, WITHIN_10), PRIOR_ERROR_MM),
    _task(V3, "t7", "Stack gradient", "gradient_r", (R2, MAE)),
    _task(V3, "t8", "SOH as received", "soh", (R2, MAE, R2_HEALTHY)),
    _task(V3, "t9", "SOH at known charge", "soh", (R2, MAE, R2_HEALTHY)),
)
"""Tasks of v3: they measure what magnetic readings add to terminal voltage, which every row has. For T9, the expected
result is that they add nothing."""

BY_ID = {task.id: task for task in (*TASKS, *V3_TASKS)}


def tasks_of(bridge: str) -> tuple[Task, ...]:
    """Return the tasks of a release's rows, by the name of its bridge."""
    return V3_TASKS if bridge == "v3" else TASKS


def get_task(task: str | Task) -> Task:
    """Return the task with this id or configuration (`t1`, `T1`, `t1_soh_regression`); a task passes through.

    Raises:
        MagBridgeError: If there is no such task.
    """
    if isinstance(task, Task):
        return task
    task = {t.config: t.id for t in BY_ID.values()}.get(task, task.lower())
    return BY_ID[known(task, BY_ID, "task")]


def check_split(split: str) -> str:
    """Return the split's name if there is such a split.

    Raises:
        MagBridgeError: If there is not.
    """
    return known(split, SPLITS, "split")


def leaks(split: str) -> bool:
    """Return whether the split shares cells or parents between its subsets, which makes its scores too good."""
    return split == OPTIMISTIC_SPLIT


def did_you_mean(wrong: str, known) -> str:
    """Return `; did you mean X?` if a known name is close, else an empty string."""
    close = difflib.get_close_matches(str(wrong), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def known(name: str, names: Iterable[str], what: str) -> str:
    """Return the name if it is among the known names.

    Raises:
        MagBridgeError: If it is not; the message lists the names and suggests the closest.
    """
    if name not in names:
        raise MagBridgeError(f"unknown {what} {name!r}: expected one of {', '.join(names)}{did_you_mean(name, names)}")
    return name
