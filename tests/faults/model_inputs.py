"""Every kind of file that the model reads from outside, and how it reads it."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import torch

from hqvqvae import HQVQVAEConfig, HQVQVAEModel
from hqvqvae.cells import nasa
from hqvqvae.cells.cycling import read_cells, read_table
from hqvqvae.cells.features import feature_table
from hqvqvae.discovery import warning_score
from hqvqvae.discovery.warning_score import WarningScore, warn_cells
from hqvqvae.training.fit import fit
from tests.faults.bench import Bench, Input
from tests.hqvqvae.cells.test_nasa import operation, write_mat
from tests.hqvqvae.small import QUICK, cell_table, nasa_features, small_model


def model_inputs(bench: Bench) -> dict[str, Input]:
    """NASA's files, cycling tables, models, training states, warning scores."""
    torch.set_num_threads(1)
    folder = bench.folder / "model"
    folder.mkdir()
    _cells(folder)
    small_model().save_pretrained(folder / "model")
    config, x = HQVQVAEConfig.named("paper-classical"), nasa_features()
    (folder / "state").mkdir()
    fit(config, x, QUICK, state_file=folder / "state" / "state.safetensors")
    _warning(folder / "warning")
    features = torch.zeros(2, 3)
    return {
        "NASA .mat": Input(folder / "mat", lambda copy: feature_table(nasa.read_archive(copy)), share=1),
        "NASA zip": Input(folder / "zip", lambda copy: feature_table(nasa.read_archive(copy / "nasa.zip")), share=1),
        "cycling, CSV": Input(folder / "cycling", lambda copy: _features(copy / "mine.csv"), ("mine.csv",)),
        "cycling, Parquet": Input(
            folder / "cycling", lambda copy: _features(copy / "mine.parquet"), ("mine.parquet",), 2
        ),
        "cycling, cellpy": Input(folder / "cycling", lambda copy: _features(copy / "cellpy.csv"), ("cellpy.csv",)),
        "model": Input(
            folder / "model", lambda copy: HQVQVAEModel.from_pretrained(copy).encode(features),
            ("config.json", "model.safetensors"), 6,
        ),
        "training state": Input(
            folder / "state",
            lambda copy: fit(config, x, QUICK, state_file=copy / "state.safetensors", resume=True), share=3,
        ),
        "warning score": Input(folder / "warning", _warn),
    }  # fmt: skip


def _cells(folder: Path) -> None:
    (folder / "mat").mkdir()
    write_mat(folder / "mat" / "B0098.mat", [operation("charge"), operation(), operation()])
    upstream = os.environ.get("MAGBRIDGE_UPSTREAM")
    if upstream and (real := Path(upstream, "nasa", "B0054.mat")).is_file():
        shutil.copy(real, folder / "mat")
    (folder / "zip").mkdir()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "mat" / "B0098.mat", "B0098.mat")
    with zipfile.ZipFile(folder / "zip" / "nasa.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("5. Battery Data Set/1.zip", inner.getvalue())
    (folder / "cycling").mkdir()
    table = cell_table(cycles=2, n=30)
    table.to_csv(folder / "cycling" / "mine.csv", index=False)
    table.to_parquet(folder / "cycling" / "mine.parquet", index=False)
    names = {"cycle": "cycle_index", "time_s": "test_time", "voltage_V": "voltage", "current_A": "current"}
    table.drop(columns="cell_id").rename(columns=names | {"temperature_C": "temperature"}).to_csv(
        folder / "cycling" / "cellpy.csv", index=False, sep=";"
    )


def _features(path: Path) -> object:
    return feature_table(read_cells(path).segments)


def _warning(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    codes = [np.r_[rng.integers(0, 3, 20), rng.integers(2, 5, 20)] for _ in range(8)]
    WarningScore(5, 4, (0.1, 0.2, 0.3, 0.6, 0.9), (1.0,) * len(warning_score.FEATURES), -1.0, 0.5).save(
        folder / "warning_score.json"
    )
    lines = [f"c{cell},{cycle},{code}" for cell, each in enumerate(codes[:2]) for cycle, code in enumerate(each)]
    (folder / "codes.csv").write_text("cell_id,cycle,code\n" + "\n".join(lines) + "\n")


def _warn(copy: Path) -> object:
    return json.dumps(warn_cells(WarningScore.load(copy / "warning_score.json"), read_table(copy / "codes.csv")))
