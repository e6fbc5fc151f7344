"""The page on v3's magnetometers, with its figures: a pure function of the measurements."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmark.analysis import magnetics
from benchmark.analysis.plots import errors, legend_below, log_axis
from benchmark.analysis.reliability import AGAIN
from benchmark.data import DatasetInfo
from benchmark.results import SHIPPED
from dataset_card.contract.physics import DEFECTS
from dataset_card.errors import MagBridgeError
from dataset_card.running.log import LOG
from dataset_card.running.plotting import INK, LINE, MARK, PAGE, QUIET, canvas, printed, save, styles
from dataset_card.running.templates import template
from dataset_card.storage.documents import read_json
from dataset_card.storage.files import write_text

NAME, MEASURED, CURVES = "analysis.md", "analysis.json", "curves.json"
DEFECT = styles(DEFECTS[1:])
CHEMISTRY = {"NMC": {"color": LINE, "marker": "o"}, "LFP": {"color": MARK, "marker": "s"}}
METRICS = {"t5": "balanced accuracy", "t7": "R2"}
AXES = {"noise_pT": "noise, pT", "distance_mm": "distance, mm", "sensors": "sensors"}


def write_page(releases: Sequence[str | Path], out: Path, results: Path | None = None) -> Path:
    """Measure releases and write the page on all measurements in the folder.

    Args:
        releases: Folders or Hub ids of v1, v2 or v3; empty to redraw earlier measurements.
        out: Folder of the page, which may have the curves that `perf/v3_curves.py` wrote.
        results: Folder of results with predictions of T2; the shipped ones by default.

    Returns:
        Path of the page.

    Raises:
        MagBridgeError: If no v3 release was measured, or predictions of T2 are missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / MEASURED
    measured = read_json(path) if path.exists() else {}
    for release in releases:
        found = magnetics.measure(release, LOG.info, results or SHIPPED)
        measured[DatasetInfo(**found["dataset"]).bridge] = found
    if "v3" not in measured:
        raise MagBridgeError(f"no measurements of v3 in {out}: name a v3 release to measure with --data")
    curves = read_json(out / CURVES) if (out / CURVES).exists() else None
    write_text(path, json.dumps(dict(sorted(measured.items())), indent=1) + "\n")
    for name, draw in FIGURES.items():
        save(draw(measured), out / f"{name}.png")
    if curves is not None:
        save(curve_figure(curves), out / "curves.png")
    write_text(out / NAME, page(measured, curves))
    return out / NAME


def page_files(out: Path) -> list[Path]:
    """Return the files that `write_page` replaces in its folder, without the measurements."""
    return [out / name for name in (NAME, *(f"{name}.png" for name in (*FIGURES, "curves")))]


def page(measured: dict, curves: dict | None) -> str:
    """Render the page as Markdown."""
    v3, given = measured["v3"], curves or {"curves": [], "transfers": [], "cells": 0, "folds": 0, "deals": 0}
    terminals, ours = ([d for d in v3["detection"] if d["model"] == name] for name in magnetics.DETECTORS)
    scores: dict[tuple, dict] = {}
    for point in given["curves"]:
        setting = (*(point[axis] for axis in AXES), point["task"])
        scores.setdefault(setting, {})[point["chemistry"]] = point["score"]
    return template("benchmark.analysis", "magnetics.md", keep_trailing_newline=True).render(
        measured=measured,
        given=given,
        found=[(a, a["auc"], b["auc"]) for a, b in zip(ours, terminals, strict=True)],
        placed=[(d, d["error"], d["prior"]) for d in v3["place"]],
        curves=scores,
        chemistries=list(CHEMISTRY),
        losses=_losses,
        metrics=METRICS,
        folds=magnetics.FOLDS,
        placer=magnetics.PLACER,
        again=f"{AGAIN:.0%}",
    )


def _losses(o: dict) -> dict:
    """Compute the score lost without each sensor, time and channel, and the sensors that cost most."""
    lost = {name: o["whole"] - np.array(o[name]) for name in ("sensors", "times", "channels")}
    return {**lost, "median": np.median(lost["sensors"]), "worst": np.argsort(-lost["sensors"])[:3]}


def _judged(measured: dict) -> list[tuple[str, dict]]:
    return [(bridge, r) for bridge, d in measured.items() for r in d["reliability"]]


@printed
def defects(measured: dict):
    """Draw AUC and place error against the share of the defect."""
    figure, (left, right) = canvas(1, 2, (PAGE, 3.1))
    terminals, ours = ([d for d in measured["v3"]["detection"] if d["model"] == m] for m in magnetics.DETECTORS)
    place = measured["v3"]["place"]
    for panel, found, name, others, beside in (
        (left, ours, "auc", terminals, "auc"),
        (right, place, "error", place, "prior"),
    ):
        for defect in dict.fromkeys(d["defect"] for d in found):
            parts, nulls = ([d for d in rows if d["defect"] == defect and d["share"]] for rows in (found, others))
            x, style = [float(np.prod(d["share"]) ** 0.5) for d in parts], DEFECT[defect]
            errors(panel, x, [d[name] for d in parts], defect, **style)
            panel.plot(x, [d[beside][0] for d in nulls], color=style["color"], linestyle=":", linewidth=1, marker=".")
        log_axis(panel, (0.01, 0.03, 0.1, 0.3, 1), "{:g}")
        panel.set_xlabel("share of the defect")
    left.axhline(0.5, color=QUIET, linewidth=0.8)
    left.set(ylabel="AUC against healthy cells", title="found (dotted: by the terminals)")
    right.set(ylabel="median error of the place, mm", title="placed (dotted: by a constant)", ylim=(0, None))
    legend_below(figure, len(DEFECT))
    return figure


@printed
def reliability(measured: dict):
    """Draw the share of correct rows against probability, and error against coverage."""
    figure, (left, right) = canvas(1, 2, (PAGE, 3.3))
    names = [f"{bridge} {r['task'].upper()}, {r['model']}" for bridge, r in _judged(measured)]
    for (_, r), (name, style) in zip(_judged(measured), styles(names).items(), strict=True):
        sure, *right_share = np.array(r["bins"])[:, :4].T
        errors(left, sure, np.transpose(right_share), name, **style)
        right.plot(*np.array(r["curve"]).T, **(style | {"marker": ""}))
    left.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    lowest = min(min(b[0], b[2]) for _, r in _judged(measured) for b in r["bins"])
    left.set(xlim=(lowest - 0.03, 1.01), ylim=(lowest - 0.03, 1.02))
    left.set(xlabel="probability of the predicted class", ylabel="share of correct rows", title="calibration")
    right.set(xlabel="coverage: share of rows decided", ylabel="error among them", title="risk against coverage")
    right.set(xlim=(0, 1), ylim=(0, None))
    legend_below(figure, 3)
    return figure


@printed
def sensors(measured: dict):
    """Draw the score lost without each sensor, on the plane of the cell, and without each time at rest."""
    shown = measured["v3"]["occlusion"]
    figure, axes = canvas(1, 3, (PAGE, 2.3))
    for panel, o in zip(axes, shown):
        lost = (o["whole"] - np.array(o["sensors"])).reshape(6, 4).T
        image = panel.imshow(lost, origin="lower", cmap="Blues", vmin=0, extent=(0, 120, 0, 80))
        panel.set(xlabel="x, mm (tabs at 0)", ylabel="y, mm", title=f"{o['task'].upper()}, {o['model']}")
        panel.spines[:].set_visible(False)
        scale = {"ticks": np.linspace(0, lost.max(), 3), "format": "%.3f", "orientation": "horizontal", "aspect": 30}
        figure.colorbar(image, ax=panel, label=f"{METRICS[o['task']]} lost", **scale)
    times, o = np.arange(len(REST_S)), shown[0]
    axes[2].bar(times, o["whole"] - np.array(o["times"]), color=LINE, label="lost without this time")
    axes[2].plot(times, o["alone"], color=MARK, marker="o", label="with only this time")
    axes[2].axhline(o["whole"], color=QUIET, linewidth=0.8, linestyle=":")
    axes[2].axhline(0, color=INK, linewidth=0.6)
    axes[2].set_xticks(times, REST_S)
    axes[2].set(xlabel="time after the pulse, s", ylabel="R2", title="T7 by time at rest")
    axes[2].legend(loc="upper center", bbox_to_anchor=(0.5, -0.36))
    return figure


REST_S = ("1", "2", "6", "17", "68", "266", "600")
"""Times of the readings at rest, in s after the pulse."""

FIGURES = {draw.__name__: draw for draw in (defects, reliability, sensors)}


@printed
def curve_figure(curves: dict):
    """Draw the score against noise, distance and number of sensors, by chemistry."""
    tasks = list(dict.fromkeys(c["task"] for c in curves["curves"]))
    figure, axes = canvas(len(tasks), 3, (PAGE, 1.8 * len(tasks) + 0.5))
    axes = np.reshape(axes, (len(tasks), 3))
    usual = {axis: curves["curves"][0][axis] for axis in AXES}
    for line, task in zip(axes, tasks, strict=True):
        for panel, axis in zip(line, AXES, strict=True):
            for chemistry, style in CHEMISTRY.items():
                on = [c for c in curves["curves"] if all(c[a] == usual[a] for a in AXES if a != axis)]
                points = [c for c in on if (c["task"], c["chemistry"]) == (task, chemistry)]
                points.sort(key=lambda c: c[axis])
                errors(panel, [c[axis] for c in points], [c["score"] for c in points], chemistry, **style)
            log_axis(panel, sorted({c[axis] for c in on}), "{:,}")
            panel.axhline(0 if task == "t7" else 1 / 6, color=QUIET, linewidth=0.8, linestyle=":")
            panel.set_xlabel(AXES[axis])
        line[0].set_ylabel(f"{task.upper()}: {METRICS[task]}")
        low = min(panel.get_ylim()[0] for panel in line)
        for panel in line:
            panel.set_ylim(max(low, -0.5), max(other.get_ylim()[1] for other in line))
    figure.suptitle(f"{curves['cells']:,} cells, {curves['folds']} folds; usual: 50 pT, 10 mm, 24 sensors")
    legend_below(figure, 2)
    return figure
