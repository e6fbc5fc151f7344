"""Figures of results: SOH parity, confusion matrices, few-shot curves, the leakage gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmark.data import load_truth, release_folder
from benchmark.results import OFFICIAL_TEST, Result
from benchmark.tasks import OPTIMISTIC_SPLIT, PRIMARY_SPLIT, TASKS, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.plotting import INK, LINE, MARK, QUIET, canvas

KINDS = ("parity", "confusion", "few-shot", "leakage")
SHORT = {
    "synthetic_sensor_perturbation": "synthetic\nfault",
    "bridge_extrapolation": "Regime-B",
    "none": "clean",
    "sensor_dropout": "dropout",
    "calibration_drift": "drift",
    "temporal_warp": "warp",
    "periodic_interference": "interference",
}


def default_kind(results: list[Result]) -> str:
    """The figure that fits the results: leakage for two splits, else by protocol and task."""
    if len({r.split for r in results}) > 1:
        return "leakage"
    if results[0].protocol == "few_shot":
        return "few-shot"
    return "parity" if get_task(results[0].task).is_regression else "confusion"


def plot(results: list[Result], kind: str, *, release: str | Path | None = None):
    """Draws one figure.

    Args:
        results: One result for `parity` and `confusion`, several for the others.
        kind: One of `KINDS`.
        release: Release with the true SOH, for `parity`.

    Returns:
        A matplotlib `Figure`.

    Raises:
        MagBridgeError: The results do not suit the kind.
    """
    if kind not in KINDS:
        raise MagBridgeError(f"unknown figure {kind!r}: expected one of {', '.join(KINDS)}")
    if kind in ("parity", "confusion") and len(results) != 1:
        raise MagBridgeError(f"{len(results)} results for a {kind} figure: expected one")
    if kind == "parity":
        return parity(results[0], release)
    return {
        "confusion": lambda: confusion(results[0]),
        "few-shot": lambda: few_shot_curves(results),
        "leakage": lambda: leakage(results),
    }[kind]()


def parity(result: Result, release: str | Path | None):
    """Predicted against true SOH, and the error of each test cell, averaged over seeds."""
    if result.task != "t1" or result.table is None or release is None:
        raise MagBridgeError(
            "a parity figure needs a T1 result, its predictions and the release it speaks of: pass --data RELEASE"
        )
    ids, cells, truth, _ = load_truth(get_task("t1"), release_folder(release), result.split)
    mean = result.table.group_by("sample_id").aggregate([("prediction", "mean")])
    by_id = dict(zip(mean["sample_id"].to_pylist(), mean["prediction_mean"].to_pylist()))
    if set(by_id) != set(ids.tolist()):
        raise MagBridgeError(
            f"the predictions of {result.model} and {release} hold other samples: pass the release they speak of"
        )
    predicted = np.array([by_id[sample_id] for sample_id in ids])
    figure, (left, right) = canvas(columns=2, size=(10, 4.6))
    left.scatter(truth, predicted, s=6, alpha=0.4, color=LINE, linewidths=0)
    limits = [min(truth.min(), predicted.min()) - 0.01, max(truth.max(), predicted.max()) + 0.01]
    left.plot(limits, limits, color=INK, linewidth=1)
    left.set(
        xlim=limits,
        ylim=limits,
        xlabel="true SOH",
        ylabel="predicted SOH, mean over seeds",
        aspect="equal",
        title=f"{result.model}: R2 {result.mean():.3f} ± {result.std():.3f}",
    )
    order = sorted(np.unique(cells), key=lambda cell: truth[cells == cell].mean())
    errors = [predicted[cells == cell] - truth[cells == cell] for cell in order]
    right.axhline(0, color=INK, linewidth=1)
    right.boxplot(errors, showfliers=False, medianprops={"color": LINE, "linewidth": 2})
    right.set_xticks(
        range(1, len(order) + 1), [f"{cell}\n{truth[cells == cell].mean():.2f}" for cell in order], fontsize=8
    )
    right.set(xlabel="test cell and its mean SOH", ylabel="predicted less true SOH", title="SOH error by cell")
    return figure


def confusion(result: Result):
    """Confusion matrix summed over seeds, each row as shares of its class."""
    task = get_task(result.task)
    if task.is_regression or not result.cell_ids:
        raise MagBridgeError(
            f"{' '.join(result.key)} has no confusion matrix: expected a result of t2, t3 or t4 under one of "
            f"the protocols {', '.join(OFFICIAL_TEST)}"
        )
    size = len(task.labels)
    counts = np.array([run.cells for run in result.runs]).sum(axis=(0, 1)).reshape(size, size)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = canvas(size=(1.6 * size + 2.2, 1.3 * size + 1.9))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [SHORT.get(label, label) for label in task.labels]
    axes.set_xticks(range(size), names, fontsize=9)
    axes.set_yticks(range(size), names, fontsize=9)
    runs = len(result.runs)
    for i in range(size):
        for j in range(size):
            axes.text(
                j,
                i,
                f"{share[i, j]:.2f}\n{counts[i, j] / runs:.0f} rows",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if share[i, j] > 0.55 else INK,
            )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set(
        xlabel="predicted",
        ylabel="true",
        title=f"{task.id.upper()} {result.model}\nbalanced accuracy {result.mean():.3f} ± {result.std():.3f}",
    )
    return figure


def few_shot_curves(results: list[Result]):
    """Headline against shots, one panel a task and one line a model, with the spread over seeds."""
    curves = [r for r in results if r.protocol == "few_shot"]
    if not curves:
        raise MagBridgeError(
            "no few-shot results: make some with `python -m benchmark run --protocol few_shot --out DIR`"
        )
    tasks = [task for task in TASKS if any(r.task == task.id for r in curves)]
    colours = {model: f"C{i}" for i, model in enumerate(sorted({r.model for r in curves}))}
    figure, panels = canvas(columns=len(tasks), size=(4 * len(tasks) + 0.5, 4))
    for axes, task in zip(np.atleast_1d(panels), tasks):
        for result in (r for r in curves if r.task == task.id):
            shots = sorted({run.k for run in result.runs if run.k is not None})
            mean, std = np.array([(result.mean(k=k), result.std(k=k)) for k in shots]).T
            axes.plot(shots, mean, marker="o", markersize=4, color=colours[result.model], label=result.model)
            axes.fill_between(shots, mean - std, mean + std, color=colours[result.model], alpha=0.12, linewidth=0)
        axes.axhline(task.chance, color=QUIET, linewidth=1, linestyle=":")
        axes.set_xscale("log")
        axes.set_xticks(shots, [str(k) for k in shots])
        axes.minorticks_off()
        if task.is_regression:  # a model fitted on ten rows may be far below 0, where the curve tells nothing more
            axes.set_ylim(bottom=max(axes.get_ylim()[0], -0.5))
        axes.set(
            title=f"{task.id.upper()} {task.title}",
            ylabel=task.headline.name,
            xlabel="rows a SOH bin (five bins)" if task.is_regression else "rows a class",
        )
        axes.legend(fontsize=8, frameon=False)
    return figure


def leakage(results: list[Result]):
    """Headline on the split by cell beside the optimistic split, which leaks cells and parents.

    The gap is leakage and the luck of the draw together: the nine test cells of the split by cell are not an average
    of all cells, so that a gap may even be negative (T2).
    """
    scores = {(r.task, r.model, r.split): r for r in results if r.protocol in OFFICIAL_TEST}
    pairs = [
        (task.id, model)
        for task in TASKS
        for model in dict.fromkeys(r.model for r in results)
        if all((task.id, model, split) in scores for split in (PRIMARY_SPLIT, OPTIMISTIC_SPLIT))
    ]
    if not pairs:
        raise MagBridgeError(f"no model with results on both splits: run one with --split {OPTIMISTIC_SPLIT} too")
    figure, axes = canvas(size=(8, 0.42 * len(pairs) + 1.8))
    for y, (task, model) in enumerate(pairs):
        honest, leaking = (scores[task, model, split] for split in (PRIMARY_SPLIT, OPTIMISTIC_SPLIT))
        axes.plot([honest.mean(), leaking.mean()], [y, y], color=QUIET, linewidth=2, zorder=1)
        for result, colour, label in (
            (honest, LINE, "split by cell"),
            (leaking, MARK, "optimistic split (leaks)"),
        ):
            axes.errorbar(result.mean(), y, xerr=result.std(), fmt="o", color=colour, label=label if y == 0 else None)
        axes.annotate(
            f"{leaking.mean() - honest.mean():+.3f}",
            (max(honest.mean(), leaking.mean()), y),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=INK,
        )
    axes.set_yticks(range(len(pairs)), [f"{task.upper()} {model}" for task, model in pairs])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(xlabel="R2 (T1), balanced accuracy (T2 to T4)", title="Split by cell and optimistic split")
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    return figure
