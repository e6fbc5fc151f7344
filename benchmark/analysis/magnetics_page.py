"""The page on what v3's magnetometers tell, with its figures: a pure function of what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from string import Template

import numpy as np

from benchmark.analysis import magnetics
from benchmark.analysis.document import read
from benchmark.analysis.figures import _legend
from benchmark.analysis.reliability import AGAIN
from benchmark.data import DatasetInfo
from benchmark.results import SHIPPED
from dataset_card.contract.field import markdown_table
from dataset_card.contract.physics import DEFECTS
from dataset_card.errors import MagBridgeError
from dataset_card.running.log import LOG
from dataset_card.running.plotting import INK, LINE, MARK, PAGE, QUIET, canvas, printed, save, styles
from dataset_card.storage.files import replacing

NAME, MEASURED, CURVES = "analysis.md", "analysis.json", "curves.json"
DEFECT = styles(DEFECTS[1:])
CHEMISTRY = {"NMC": {"color": LINE, "marker": "o"}, "LFP": {"color": MARK, "marker": "s"}}
METRICS = {"t5": "balanced accuracy", "t7": "R2"}
AXES = {"noise_pT": "noise, pT", "distance_mm": "distance, mm", "sensors": "sensors"}


def write_page(releases: Sequence[str | Path], out: Path, results: Path | None = None) -> Path:
    """Measure releases and write the page on all that was measured into the folder.

    Args:
        releases: Folders or Hub ids of v1, v2 or v3; none to draw anew what was measured before.
        out: Folder; the curves are read there, where `perf/v3_curves.py` wrote them.
        results: Folder of results with predictions of T2; the shipped ones by default.

    Raises:
        MagBridgeError: No v3 release was measured, or predictions of T2 are missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / MEASURED
    measured = read(path) if path.exists() else {}
    for release in releases:
        found = magnetics.measure(release, LOG.info, results or SHIPPED)
        measured[DatasetInfo(**found["dataset"]).bridge] = found
    if "v3" not in measured:
        raise MagBridgeError(f"no v3 release was measured into {out}: name one with --data")
    curves = read(out / CURVES) if (out / CURVES).exists() else None
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(dict(sorted(measured.items())), indent=1) + "\n", encoding="utf-8")
    for name, draw in FIGURES.items():
        save(draw(measured), out / f"{name}.png")
    if curves is not None:
        save(curve_figure(curves), out / "curves.png")
    with replacing(out / NAME) as temporary:
        temporary.write_text(page(measured, curves), encoding="utf-8")
    return out / NAME


def page_files(out: Path) -> list[Path]:
    """What `write_page` replaces in its folder, the measurements apart."""
    return [out / name for name in (NAME, *(f"{name}.png" for name in (*FIGURES, "curves")))]


def page(measured: dict, curves: dict | None) -> str:
    """The Markdown text."""
    v3, given = measured["v3"], curves or {"curves": [], "transfers": [], "cells": 0, "folds": 0, "deals": 0}
    terminals, ours = ([d for d in v3["detection"] if d["model"] == name] for name in magnetics.DETECTORS)
    found = [(a, a["auc"], b["auc"], 3) for a, b in zip(ours, terminals, strict=True)]
    placed = [(d, d["error"], d["prior"], 1) for d in v3["place"]]
    words = {
        "releases": "\n".join(
            f"- {b}: {d['dataset']['name']}, dataset {d['dataset']['digest'][:12]}" for b, d in measured.items()
        ),
        "detection": _beside(("magnetics", "terminals"), found),
        "place": _beside(("median error", "constant"), placed),
        "reliability": markdown_table(RELIABILITY, (_reliability(*judged) for judged in _judged(measured))),
        "sensors": "\n".join(map(_sensors, v3["occlusion"])),
        "curves": markdown_table(
            ("noise, pT", "distance, mm", "sensors", "task", *CHEMISTRY), _curves(given["curves"])
        ),
        "transfers": markdown_table(TRANSFERS, map(_transfer, given["transfers"])),
    }
    template = Template(Path(__file__).with_name("magnetics.md").read_text(encoding="utf-8"))
    return template.substitute(
        words,
        folds=magnetics.FOLDS,
        placer=magnetics.PLACER,
        again=f"{AGAIN:.0%}",
        cells=f"{given['cells']:,}",
        curve_folds=given["folds"],
        deals=given["deals"],
    )


def _beside(names: tuple[str, str], rows: Iterable[tuple[dict, list, list, int]]) -> str:
    """A value of each defect and part, beside that without what is tried."""
    head = ("defect", "share", "cells", names[0], "95 % interval", names[1], "95 % interval")
    shares = ("all" if d["share"] is None else "{:.3f} to {:.3f}".format(*d["share"]) for d, *_ in rows)
    values = ([text for v in values for text in _value(v, digits)] for _, *values, digits in rows)
    return markdown_table(head, ((r[0]["defect"], s, r[0]["cells"], *v) for r, s, v in zip(rows, shares, values)))


RELIABILITY = (
    *("release", "task", "model", "rows", "ECE", "error", "AURC", "95 % interval", "best order"),
    *("error of the sure", "unsure measured again"),
)
TRANSFERS = ("task", "fitted on", "scored on", "at home", "score", "95 % interval", "labels dealt", "constant")


def _reliability(bridge: str, r: dict) -> tuple[str, ...]:
    ece = f"{r['ece']:.3f}" + (f" ({r['ece_given']:.3f})" if "ece_given" in r else "")
    who = bridge, r["task"].upper(), f"`{r['model']}`", f"{r['rows']:,} {r['rows_of']}"
    return *who, ece, f"{r['error']:.3f}", *_value(r["aurc"]), *(f"{v:.3f}" for v in (r["aurc_best"], *r["again"]))


def _judged(measured: dict) -> list[tuple[str, dict]]:
    return [(bridge, r) for bridge, d in measured.items() for r in d["reliability"]]


def _sensors(o: dict) -> str:
    sensors, times, channels = (o["whole"] - np.array(o[name]) for name in ("sensors", "times", "channels"))
    return (
        f"- {o['task'].upper()}, `{o['model']}`: {METRICS[o['task']]} {o['whole']:.3f}, {o['all'][0]:.3f} with "
        f"everything filled in. Lost without load, rest, scan {_list(channels)}; without one sensor "
        f"{np.median(sensors):.3f} in the median, {sensors.max():.3f} at most (sensors "
        f"{', '.join(map(str, np.argsort(-sensors)[:3]))} cost most); without one time at rest {_list(times)}. "
        f"With one time at rest alone it is {_list(o['alone'])}."
    )


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def _curves(points: list[dict]) -> Iterator[tuple[str, ...]]:
    scores = {(*(str(p[axis]) for axis in AXES), p["task"].upper(), p["chemistry"]): _value(p["score"]) for p in points}
    for key in dict.fromkeys(key[:-1] for key in scores):
        yield *key, *("{} ({})".format(*scores[*key, chemistry]) for chemistry in CHEMISTRY)


def _transfer(t: dict) -> tuple[str, ...]:
    null = "{:.3f} to {:.3f}".format(*t["dealt"]), f"{t['constant']:.3f}"
    return t["task"].upper(), t["from"], t["to"], f"{t['within'][0]:.3f}", *_value(t["score"]), *null


def _value(found: Sequence[float], digits: int = 3) -> tuple[str, str]:
    value, low, high = (f"{number:.{digits}f}" for number in found)
    return value, f"{low} to {high}"


def _errors(panel, x, values, label: str | None, **style) -> None:
    value, low, high = np.array(values).T
    bars = np.clip([value - low, high - value], 0, None)
    panel.errorbar(x, value, yerr=bars, label=label, capsize=1.5, elinewidth=0.8, **style)


@printed
def defects(measured: dict):
    """AUC and place error against the share of the defect."""
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
            _errors(panel, x, [d[name] for d in parts], defect, **style)
            panel.plot(x, [d[beside][0] for d in nulls], color=style["color"], linestyle=":", linewidth=1, marker=".")
        panel.set_xscale("log")
        panel.set_xticks(ticks := (0.01, 0.03, 0.1, 0.3, 1), [f"{tick:g}" for tick in ticks])
        panel.minorticks_off()
        panel.set_xlabel("share of the defect")
    left.axhline(0.5, color=QUIET, linewidth=0.8)
    left.set(ylabel="AUC against healthy cells", title="found (dotted: by the terminals)")
    right.set(ylabel="median error of the place, mm", title="placed (dotted: by a constant)", ylim=(0, None))
    _legend(figure, left, len(DEFECT))
    return figure


@printed
def reliability(measured: dict):
    """Share right against probability; error against coverage."""
    figure, (left, right) = canvas(1, 2, (PAGE, 3.3))
    names = [f"{bridge} {r['task'].upper()}, {r['model']}" for bridge, r in _judged(measured)]
    for (_, r), (name, style) in zip(_judged(measured), styles(names).items(), strict=True):
        sure, *right_share = np.array(r["bins"])[:, :4].T
        _errors(left, sure, np.transpose(right_share), name, **style)
        right.plot(*np.array(r["curve"]).T, **(style | {"marker": ""}))
    left.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    lowest = min(min(b[0], b[2]) for _, r in _judged(measured) for b in r["bins"])
    left.set(xlim=(lowest - 0.03, 1.01), ylim=(lowest - 0.03, 1.02))
    left.set(xlabel="probability of the predicted class", ylabel="share of rows it is right in", title="calibration")
    right.set(xlabel="coverage: share of rows decided", ylabel="error among them", title="risk against coverage")
    right.set(xlim=(0, 1), ylim=(0, None))
    _legend(figure, left, 3)
    return figure


@printed
def sensors(measured: dict):
    """Score lost without each sensor, on the cell's plane, and without each time at rest."""
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
    axes[2].bar(times, o["whole"] - np.array(o["times"]), color=LINE, label="lost without it")
    axes[2].plot(times, o["alone"], color=MARK, marker="o", label="with it alone")
    axes[2].axhline(o["whole"], color=QUIET, linewidth=0.8, linestyle=":")
    axes[2].axhline(0, color=INK, linewidth=0.6)
    axes[2].set_xticks(times, REST_S)
    axes[2].set(xlabel="time after the pulse, s", ylabel="R2", title="T7 by time at rest")
    axes[2].legend(loc="upper center", bbox_to_anchor=(0.5, -0.36))
    return figure


REST_S = ("1", "2", "6", "17", "68", "266", "600")
"""Readings at rest, in s after the pulse."""

FIGURES: dict[str, Callable] = {"defects": defects, "reliability": reliability, "sensors": sensors}


@printed
def curve_figure(curves: dict):
    """Score against noise, distance and sensors by chemistry."""
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
                _errors(panel, [c[axis] for c in points], [c["score"] for c in points], chemistry, **style)
            panel.set_xscale("log")
            panel.set_xticks(ticks := sorted({c[axis] for c in on}), [f"{tick:,}" for tick in ticks])
            panel.minorticks_off()
            panel.axhline(0 if task == "t7" else 1 / 6, color=QUIET, linewidth=0.8, linestyle=":")
            panel.set_xlabel(AXES[axis])
        line[0].set_ylabel(f"{task.upper()}: {METRICS[task]}")
        low = min(panel.get_ylim()[0] for panel in line)
        for panel in line:
            panel.set_ylim(max(low, -0.5), max(other.get_ylim()[1] for other in line))
    figure.suptitle(f"{curves['cells']:,} cells, {curves['folds']} folds; usual: 50 pT, 10 mm, 24 sensors")
    _legend(figure, axes[0, 0], 2)
    return figure
