"""The tasks' classes and the formulas of every metric, on plain arrays; numpy is the only dependency.

`benchmark.scoring` and the `evaluate` module beside this file both call `score`, so there is one
path for regression and one for classification.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Task(NamedTuple):
    """What the formulas need to know of a task: classes (none for regression), those of F1 and AUC, a second number."""

    labels: tuple[str, ...] = ()
    positive: str | None = None
    scored_label: str | None = None
    auc: str | None = None
    second: str | None = None


TASKS = {
    "t1": Task(),
    "t2": Task(("reuse", "recondition"), "reuse", "reuse", "roc_auc"),
    "t3": Task(
        ("none", "synthetic_sensor_perturbation", "bridge_extrapolation"),
        None,
        "bridge_extrapolation",
        "regime_b_auroc",
    ),
    "t4": Task(("sensor_dropout", "calibration_drift", "temporal_warp", "periodic_interference")),
    "t5": Task(("none", "weld", "tear", "layer", "dry", "plating"), None, "none", "healthy_auc"),
    "t6": Task(second="y_mm"),
    "t7": Task(),
    "t8": Task(),
    "t9": Task(),
}


def regression_scores(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Coefficient of determination and mean absolute error.

    Args:
        truth: Shape (n,), not constant.
        prediction: Shape (n,), in the unit of `truth`.

    Returns:
        `r2` and `mae`.
    """
    residual = truth - prediction
    spread = truth - truth.mean()
    if not (spread @ spread) > 0:
        raise ValueError("R2 is undefined: every reference has the same value; score a subset with more than one")
    return {"r2": float(1 - residual @ residual / (spread @ spread)), "mae": float(np.abs(residual).mean())}


NEAR_MM = 10.0
"""A place is found when it is predicted to this."""


def place_scores(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Median distance of predicted places, and the share of them that are near.

    Args:
        truth: Shape (n, 2), x and y in mm.
        prediction: Shape (n, 2).

    Returns:
        `median_error_mm` and `within_10_mm`.
    """
    distance = np.hypot(*(truth - prediction).T)
    return {"median_error_mm": float(np.median(distance)), "within_10_mm": float((distance <= NEAR_MM).mean())}


def confusion(truth: np.ndarray, prediction: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Counts of (true class, predicted class), shape (K, K), in the order of `labels`."""
    size = len(labels)
    code = {label: i for i, label in enumerate(labels)}
    flat = np.fromiter((size * code[t] + code[p] for t, p in zip(truth, prediction)), dtype=np.intp, count=len(truth))
    return np.bincount(flat, minlength=size * size).reshape(size, size)


def balanced_accuracy(counts: np.ndarray) -> float:
    """Mean recall over the classes that occur in the truth, from a confusion matrix (K, K)."""
    support = counts.sum(axis=1)
    present = support > 0
    return float((np.diag(counts)[present] / support[present]).mean())


def roc_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Probability that a positive row outscores a negative one, ties counting half.

    Args:
        positive: Shape (n,), bool, with both values present.
        scores: Shape (n,), higher meaning more likely positive.
    """
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_rank = np.cumsum(counts) - (counts - 1) / 2
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not (n_positive and n_negative):
        raise ValueError("the ROC AUC is undefined: the references hold one side only of the scored class")
    rank_sum = mid_rank[inverse][positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def classification_scores(spec, truth: np.ndarray, prediction: np.ndarray, scores=None) -> dict[str, float]:
    """Balanced accuracy, recall of each class, F1 of the positive class, AUC of the scored class.

    Args:
        spec: Has `labels`, `positive` (label or None), `scored_label` (label or None) and `auc` (metric name or None).
        truth: Shape (n,), labels.
        prediction: Shape (n,), labels.
        scores: Shape (n,), score of `spec.scored_label`, or None.

    Returns:
        Metric name to value; a class without a row has no recall.
    """
    counts = confusion(truth, prediction, spec.labels)
    out = {"balanced_accuracy": balanced_accuracy(counts)}
    support, predicted, hits = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    if spec.positive is not None:
        i = spec.labels.index(spec.positive)
        total = support[i] + predicted[i]
        out["f1"] = float(2 * hits[i] / total) if total else 0.0
    if spec.auc is not None and scores is not None:
        out[spec.auc] = roc_auc(np.asarray(truth) == spec.scored_label, np.asarray(scores))
    for label, n, hit in zip(spec.labels, support, hits):
        if n:
            out[f"recall_{label}"] = float(hit / n)
    return out


LARGEST = 1e12
"""Of a prediction: squares of far larger ones overflow, and no quantity of a battery comes near."""


def numbers(values, name: str, shape: str = "(n,)") -> np.ndarray:
    """`values` as finite float64 of shape (n,), or (n, 2) for places.

    Raises:
        ValueError: Of another shape, not numeric, NaN or infinite.
    """
    array, width = np.asarray(values), 1 if shape == "(n,)" else 2
    if array.ndim != width or array.shape[1:] not in ((), (2,)) or array.dtype.kind not in "fiu":
        each = "one number" if shape == "(n,)" else "x and y in mm"
        raise ValueError(
            f"{name} have type {array.dtype} and shape {array.shape}: expected {each} per row, shape {shape}"
        )
    array = array.astype(np.float64)
    size = np.abs(array.reshape(len(array), width)).max(axis=1, initial=0)
    bad = np.flatnonzero(~np.isfinite(size))
    if len(bad):
        raise ValueError(f"{len(bad)} {name} are NaN or infinite, the first in row {bad[0]}: expected finite numbers")
    far = np.flatnonzero(size > LARGEST)
    if len(far) and name != "scores":
        raise ValueError(f"{name} hold {size[far[0]]:g} in row {far[0]}: expected numbers of at most {LARGEST:g}")
    return array


def classes(values, name: str, labels: tuple[str, ...]) -> np.ndarray:
    """`values` as an array of known labels, shape (n,).

    Raises:
        ValueError: A value is not a string or not one of `labels`.
    """
    array = np.array(values, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"{name} have shape {array.shape}: expected one label per row, shape (n,)")
    for row, value in enumerate(array):
        if not isinstance(value, str):
            raise ValueError(
                f"{name} hold {value!r} ({type(value).__name__}) in row {row}: expected a label as a string, "
                f"one of {', '.join(labels)}; class numbers and probabilities are not labels, "
                "int2str() of a dataset's features names them"
            )
        if value not in labels:
            raise ValueError(
                f"{name} hold the unknown label {value!r} in row {row}: expected one of {', '.join(labels)}"
            )
    return array.astype(str)


def checked(spec, values, name: str) -> np.ndarray:
    """Predictions or references of a task as the array that its formulas take.

    Raises:
        ValueError: They are of another kind or shape.
    """
    if spec.labels:
        return classes(values, name, spec.labels)
    return numbers(values, name, "(n,)" if spec.second is None else "(n, 2)")


def score(spec, truth, prediction, scores=None) -> dict[str, float]:
    """All metrics of one task.

    Args:
        spec: A task: `labels` is empty for regression; otherwise as in `classification_scores`.
        truth: Shape (n,): numbers for regression, labels for classification; (n, 2) for places.
        prediction: Shape (n,), of the same kind.
        scores: Shape (n,), optional score of `spec.scored_label`; higher means more likely.

    Returns:
        Metric name to unrounded value.

    Raises:
        ValueError: NaN, wrong lengths, unknown or numeric labels, no rows, or scores for a task without an AUC.
    """
    truth, prediction = (checked(spec, v, name) for v, name in ((truth, "references"), (prediction, "predictions")))
    if len(truth) != len(prediction):
        raise ValueError(
            f"{len(prediction)} predictions for {len(truth)} references: expected one prediction a reference"
        )
    if not len(truth):
        raise ValueError("no rows to score: expected at least one prediction and reference")
    if scores is not None:
        if spec.auc is None:
            raise ValueError("scores were given: this task has no metric that reads them; leave them out")
        scores = numbers(scores, "scores")
        if len(scores) != len(truth):
            raise ValueError(f"{len(scores)} scores for {len(truth)} references: expected one score a reference")
    if spec.second is not None:
        return place_scores(truth, prediction)
    if not spec.labels:
        return regression_scores(truth, prediction)
    return classification_scores(spec, truth, prediction, scores)
