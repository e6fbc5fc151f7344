"""The benchmark tasks as frozen declarations; the logic they share is in `scoring` and `protocol`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from dataset_card.contract.configs import PROVENANCES
from dataset_card.contract.physics import DEFECTS
from dataset_card.contract.schema import ANOMALY_ORIGINS, SECOND_LIFE_CLASSES, SYNTHETIC_SUBTYPES
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
        lowest: Least possible value; minus infinity where there is none.
        highest: Greatest possible value.
        higher_is_better: Direction.
        needs_scores: Whether it reads a score per row next to the predicted label.
        needs_rows: Whether it needs to know more of the rows than their labels: the tables that v2's cells come from,
            or which rows are parents or have a defect.
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
        """1 where a higher value is better, else -1: times the value, higher is better."""
        return 1 if self.higher_is_better else -1


@dataclass(frozen=True, repr=False)
class Task:
    """One benchmark task.

    Attributes:
        id: `t1` to `t4` on releases of scans, `t5` to `t9` on v3.
        title: A few words.
        config: Configuration of a release that serves the task.
        rows: Provenances of the rows it uses.
        target: Column to predict.
        metrics: Every metric, the headline first.
        chance: Headline value of the best constant predictor.
        labels: Classes in a fixed order; empty for regression.
        version: Rises when rows, target or headline metric change, so that results never mix.
        positive: Class whose F1 is reported, or None.
        scored_label: Class that optional scores speak of, or None.
        auc: Name of the metric that reads the scores, or None.
        split: Split of the headline figures.
        second: Second column to predict, where the target is a place in the plane; rows without one are left out.
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


def _recalls(labels: tuple[str, ...]) -> tuple[Metric, ...]:
    return tuple(Metric(f"recall_{label}", f"share of {label} rows found") for label in labels)


TASKS = (
    Task("t1", "SOH regression", "t1_soh_regression", ("clean",), "soh", (R2, MAE, R2_BY_TABLE)),
    Task(
        "t2",
        "Second-life class",
        "t2_second_life",
        ("clean",),
        "second_life_class",
        (
            BALANCED_ACCURACY,
            Metric("f1", "F1 of reuse"),
            Metric("roc_auc", "ROC AUC of reuse", needs_scores=True),
            *_recalls(SECOND_LIFE_CLASSES),
        ),
        chance=1 / 2,
        labels=SECOND_LIFE_CLASSES,
        positive="reuse",
        scored_label="reuse",
        auc="roc_auc",
    ),
    Task(
        "t3",
        "Anomaly detection",
        "t3_anomaly_detection",
        PROVENANCES,
        "anomaly_origin",
        (
            BALANCED_ACCURACY,
            *_recalls(ANOMALY_ORIGINS),
            WITHOUT_PARENTS,
            # A sanity check, about 1.00 for any model, and never the headline (paper, section IV-E).
            Metric("regime_b_auroc", "ROC AUC of Regime-B against grounded rows", needs_scores=True),
        ),
        chance=1 / 3,
        labels=ANOMALY_ORIGINS,
        scored_label="bridge_extrapolation",
        auc="regime_b_auroc",
    ),
    Task(
        "t4",
        "Anomaly subtype",
        "t4_anomaly_subtype",
        ("anomaly",),
        "anomaly_subtype",
        (BALANCED_ACCURACY, *_recalls(SYNTHETIC_SUBTYPES)),
        chance=1 / 4,
        labels=SYNTHETIC_SUBTYPES,
    ),
)

MEDIAN_ERROR = Metric("median_error_mm", "median distance from the place", highest=float("inf"), higher_is_better=False)
PRIOR_ERROR_MM = 34.4
"""Median distance of the release's test places from the middle of its training places: what a constant reaches."""

V3_TASKS = (
    Task(
        "t5",
        "Defect class",
        "t5_defect_class",
        ("as_received",),
        "defect",
        (
            BALANCED_ACCURACY,
            *_recalls(DEFECTS),
            Metric("healthy_auc", "ROC AUC of healthy against defective cells", needs_scores=True),
        ),
        chance=1 / len(DEFECTS),
        labels=DEFECTS,
        scored_label="none",
        auc="healthy_auc",
    ),
    Task(
        "t6",
        "Defect place",
        "t6_defect_place",
        ("as_received",),
        "x_mm",
        (MEDIAN_ERROR, Metric("within_10_mm", "share of places found to 10 mm")),
        chance=PRIOR_ERROR_MM,
        second="y_mm",
    ),
    Task("t7", "Stack gradient", "t7_stack_gradient", ("as_received",), "gradient_r", (R2, MAE)),
    Task("t8", "SOH as received", "t8_soh_as_received", ("as_received",), "soh", (R2, MAE, R2_HEALTHY)),
    Task("t9", "SOH at known charge", "t9_soh_known_soc", ("known_soc",), "soh", (R2, MAE, R2_HEALTHY)),
)
"""Tasks of v3: what magnetic readings add to terminal voltage, which every row has. T9 is an expected null."""

BY_ID = {task.id: task for task in (*TASKS, *V3_TASKS)}


def tasks_of(bridge: str) -> tuple[Task, ...]:
    """The tasks of a release's rows, by the name of its bridge."""
    return V3_TASKS if bridge == "v3" else TASKS


def get_task(task: str | Task) -> Task:
    """The task with this id or configuration (`t1`, `T1`, `t1_soh_regression`); a task passes through.

    Raises:
        MagBridgeError: No such task.
    """
    if isinstance(task, Task):
        return task
    task = {t.config: t.id for t in BY_ID.values()}.get(task, task.lower())
    if task not in BY_ID:
        raise MagBridgeError(f"unknown task {task!r}: expected one of {', '.join(BY_ID)}{did_you_mean(task, BY_ID)}")
    return BY_ID[task]


def check_split(split: str) -> str:
    """The split's name, if it is one.

    Raises:
        MagBridgeError: No such split.
    """
    if split not in SPLITS:
        raise MagBridgeError(
            f"unknown split {split!r}: expected one of {', '.join(SPLITS)}{did_you_mean(split, SPLITS)}"
        )
    return split


def leaks(split: str) -> bool:
    """Whether the split shares cells or parents between its subsets, so that its scores flatter a model."""
    return split == OPTIMISTIC_SPLIT


def did_you_mean(wrong: str, known) -> str:
    """`; did you mean X?` where a known name is close, else nothing."""
    close = difflib.get_close_matches(str(wrong), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
