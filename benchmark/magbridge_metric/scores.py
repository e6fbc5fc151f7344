"""The tasks' classes and the formulas of all metrics, on plain arrays; numpy is the only dependency.

`benchmark.scoring` and the `evaluate` module in this folder both call `score`, so that all scores come from the same
code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Task(NamedTuple):
    """A task as the formulas need it.

    Attributes:
        labels: Classes in a fixed order; empty for regression.
        positive: Class of F1, or None.
        scored_label: Class that the scores refer to, or None.
        auc: Name of the metric that reads the scores, or None.
        second: Second column of a place, or None.
    """

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
    """Compute the coefficient of determination and the mean absolute error.

    Args:
        truth: Targets, not constant, shape (n,).
        prediction: Predictions in the unit of `truth`, shape (n,).

    Returns:
        `r2` and `mae`.

    Raises:
        ValueError: If `truth` is constant.
    """
    residual = truth - prediction
    spread = truth - truth.mean()
    if not truth.max() > truth.min():  # the computed spread of equal numbers may be a rounding error rather than 0
        raise ValueError("R2 is undefined: every reference has the same value; score a subset with more than one")
    return {"r2": float(1 - residual @ residual / (spread @ spread)), "mae": float(np.abs(residual).mean())}


NEAR_MM = 10.0
"""Distance up to which a predicted place counts as found."""


def place_scores(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Compute the median distance of predicted places from the true ones, and the share of near ones.

    Args:
        truth: True x and y in mm, shape (n, 2).
        prediction: Predicted x and y in mm, shape (n, 2).

    Returns:
        `median_error_mm` and `within_10_mm`.
    """
    distance = np.hypot(*(truth - prediction).T)
    return {"median_error_mm": float(np.median(distance)), "within_10_mm": float((distance <= NEAR_MM).mean())}


def confusion(truth: np.ndarray, prediction: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Count pairs of true class (row) and predicted class (column), shape (K, K), in the order of `labels`."""
    size = len(labels)
    code = {label: i for i, label in enumerate(labels)}
    flat = np.fromiter((size * code[t] + code[p] for t, p in zip(truth, prediction)), dtype=np.intp, count=len(truth))
    return np.bincount(flat, minlength=size * size).reshape(size, size)


def balanced_accuracy(counts: np.ndarray) -> float:
    """Compute the mean recall over the classes that occur in the truth, from a confusion matrix (K, K)."""
    support = counts.sum(axis=1)
    present = support > 0
    return float((np.diag(counts)[present] / support[present]).mean())


def roc_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Compute the probability that a positive row outscores a negative one, with ties counting half.

    Args:
        positive: Whether each row is positive, with both values present, shape (n,), bool.
        scores: Scores, shape (n,); higher means more likely positive.

    Raises:
        ValueError: If all rows are positive or all are negative.
    """
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_rank = np.cumsum(counts) - (counts - 1) / 2
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not (n_positive and n_negative):
        raise ValueError("the ROC AUC is undefined: expected references of the scored class and of at least one other")
    rank_sum = mid_rank[inverse][positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def classification_scores(spec, truth: np.ndarray, prediction: np.ndarray, scores=None) -> dict[str, float]:
    """Compute balanced accuracy, recall of each class, F1 of the positive class, and AUC of the scored class.

    Args:
        spec: Task with `labels`, `positive`, `scored_label` and `auc`.
        truth: Labels, shape (n,).
        prediction: Labels, shape (n,).
        scores: Scores of `spec.scored_label`, shape (n,), or None.

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
"""Largest absolute value of a prediction: the squares of far larger ones overflow, and no battery comes near it."""


def numbers(values, name: str, shape: str = "(n,)") -> np.ndarray:
    """Convert `values` to finite float64 of shape (n,), or (n, 2) for places.

    Raises:
        ValueError: If `values` have another shape, or are not numeric, NaN, infinite or too large.
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
        raise ValueError(f"{name} contain {size[far[0]]:g} in row {far[0]}: expected numbers of at most {LARGEST:g}")
    return array


def classes(values, name: str, labels: tuple[str, ...]) -> np.ndarray:
    """Convert `values` to an array of known labels, shape (n,).

    Raises:
        ValueError: If a value is not a string or not one of `labels`.
    """
    array = np.array(values, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"{name} have shape {array.shape}: expected one label per row, shape (n,)")
    for row, value in enumerate(array):
        if not isinstance(value, str):
            raise ValueError(
                f"{name} contain {value!r} ({type(value).__name__}) in row {row}: expected a label as a string, "
                f"one of {', '.join(labels)}; class numbers and probabilities are not labels; "
                "convert class numbers with int2str() of the dataset's features"
            )
        if value not in labels:
            raise ValueError(
                f"{name} contain the unknown label {value!r} in row {row}: expected one of {', '.join(labels)}"
            )
    return array.astype(str)


def checked(spec, values, name: str) -> np.ndarray:
    """Convert predictions or references of a task to the array that its formulas expect.

    Raises:
        ValueError: If they have another kind or shape.
    """
    if spec.labels:
        return classes(values, name, spec.labels)
    return numbers(values, name, "(n,)" if spec.second is None else "(n, 2)")


def score(spec, truth, prediction, scores=None) -> dict[str, float]:
    """Compute all metrics of one task.

    Args:
        spec: Task, as in `TASKS`.
        truth: Numbers for regression or labels for classification, shape (n,); places in mm, shape (n, 2).
        prediction: Predictions of the same kind and shape.
        scores: Optional scores of `spec.scored_label`, shape (n,); higher means more likely.

    Returns:
        Metric name to unrounded value.

    Raises:
        ValueError: If there are NaN values, unequal lengths, unknown or numeric labels, no rows, or scores for a task
            without an AUC.
    """
    truth, prediction = (checked(spec, v, name) for v, name in ((truth, "references"), (prediction, "predictions")))
    if len(truth) != len(prediction):
        raise ValueError(
            f"{len(prediction)} predictions for {len(truth)} references: expected one prediction per reference"
        )
    if not len(truth):
        raise ValueError("no rows to score: expected at least one prediction and reference")
    if scores is not None:
        if spec.auc is None:
            raise ValueError("scores were given, but no metric of this task reads them: leave them out")
        scores = numbers(scores, "scores")
        if len(scores) != len(truth):
            raise ValueError(f"{len(scores)} scores for {len(truth)} references: expected one score per reference")
    if spec.second is not None:
        return place_scores(truth, prediction)
    if not spec.labels:
        return regression_scores(truth, prediction)
    return classification_scores(spec, truth, prediction, scores)
