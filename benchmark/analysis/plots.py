"""Figures of results: SOH parity, confusion matrices, few-shot curves, the leakage gap."""

from pathlib import Path

import numpy as np

from benchmark.data import load_truth, release_folder
from benchmark.refusals import refused
from benchmark.results import OFFICIAL_TEST, Result
from benchmark.tasks import OPTIMISTIC_SPLIT, PRIMARY_SPLIT, TASKS, Task, get_task, known
from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import COLUMN, INK, LINE, MARK, PAGE, QUIET, canvas, printed, styles

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
    """Choose the figure that suits the results: leakage for two splits, else by protocol and task."""
    if len({r.split for r in results}) > 1:
        return "leakage"
    if results[0].protocol == "few_shot":
        return "few-shot"
    return "parity" if get_task(results[0].task).is_regression else "confusion"


def plot(results: list[Result], kind: str, *, release: str | Path | None = None):
    """Draw one figure.

    Args:
        results: One result for `parity` and `confusion`, several for the others.
        kind: One of `KINDS`.
        release: Release with the true SOH, for `parity`.

    Returns:
        A matplotlib `Figure`.

    Raises:
        MagBridgeError: If the results do not suit the kind.
    """
    if known(kind, KINDS, "figure") in ("parity", "confusion") and len(results) != 1:
        raise MagBridgeError(f"{len(results)} results for a {kind} figure: expected one; choose by task and model")
    if kind == "parity":
        return parity(results[0], release)
    if kind == "confusion":
        return confusion(results[0])
    return few_shot_curves(results) if kind == "few-shot" else leakage(results)


def parity(result: Result, release: str | Path | None):
    """Draw predicted against true SOH, and the error of each test cell, averaged over seeds."""
    if result.task != "t1" or result.table is None or release is None:
        raise refused("parity_needs")
    known = load_truth(get_task("t1"), release_folder(release), result.split)
    ids, cells, truth = known.sample_ids, known.cell_ids, known.target
    mean = result.table.group_by("sample_id").aggregate([("prediction", "mean")])
    by_id = dict(zip(mean["sample_id"].to_pylist(), mean["prediction_mean"].to_pylist()))
    if set(by_id) != set(ids.tolist()):
        raise refused("other_samples", model=result.model, release=release)
    predicted = np.array([by_id[sample_id] for sample_id in ids])
    figure, (left, right) = canvas(columns=2, size=(10, 4.6))
    left.scatter(truth, predicted, s=6, alpha=0.4, color=LINE, linewidths=0)
    limits = [min(truth.min(), predicted.min()) - 0.01, max(truth.max(), predicted.max()) + 0.01]
    left.plot(limits, limits, color=INK, linewidth=1)
    left.set(xlim=limits, ylim=limits, xlabel="true SOH", ylabel="predicted SOH, mean over seeds", aspect="equal")
    left.set_title(f"{result.model}: R2 {result.mean():.3f} ± {result.std():.3f}")
    order = sorted(np.unique(cells), key=lambda cell: truth[cells == cell].mean())
    errors = [predicted[cells == cell] - truth[cells == cell] for cell in order]
    right.axhline(0, color=INK, linewidth=1)
    right.boxplot(errors, showfliers=False, medianprops={"color": LINE, "linewidth": 2})
    names = [f"{cell}\n{truth[cells == cell].mean():.2f}" for cell in order]
    right.set_xticks(range(1, len(order) + 1), names, fontsize=8)
    right.set(xlabel="test cell and its mean SOH", ylabel="predicted minus true SOH", title="SOH error by cell")
    return figure


def confusion(result: Result):
    """Draw the confusion matrix summed over seeds, with each row as shares of its class."""
    task = get_task(result.task)
    if task.is_regression or not result.battery_ids:
        raise refused("no_confusion", key=" ".join(result.key), protocols=", ".join(OFFICIAL_TEST))
    size = len(task.labels)
    counts = np.array([run.batteries for run in result.runs]).sum(axis=(0, 1)).reshape(size, size)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = canvas(size=(1.6 * size + 2.2, 1.3 * size + 1.9))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [SHORT.get(label, label) for label in task.labels]
    axes.set_xticks(range(size), names, fontsize=9)
    axes.set_yticks(range(size), names, fontsize=9)
    for i, j in np.ndindex(size, size):
        words = f"{share[i, j]:.2f}\n{counts[i, j] / len(result.runs):.0f} rows"
        axes.text(j, i, words, ha="center", va="center", fontsize=9, color="white" if share[i, j] > 0.55 else INK)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    title = f"{task.id.upper()} {result.model}\nbalanced accuracy {result.mean():.3f} ± {result.std():.3f}"
    axes.set(xlabel="predicted", ylabel="true", title=title)
    return figure


@printed
def few_shot_curves(results: list[Result]):
    """Draw the headline against shots with the spread over seeds, one panel per task and one line per model."""
    curves = [r for r in results if r.protocol == "few_shot"]
    if not curves:
        raise refused("no_few_shot")
    tasks = [task for task in TASKS if any(r.task == task.id for r in curves)]
    style = styles(sorted({r.model for r in curves}))
    figure, panels = canvas(columns=len(tasks), size=(max(COLUMN, PAGE * len(tasks) / len(TASKS)), 2.6))
    for axes, task in zip(np.atleast_1d(panels), tasks):
        shots = {r.model: sorted({run.k for run in r.runs if run.k is not None}) for r in curves}
        points = {r.model: [(k, r.mean(k=k), r.std(k=k)) for k in shots[r.model]] for r in curves if r.task == task.id}
        few_shot_panel(axes, task, points, style)
        axes.set(title=f"{task.id.upper()} {task.title}", ylabel="R2" if task.is_regression else "balanced accuracy")
    legend_below(figure, max(2, len(tasks)))
    return figure


R2_TICKS = (-100, -30, -10, -3, -1, 0, 0.5, 0.8, 0.9, 0.95, 0.99)


def few_shot_panel(axes, task: Task, curves: dict[str, list], style: dict[str, dict]) -> None:
    """Draw the few-shot curves of one task.

    Args:
        axes: Axes to draw on.
        task: Task of the curves.
        curves: Shots, mean and std of each point, by model.
        style: Arguments of `plot`, by model.
    """
    for model, points in curves.items():
        k, mean, std = np.array(points).T
        axes.errorbar(k, mean, yerr=std, label=model, capsize=1.5, elinewidth=0.7, **style[model])
    axes.axhline(task.chance, color=QUIET, linewidth=0.8, linestyle=":", label="chance")
    log_axis(axes, sorted({k for points in curves.values() for k, _, _ in points}), "{}")
    axes.set_xlabel("rows per SOH bin (of five)" if task.is_regression else "rows per class")
    if task.is_regression:
        # Fitted on ten rows, a model may be far below 0: let equal steps be equal factors of squared error.
        axes.set_yscale("function", functions=(lambda r2: -np.log(np.maximum(1 - r2, 1e-6)), lambda y: 1 - np.exp(-y)))
        means = [mean for points in curves.values() for _, mean, _ in points]
        low, high = (1 - (1 - limit) * factor for limit, factor in ((min([*means, 0]), 1.4), (max(means), 0.75)))
        axes.set_yticks([tick for tick in R2_TICKS if low <= tick <= high])
        axes.set_ylim(low, high)
        axes.minorticks_off()


@printed
def leakage(results: list[Result]):
    """Draw the headline on the split by cell and on the optimistic split, which leaks cells and parents.

    The gap combines leakage and the luck of the draw: the test cells of the split by cell are not representative of all
    cells, so a gap may even be negative (see `benchmark.analysis.splits`).
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
    figure, axes = canvas(size=(5, 0.24 * len(pairs) + 1.2))
    gaps = []
    for y, (task, model) in enumerate(pairs):
        honest, leaking = (scores[task, model, split] for split in (PRIMARY_SPLIT, OPTIMISTIC_SPLIT))
        gaps.append(leaking.mean() - honest.mean())
        axes.plot([honest.mean(), leaking.mean()], [y, y], color=QUIET, linewidth=1.5, alpha=0.6, zorder=1)
        axes.plot(honest.mean(), y, "o", color=LINE, label="split by cell")
        axes.plot(leaking.mean(), y, "s", color=MARK, label="optimistic split (leaks)")
        at = {"xy": (1, y), "xycoords": ("axes fraction", "data"), "xytext": (4, 0), "textcoords": "offset points"}
        axes.annotate(f"{gaps[-1]:+.3f}", **at, va="center", fontsize=7, color=INK if gaps[-1] > 0 else MARK)
    score_lines(axes, pairs)
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_title(f"The leaking split scores higher in {sum(gap > 0 for gap in gaps)} of {len(pairs)}")
    legend_below(figure, 2)
    return figure


def score_lines(axes, pairs: list[tuple[str, str]]) -> None:
    """Label one line of scores per task and model."""
    axes.set_yticks(range(len(pairs)), [f"{task.upper()} {model}" for task, model in pairs])
    axes.grid(axis="x", color=QUIET, alpha=0.2, linewidth=0.5)
    axes.set_xlabel("R2 (T1), balanced accuracy (T2 to T4)")


def errors(panel, x, values, label: str | None = None, **style) -> None:
    """Draw values with their intervals, each as (value, low, high)."""
    value, low, high = np.array(values).T
    bars = np.clip([value - low, high - value], 0, None)
    panel.errorbar(x, value, yerr=bars, label=label, capsize=1.5, elinewidth=0.8, **style)


def log_axis(panel, ticks, form: str, **words) -> None:
    """Make the x axis logarithmic, with only these ticks."""
    panel.set_xscale("log")
    panel.set_xticks(ticks, [form.format(tick) for tick in ticks], **words)
    panel.minorticks_off()


def legend_below(figure, columns: int) -> None:
    """Draw one legend below all panels."""
    entries = {label: line for axes in figure.axes for line, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)
