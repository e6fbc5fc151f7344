"""One run of the search as a folder: the record, the model of all cells with its warning score, figure and report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import write_json
from dataset_card.storage.output import writing_folder

from ...cells.code_statistics import code_rates
from ...configuration_hqvqvae import HQVQVAEConfig
from ...hub.model_card import POWER, read_record
from ...hub.precursor_card import precursor_report
from ...hub.publishing import export_packaged
from ...modeling_hqvqvae import PACKAGED, HQVQVAEModel
from ...training.evaluation import table_sha256, versions
from ...training.fit import TrainingConfig, quantized_mse
from ...training.methods import LIFE_METHODS, NeuralCoder, fit_method
from ...training.plotting import DPI
from ..warning_score import WarningScore
from . import warning
from .figure import draw_lives
from .search import by_number, search, transfer
from .study import TRAIN_STEP, LifePlan, LifeStudy, balanced_folds, prepare

KIND = "search for precursors"
SCHEMA_VERSION = 1
MODEL = "precursor"
NUMBERS = (20, 40, 60, 90, 124)
TRANSFER_SEEDS = 3
PARTS = ("search", "transfer", "numbers", "warning")


def add_predictions(found: dict[str, Any]) -> None:
    """What planted precursors had predicted: the share found at the strength that all cells show within cohorts."""
    power = read_record(PACKAGED / POWER)
    for rows in found["numbers"].values():
        strength = float(np.mean(rows[-1]["within"]))
        for row in rows:
            curve = None if power is None else power["curves"].get(str(row["cells"]))
            row["predicted"] = None
            if power is not None and curve is not None:
                row["predicted"] = float(np.interp(strength, power["effects"], curve["found"]))


def final_model(study: LifeStudy, n_codes: int, training: TrainingConfig) -> tuple[Any, WarningScore, np.ndarray]:
    """The model of all cells, its warning score, and the codes of all segments (N,)."""
    coder = fit_method(
        MODEL,
        study.features[::TRAIN_STEP],
        training.seed,
        feature_names=study.names,
        training=training,
        n_codes=n_codes,
    )
    assert isinstance(coder, NeuralCoder)
    codes = coder.encode(study.features)
    everyone = np.arange(len(study.lives))
    precursor = warning.precursor_of(study, code_rates(study.index, codes, n_codes), everyone)
    inner = balanced_folds(study.index.cohorts, study.plan.inner_folds, np.random.default_rng(study.plan.seed))
    of_cells = np.split(codes, study.index.starts[1:-1])
    short = study.lives < np.median(study.lives)
    return coder.model, warning.fit_calibrated(of_cells, short, n_codes, precursor, inner), codes


def model_metrics(model: HQVQVAEModel, features: np.ndarray) -> dict[str, float]:
    """Training error and codes in use on the segments trained on."""
    import torch

    rows = torch.tensor(features, dtype=torch.float32)
    used = len(model.encode_relative(rows)[0].unique())
    return {"segments": len(rows), "train_mse": quantized_mse(model, rows), "codes_used": used}


def run(
    out: Path,
    *,
    methods: Sequence[str] = LIFE_METHODS,
    parts: Sequence[str] = PARTS,
    seeds: int = 10,
    draws: int = 6,
    export: Path | None = None,
    replace_run: bool = False,
    say: Callable[[str], None] = lambda text: None,
    **jobs: Any,
) -> dict[str, Any]:
    """Search, transfer, fewer cells and warning, then the model of all cells, into a new folder.

    Args:
        out: A new folder: precursors.json, report.md, codes.png, model/, warning_score.json.
        methods: Of `methods.LIFE_METHODS`.
        parts: Of `PARTS`.
        seeds: Of folds and models, from 0.
        draws: Of fewer cells, for each number.
        export: Also write the model as packaged weights there.
        replace_run: Whether such folders that are there may be replaced.
        say: Called with a line of progress.
        **jobs: `workers`, `address` and `progress` of `run_jobs`.

    Returns:
        What precursors.json holds.
    """
    unknown = [name for name in (*methods, *parts) if name not in LIFE_METHODS + PARTS]
    if unknown:
        raise MagBridgeError(f"{unknown[0]!r} is unknown; expected methods {LIFE_METHODS} and parts {PARTS}")
    plan = LifePlan()
    study = prepare(plan)
    found: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION, "plan": asdict(plan) | {"train_step": TRAIN_STEP},
        "cells": len(study.lives), "data_sha256": table_sha256(study.table, study.names), "versions": versions(),
    }  # fmt: skip
    if "search" in parts:
        found["search"] = []
        for seed in range(seeds):
            say(f"search, seed {seed} of {seeds}")
            found["search"].append(search(prepare(replace(plan, seed=seed)), methods, **jobs))
        say("the same without a reference")
        absolute = prepare(replace(plan, reference_window=None))
        found["absolute"] = search(absolute, methods[:1], **jobs)[methods[0]]
        found["absolute_method"] = methods[0]
    if "transfer" in parts:
        say("transfer to the later batch")
        few = min(seeds, TRANSFER_SEEDS)
        found["transfer"] = [transfer(prepare(replace(plan, seed=seed)), methods, **jobs) for seed in range(few)]
    if "numbers" in parts:
        say("fewer cells")
        found["numbers"] = {methods[0]: by_number(plan, methods[0], NUMBERS, draws, **jobs)}
        add_predictions(found)
    n_codes = HQVQVAEConfig.named(MODEL).codebook_size
    if "warning" in parts:
        say("warning of short lives")
        found["warning"] = warning.evaluate(study, MODEL, n_codes, **jobs)
    say("the model of all cells")
    model, score, codes = final_model(study, n_codes, TrainingConfig())
    metrics = model_metrics(model, study.features[::TRAIN_STEP])
    found["model"] = {
        "seed": 0, "precursor": score.precursor, "short_below": float(np.median(study.lives)), "metrics": metrics,
    }  # fmt: skip
    with writing_folder(out, KIND, replace_run) as folder:
        write_json(folder / "precursors.json", found)
        model.save_pretrained(folder / "model")
        score.save(folder / "warning_score.json")
        draw_lives(study, codes, score).savefig(folder / "codes.png", dpi=DPI, format="png")
        (folder / "report.md").write_text(precursor_report(found), encoding="utf-8")
    if export is not None:
        export_precursor(out, export, replace_run)
    return found


def export_precursor(run: Path, folder: Path, replace_there: bool = False) -> None:
    """Write a run's model, warning score, record and picture as packaged weights, with their card."""
    model = HQVQVAEModel.from_pretrained(run)
    found = json.loads((run / "precursors.json").read_text(encoding="utf-8"))
    training = found["model"] | {"config": MODEL, "data_sha256": found["data_sha256"], "versions": found["versions"]}
    extra = [run / name for name in ("warning_score.json", "precursors.json", "codes.png")]
    export_packaged(model, folder, MODEL, training, replace_there, extra)
