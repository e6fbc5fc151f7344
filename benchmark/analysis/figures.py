"""The figures of the analysis page, with one row of panels per release."""

from typing import Any

import numpy as np

from benchmark.analysis.measures import SEVERITY_EDGES, share
from benchmark.analysis.occlusion import WINDOW
from benchmark.analysis.plots import SHORT, errors, few_shot_panel, legend_below, log_axis, score_lines
from benchmark.data import DatasetInfo
from benchmark.tasks import TASKS, get_task
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.running.plotting import INK, LINE, MARK, PAGE, QUIET, canvas, printed, styles

BINS = {"marker": "o", "linestyle": "-"}
FAULTS = styles(["sensor_dropout", "calibration_drift", "temporal_warp", "periodic_interference"])
PANEL = 2.05
"""Height of a row of panels, in inches."""


def short_name(document: dict) -> str:
    """Return the short name of a document's release: `v1`, `v2`, or the rest of another name."""
    name = DatasetInfo(**document["dataset"]).name
    return name.removeprefix("magbridge-battery").strip("-") or "v1"


def _rows(documents: list[dict], columns: int, height: float = PANEL, legend: float = 0.3):
    figure, axes = canvas(len(documents), columns, (PAGE, height * len(documents) + legend))
    return figure, np.reshape(axes, (len(documents), columns))


@printed
def severity(documents: list[dict]):
    """Draw the share of anomalies found (T3) and named (T4) against severity, with intervals and counts."""
    figure, axes = _rows(documents, 2, 2.3)
    bands = [f"{low:.1f}–{high:.1f}" for low, high in zip(SEVERITY_EDGES, SEVERITY_EDGES[1:])]
    for line, document in zip(axes, documents):
        for panel, task, title in zip(line, ("t3", "t4"), ("found as an anomaly (T3)", "fault named (T4)")):
            found = document["severity"][task]
            for number, (fault, counts) in enumerate(found.items()):
                at = np.arange(len(bands)) + 0.09 * (number - 1.5)
                errors(panel, at, [share(*pair) for pair in counts], SHORT[fault], **FAULTS[fault] | {"linestyle": "-"})
            rows = np.array([[n for _, n in counts] for counts in found.values()])
            panel.set_xticks(range(len(bands)), [f"{b}\nn {c.min()}–{c.max()}" for b, c in zip(bands, rows.T)])
            panel.set(ylim=(-0.03, 1.03), ylabel="share of rows", title=f"{short_name(document)}: {title}")
        alarms = share(*document["false_alarms"])
        line[0].axhspan(*alarms[1:], color=QUIET, alpha=0.25, linewidth=0)
        line[0].axhline(alarms[0], color=INK, linewidth=0.9, linestyle=":", label="clean rows (false alarms)")
        line[1].axhline(get_task("t4").chance, color=QUIET, linewidth=0.8, linestyle="--")
    for panel in axes[-1]:
        panel.set_xlabel("severity, and rows of each fault")
    legend_below(figure, 5)
    return figure


@printed
def soh_error(documents: list[dict]):
    """Draw the root mean square error of SOH by SOC, voltage and table, and the mean error by SOH."""
    figure, axes = _rows(documents, 4, 1.9, 0.1)
    for line, document in zip(axes, documents):
        bins = document["soh"]
        top = 1.15 * max(b["rmse"][2] for name in ("SOC", "voltage", "table") for b in bins[name])
        for panel, name in zip(line, ("SOC", "voltage", "table")):
            style = BINS | {"linestyle": "none" if name == "table" else "-"}
            errors(panel, range(len(bins[name])), [b["rmse"] for b in bins[name]], color=LINE, **style)
            panel.set(ylim=(0, top), xlim=(-0.6, len(bins[name]) - 0.4), title=f"{short_name(document)}: by {name}")
            panel.tick_params(labelleft=panel is line[0])
        line[0].set_ylabel("RMSE of SOH")
        line[0].set_xticks(range(1, len(bins["SOC"]), 2), [f"{b['name']:.0f}" for b in bins["SOC"][1::2]])
        line[1].set_xticks(range(len(bins["voltage"])), [f"{b['name']:.2f}" for b in bins["voltage"]], rotation=60)
        line[2].set_xticks(range(len(bins["table"])), [b["name"].replace("-", "\n") for b in bins["table"]])
        errors(line[3], [b["name"] for b in bins["SOH"]], [b["mean"] for b in bins["SOH"]], color=MARK, **BINS)
        line[3].axhline(0, color=QUIET, linewidth=0.8)
        line[3].set(ylabel="predicted minus true", title=f"{short_name(document)}: mean error")
    for panel, label in zip(axes[-1], ("SOC, %", "voltage, V, eighths", "", "true SOH, tenths")):
        panel.set_xlabel(label)
    return figure


@printed
def learning_curves(documents: list[dict]):
    """Draw the headline on the test rows against training rows, for the analysed model and one on 57 statistics."""
    figure, axes = _rows(documents, len(TASKS), 1.9)
    for line, document in zip(axes, documents):
        for panel, task in zip(line, TASKS):
            curves = document["curves"][task.id]
            for colour, marker, (name, points) in zip((LINE, MARK), "os", curves.items()):
                n, mean, std = np.array(points).T
                panel.errorbar(n, mean, yerr=std, marker=marker, color=colour, label=name, capsize=1.5, elinewidth=0.8)
            log_axis(panel, n, "{:,.0f}", fontsize=6.5)
            panel.axhline(task.chance, color=QUIET, linewidth=0.8, linestyle=":")
            low = min(task.chance, *(mean - std for points in curves.values() for _, mean, std in points))
            panel.set_ylim(low - 0.3 * (1 - low), 1.02)  # leaves room for the legend below all points
            panel.set_title(f"{short_name(document)}, {task.id.upper()}")
            panel.legend(fontsize=6.5, loc="lower right", handlelength=1.2, borderpad=0)
        _metrics(line)
    for panel in axes[-1]:
        panel.set_xlabel("training rows")
    return figure


def _metrics(line) -> None:
    """Label the metric where it changes along a row of panels: R2 for T1, balanced accuracy for the others."""
    line[0].set_ylabel("R2")
    line[1].set_ylabel("balanced accuracy")


SHOWN = 5
"""Maximum number of models in a few-shot figure; more could not be distinguished."""


@printed
def few_shot(documents: list[dict]):
    """Draw the headline against shots."""
    figure, axes = _rows(documents, len(TASKS), 1.95, 0.45)
    shown = {id(d): {task.id: few_shot_shown(d, task.id) for task in TASKS} for d in documents}
    style = styles(dict.fromkeys(m for tasks in shown.values() for models in tasks.values() for m in models))
    for line, document in zip(axes, documents):
        for panel, task in zip(line, TASKS):
            curves = {m: document["few_shot"][task.id][m] for m in shown[id(document)][task.id]}
            few_shot_panel(panel, task, curves, style)
            panel.set_title(f"{short_name(document)}, {task.id.upper()}")
        _metrics(line)
    for panel in axes[:-1].flat:
        panel.set_xlabel("")
    legend_below(figure, 5)
    return figure


def few_shot_shown(document: dict, task: str) -> list[str]:
    """Choose models: the analysed one, then the best at each number of shots, then others by their last score."""
    found = document["few_shot"][task]
    shots = range(len(next(iter(found.values()), [])))
    best = [max((points[i][1], model) for model, points in found.items())[1] for i in shots]
    reader = [document["readers"][task]] if document["readers"][task] in found else []
    rest = sorted(found, key=lambda m: -found[m][-1][1])
    return list(dict.fromkeys([*reader, *best, *(m for m in rest if m != "constant")]))[:SHOWN]


@printed
def splits(documents: list[dict]):
    """Draw scores on random splits by cell and by row, and on both official splits."""
    most = max(len(document["splits"]) for document in documents)
    figure, axes = canvas(1, len(documents), (PAGE, 0.36 * most + 1.2))
    for panel, document in zip(np.atleast_1d(axes), documents):
        spreads = document["splits"]
        for y, s in enumerate(spreads):
            for deals, official, colour, marker, shift, name in (
                (s["cell_deals"], s["by_cell"], LINE, "o", -0.17, "by cell"),
                (s["row_deals"], s["by_row"], MARK, "s", 0.17, "by row (leaks)"),
            ):
                panel.plot(deals, [y + shift] * len(deals), color=colour, label=f"random split {name}", **DEALT)
                panel.plot(official, y + shift, marker, mec=colour, label=f"official split {name}", **OFFICIAL)
        score_lines(panel, [(s["task"], s["model"]) for s in spreads])
        panel.set(ylim=(len(spreads) - 0.5, -0.5), title=short_name(document))
    legend_below(figure, 4)
    return figure


DEALT: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 6, "alpha": 0.7}
OFFICIAL: dict[str, Any] = {"color": "white", "markeredgewidth": 1.3, "markersize": 5.5}


@printed
def occlusion(documents: list[dict]):
    """Draw the R2 lost without a window of steps in one channel and in all; return None if nothing was occluded."""
    from matplotlib.colors import LogNorm

    found = [(d, o) for d in documents for o in d["occlusion"]]
    if not found:
        return None
    figure, axes = canvas(2, len(found), (PAGE if len(found) > 1 else 5.2, 3.3))
    for (panel, below), (document, o) in zip(np.reshape(axes, (2, len(found))).T, found):
        lost = o["whole"] - np.array(o["windows"])
        scale = {"cmap": "Blues", "norm": LogNorm(0.003, 1), "extent": (0, T, len(CHANNELS), 0)}
        image = panel.imshow(np.clip(lost, 0.003, 1), aspect="auto", **scale)
        whole = [f"{name}  ({o['whole'] - r2:.2f})" for name, r2 in zip(CHANNELS, o["channels"])]
        panel.set_yticks(np.arange(len(CHANNELS)) + 0.5, whole)
        panel.set_title(f"{short_name(document)}, {o['model']}: R2 {o['whole']:.3f}")
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
        panel.set_xticks([])
        steps = o["whole"] - np.array(o["steps"])
        at = np.arange(len(steps)) * WINDOW
        below.bar(at, steps, WINDOW, align="edge", color=LINE, edgecolor="white", linewidth=0.5)
        below.set(xlim=(0, T), xlabel="step of the scan", ylabel="R2 lost, all channels")
        figure.colorbar(image, ax=panel, label="R2 lost", ticks=[0.01, 0.1, 1], format="%g", pad=0.02)
    return figure


FIGURES = {f.__name__: f for f in (severity, soh_error, learning_curves, few_shot, splits, occlusion)}
"""Drawing functions by the names of the figures' files."""
