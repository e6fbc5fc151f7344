"""One run of the search as a folder: the record, the model of all cells with its warning score, a figure and a report.

The record grows: results that it already contains for the same cells and plan are not measured again.
"""

import functools
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import MARKERS, canvas
from dataset_card.storage.documents import json_text, write_json
from dataset_card.storage.files import replacing

from ...cells.code_statistics import code_rates
from ...cells.features import require_known
from ...hub.model_card import POWER, PRECURSORS, read_record
from ...hub.publishing import export_packaged
from ...hub.sentences import precursor_report
from ...modeling_hqvqvae import PACKAGED, HQVQVAEModel
from ...training.checkpoint import save_model, write_once
from ...training.evaluation import table_sha256, versions
from ...training.fit import TrainingConfig, quantized_mse
from ...training.jobs import ALONE, Engine, run_jobs
from ...training.methods import LIFE_METHODS, QUANTIZERS, NeuralCoder, fit_method
from ...training.plotting import ACCENT, OKABE_ITO, save_figure_of
from ..warning_score import WarningScore
from . import warning
from .search import BOUNDS, fewer_cells, search, transfer
from .study import TRAIN_STEP, LifePlan, LifeStudy, balanced_folds, prepare

KIND = "search for precursors"
SCHEMA_VERSION = 2
MODEL = "precursor"
NUMBERS = (20, 40, 60, 90)
SEEDS = {"absolute": 1, "warning": 1}  # maximum number of seeds per part
PARTS = ("search", "absolute", "transfer", "numbers", "warning")
BESIDE = {"search": tuple(BOUNDS), "transfer": tuple(BOUNDS), "warning": warning.PLAIN}
"""Further predictors measured in a part, in addition to the methods."""

Job = tuple[str, str, int, int]
"""Part, method, number of cells and seed; if cells are drawn, the seed is that of the draw."""


def jobs_of(parts: Sequence[str], methods: Sequence[str], cells: int, seeds: int, draws: int) -> list[Job]:
    """List the jobs of a run, longest first."""
    found = []
    for part in parts:
        numbers, repeats = (NUMBERS, draws) if part == "numbers" else ((cells,), min(seeds, SEEDS.get(part, seeds)))
        named = (*reversed(methods), *BESIDE.get(part, ()))
        found += list(itertools.product((part,), named, numbers, range(repeats)))
    return found


def measure(job: Job, curves: pd.DataFrame | None = None) -> dict[str, Any]:
    """Measure one row of the record; part "curve" uses the curves as its input."""
    part, method, n, seed = job
    plan = LifePlan(seed=seed) if part != "absolute" else LifePlan(seed=seed, reference_window=None)
    study = fewer_cells(plan, n) if part == "numbers" else prepare(plan, curves=curves)
    found = {"transfer": transfer, "warning": warning.evaluate}.get(part, search)(study, method)
    return dict(zip(("part", "method", "cells", "seed"), job, strict=True)) | found


def begin(out: Path, study: LifeStudy) -> dict[str, Any]:
    """Load the record in a folder, or make a new one.

    Raises:
        MagBridgeError: If the folder has a record of other cells or another plan.
    """
    of_run = {"schema_version": SCHEMA_VERSION, "plan": asdict(study.plan) | {"train_step": TRAIN_STEP}}
    of_run |= {"cells": len(study.lives), "data_sha256": table_sha256(study.table, study.names)}
    of_run = json.loads(json_text(of_run))
    path = out / PRECURSORS
    try:
        found = read_record(path)
    except ValueError as error:
        raise MagBridgeError(f"{path} is not a record of a search ({error}); give another --out") from error
    if found is None:
        return of_run | {"rows": [], "versions": versions()}
    if not isinstance(found, dict) or any(found.get(name) != value for name, value in of_run.items()):
        raise MagBridgeError(f"{path} is not a record of a search of these cells under this plan; give another --out")
    return found | {"versions": versions()}


def predictions(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Predict the share found per number of cells, from the packaged power analysis on planted precursors.

    The strength of a method's precursor is its Spearman within cohorts for all cells, averaged over seeds.

    Args:
        found: The record of the search.

    Returns:
        The share of precursors found, by method and number of cells.
    """
    power = read_record(PACKAGED / POWER)
    predicted: dict[str, dict[str, float]] = {}
    for method in dict.fromkeys(row["method"] for row in found["rows"] if row["part"] == "numbers"):
        whole = [row["within"] for row in found["rows"] if (row["part"], row["method"]) == ("search", method)]
        if power is not None and whole:
            curves = {n: np.interp(np.mean(whole), power["effects"], c["found"]) for n, c in power["curves"].items()}
            predicted[method] = {n: float(share) for n, share in curves.items()}
    return predicted


def final_model(study: LifeStudy, training: TrainingConfig) -> tuple[HQVQVAEModel, WarningScore, np.ndarray]:
    """Fit the model of all cells; return it, its warning score, and the codes of all segments (N,)."""
    n_codes, taken = warning.N_CODES, study.features[::TRAIN_STEP]
    coder = fit_method(MODEL, taken, training.seed, feature_names=study.names, training=training, n_codes=n_codes)
    assert isinstance(coder, NeuralCoder)
    codes = coder.encode(study.features)
    everyone = np.arange(len(study.lives))
    precursor = warning.precursor_of(study, code_rates(study.index, codes, n_codes), everyone)
    inner = balanced_folds(study.index.cohorts, study.plan.inner_folds, np.random.default_rng(study.plan.seed))
    of_cells = study.index.split(codes)
    short = study.lives < np.median(study.lives)
    return coder.model, warning.calibrated_to_short(of_cells, short, n_codes, precursor, inner), codes


def run(
    out: Path,
    *,
    methods: Sequence[str] = LIFE_METHODS,
    parts: Sequence[str] = PARTS,
    seeds: int = 10,
    draws: int = 6,
    curves: pd.DataFrame | None = None,
    export: Path | None = None,
    replace_export: bool = False,
    engine: Engine = ALONE,
) -> dict[str, Any]:
    """Run the search, transfer, fewer cells and warning, then fit the model of all cells; keep existing results.

    Args:
        out: Folder for precursors.json, report.md, codes.png, model/ and warning_score.json.
        methods: Names from `methods.LIFE_METHODS` and `methods.QUANTIZERS`.
        parts: Names from `PARTS`.
        seeds: Number of seeds of folds and models, from 0.
        draws: Number of draws of fewer cells, per number of cells.
        curves: A table from `matr.read_curves`, to search on these only, in place of the parts.
        export: Folder in which to also write the model as packaged weights.
        replace_export: Whether existing packaged weights may be replaced.
        engine: Where the fits run.

    Returns:
        The content of precursors.json.

    Raises:
        MagBridgeError: If a method or part is unknown, or the folder has a record of other cells or another plan.
    """
    for name in methods:
        require_known("method", name, LIFE_METHODS + QUANTIZERS)
    for name in parts:
        require_known("part", name, PARTS)
    study = prepare()
    found = begin(out, study)
    there = {(row["part"], row["method"], row["cells"], row["seed"]) for row in found["rows"]}
    parts = parts if curves is None else ("curve",)
    todo = [job for job in jobs_of(parts, methods, len(study.lives), seeds, draws) if job not in there]

    def keep(row: dict[str, Any]) -> None:
        found["rows"].append(row)
        write_json(out / PRECURSORS, found)

    run_jobs(functools.partial(measure, curves=curves), todo, engine, keep)
    found["rows"].sort(key=_place)
    found["predicted"] = predictions(found)
    model, score, codes = final_model(study, TrainingConfig())
    taken = torch.tensor(study.features[::TRAIN_STEP], dtype=torch.float32)
    used = len(model.encode_relative(taken)[0].unique())
    metrics = {"segments": len(taken), "train_mse": quantized_mse(model, taken), "codes_used": used}
    found["model"] = {"seed": 0, "precursor": score.precursor, "short_below": float(np.median(study.lives))}
    found["model"]["metrics"] = metrics
    write_json(out / PRECURSORS, found)
    write_once(out / "model", functools.partial(save_model, model))
    score.save(out / "warning_score.json")
    save_figure_of(out / "codes.png", draw_lives, study, codes, score)
    with replacing(out / "report.md") as temporary:
        temporary.write_text(precursor_report(found), encoding="utf-8")
    if export is not None:
        training = found["model"] | {"config": MODEL} | {name: found[name] for name in ("data_sha256", "versions")}
        extra = [out / name for name in ("warning_score.json", PRECURSORS, "codes.png")]
        export_packaged(model, export, MODEL, training, replace_export, extra)
    return found


def _place(row: dict[str, Any]) -> tuple[int, int, str, int, int]:
    """Return the sort key of a row in the record: methods in the order of `methods`, other predictors last."""
    known, part, method = (*LIFE_METHODS, *QUANTIZERS), row["part"], row["method"]
    place = known.index(method) if method in known else len(known)
    return (*PARTS, "curve").index(part), place, method, row["cells"], row["seed"]


LIVES = [200, 500, 1000, 2000]  # cycles; labels of the axis


def draw_lives(study: LifeStudy, codes: np.ndarray, score: WarningScore) -> Any:
    """Draw every cell's codes over its cycles, shortest life on top, and the precursor's share against life.

    Args:
        study: The cells.
        codes: Code of every segment, (N,).
        score: The fitted score; its precursor is marked, and its alarms are dots.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    figure, (left, right) = canvas(1, 2, (11, 6.5), width_ratios=(1.7, 1))
    n_codes = score.n_codes
    rates = code_rates(study.index, codes, n_codes)
    # Colours rank codes from long to short lives, by mean severity.
    rank = np.argsort(np.argsort(study.severity @ rates / rates.sum(axis=0)))
    cycles = study.table["cycle"].to_numpy()
    order = np.argsort(study.lives, kind="stable")
    row_of = np.argsort(order)
    first, last = cycles.min(), cycles.max()
    grid = np.full((len(order), last - first + 1), np.nan)
    grid[row_of[study.index.cell], cycles - first] = rank[codes]
    colours = ListedColormap(colormaps["cividis"](np.linspace(0.95, 0.05, n_codes)))
    extent = (first - 0.5, last + 0.5, len(order) - 0.5, -0.5)
    left.imshow(grid, aspect="auto", cmap=colours, vmin=-0.5, vmax=n_codes - 0.5, interpolation="none", extent=extent)
    for cell, sequence in enumerate(study.index.split(codes)):
        alarm = score.alarm(sequence)
        if alarm is not None:
            left.plot(cycles[study.index.starts[cell] + alarm], row_of[cell], "o", color=ACCENT, markersize=3)
    ticks = np.linspace(0, len(order) - 1, 9).round().astype(int)
    left.set_yticks(ticks, [f"{study.lives[order[tick]]:.0f}" for tick in ticks])
    left.set(xlabel="cycle", ylabel=f"{len(order)} cells, by life [cycles]")
    for code in np.argsort(rank):
        chosen = " (chosen)" if code == score.precursor else ""
        left.plot([], [], "s", color=colours(int(rank[code])), markersize=8, label=f"code {code}{chosen}")
    left.plot([], [], "o", color=ACCENT, markersize=4, label="first alarm")
    left.legend(ncols=n_codes + 1, loc="lower center", bbox_to_anchor=(0.5, 1))
    if score.precursor is not None:
        for cohort, colour, marker in zip(np.unique(study.index.cohorts), OKABE_ITO, MARKERS, strict=False):
            mine = study.index.cohorts == cohort
            style = {"color": colour, "marker": marker, "linestyle": "", "markersize": 5}
            right.plot(rates[mine, score.precursor], study.lives[mine], label=cohort, **style)
        right.legend()
    label = f"share of code {score.precursor} in cycles {first} to {last}"
    right.set(yscale="log", ylabel="life [cycles]", xlabel=label)
    right.set_yticks(LIVES, LIVES)
    right.minorticks_off()
    return figure
