"""One training run as a folder: best/ and last/ models, metrics.json, training_curve.png, state to resume from."""

import functools
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import write_json
from dataset_card.storage.files import expect_free
from dataset_card.storage.output import require_begun, require_folder

from ..cells.features import less_the_beginning
from ..configuration_hqvqvae import HQVQVAEConfig
from ..hub.publishing import PACKAGED_MODEL, export_packaged
from .checkpoint import save_model, write_once
from .evaluation import table_sha256, versions
from .fit import TrainingConfig, draw_history, fit
from .methods import RAW_Z_CLIP
from .plotting import save_figure_of


def train_run(
    table: pd.DataFrame,
    out: Path,
    training: TrainingConfig,
    *,
    config_name: str = "recommended",
    changes: Mapping[str, Any] | None = None,
    protocol: str = "C",
    validation_cells: list[str] | tuple[str, ...] = (),
    resume: bool = False,
    export: Path | None = None,
    replace: bool = False,
    device: str = "cpu",
) -> dict:
    """Train a named configuration on a feature table and write the run.

    Args:
        table: Features of one protocol, a table such as that of `nasa.load_segments`.
        out: Folder of the run.
        training: The optimiser's settings and the seed.
        config_name: Name for `HQVQVAEConfig.named`.
        changes: Arguments of the configuration that differ from the named one.
        protocol: Protocol of the table.
        validation_cells: Cells to hold out; the best epoch is chosen on them.
        resume: Continue from the run in the folder; of a finished run, existing models and records are kept.
        export: Folder in which to also write the last model as packaged weights.
        replace: Whether packaged weights in that folder may be replaced.
        device: A torch device.

    Returns:
        The record in metrics.json, without the history.

    Raises:
        MagBridgeError: If cells are unknown, no segment is left to train on, or the folder contains another run.
    """
    require_begun(out, "training run", "state.safetensors")
    if export is not None:
        require_folder(export, PACKAGED_MODEL, replace)
    z_clip = RAW_Z_CLIP if protocol == "P" else None
    config = HQVQVAEConfig.named(config_name, protocol=protocol, z_clip=z_clip, **(changes or {}))
    absent = [name for name in config.feature_names if name not in table]
    if absent:
        raise MagBridgeError(f"the table has no features {absent}; it has {list(table)}")
    unknown = sorted(set(validation_cells) - set(table["cell_id"]))
    if unknown:
        raise MagBridgeError(f"no cells {unknown} to hold out; expected some of {sorted(table['cell_id'].unique())}")
    data_sha256 = table_sha256(table, config.feature_names)
    if config.reference_window is not None:
        table = less_the_beginning(table, config.feature_names, config.reference_window)
    held_out = table["cell_id"].isin(list(validation_cells)).to_numpy()
    features = table[config.feature_names].to_numpy(dtype=float)
    if held_out.all():
        raise MagBridgeError(
            f"holding out {sorted(validation_cells)} leaves no segment to train on; hold out fewer cells"
        )
    state_file = out / "state.safetensors"
    if state_file.exists() and not resume:
        raise MagBridgeError(f"{out} already contains a run; continue it with --resume, or give another --out")
    expect_free(state_file, not state_file.exists())
    validation = features[held_out] if held_out.any() else None
    kept: dict[str, Any] = {"state_file": state_file, "resume": resume, "progress": sys.stderr.isatty()}
    result = fit(config, features[~held_out], training, validation=validation, device=device, **kept)
    record = {"config": config_name, "changes": dict(changes or {}), "protocol": protocol, "seed": training.seed}
    record |= {"training": asdict(training), "validation_cells": sorted(validation_cells)}
    record |= {"data_sha256": data_sha256, "versions": versions(), "metrics": result.metrics}
    for name, model in (("best", result.best_model), ("last", result.model)):
        write_once(out / name, functools.partial(save_model, model))
    write_once(out / "metrics.json", lambda path: write_json(path, record | {"history": result.history}))
    write_once(out / "training_curve.png", lambda path: save_figure_of(path, draw_history, result.history))
    if export is not None:
        export_packaged(result.model, export, config_name, record, replace)
    return record
