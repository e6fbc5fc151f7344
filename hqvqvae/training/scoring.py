"""Codes and reconstruction errors of a user's own cells, by a trained model."""

import numpy as np
import pandas as pd
import torch

from dataset_card.errors import MagBridgeError

from ..cells import features as cells
from ..modeling_hqvqvae import HQVQVAEModel
from .fit import segment_errors


def score_cells(model: HQVQVAEModel, segments: list[cells.Segment], skip_invalid: bool = False) -> pd.DataFrame:
    """Encode each discharge segment and measure how well its code describes it.

    Args:
        model: A trained model; its configuration gives its features and protocol.
        segments: The cells' discharges, starting with the first one (`ah_throughput` counts them all).
        skip_invalid: Leave out discharges that are faulty, too short or without load, instead of rejecting them.

    Returns:
        `cell_id`, `cycle`, `code` and `reconstruction_error` (mean squared error in z units of the training segments;
        below 1 for a segment like those trained on), in order of cell and cycle. A model that works relative to the
        cell's own beginning leaves out the segments up to the end of its reference window.

    Raises:
        MagBridgeError: If a discharge is not valid, none is, or none follows the reference window.
    """
    protocol, names = model.config.protocol, model.config.feature_names
    table = cells.feature_table(segments)
    invalid = table[~table["valid"]]
    if protocol != "P" and len(invalid):
        if not skip_invalid:
            first = invalid.iloc[0]
            seen = f"cell {first.cell_id} cycle {first.cycle}: {first.reason} ({len(invalid)} of {len(table)} such"
            raise MagBridgeError(f"{seen} discharges); remove them, or skip them with --skip-invalid")
        if len(invalid) == len(table):
            raise MagBridgeError(f"none of the {len(table)} discharges is valid; the first: {invalid.iloc[0].reason}")
    if set(names) & set(cells.CHARGE_FEATURES[1:]):
        table = cells.add_charge_features(table, segments)
    table = cells.apply_protocol(table, protocol)
    missing = [name for name in names if name not in table]
    if missing:
        raise MagBridgeError(f"the model needs features {missing}; segments have {list(table.columns)}")
    unknown = [name for name in names if not np.isfinite(table[name].to_numpy(float)).all()]
    if unknown:
        hint = "; give the temperature with --ambient" if "temp_mean" in unknown else ""
        raise MagBridgeError(f"the model needs {', '.join(unknown)}, which some discharges lack{hint}")
    if model.config.reference_window is not None:
        needed = model.config.reference_window[1]
        sizes = table.groupby("cell_id").size()
        if not skip_invalid and sizes.min() <= needed:
            has = f"cell {sizes.idxmin()} has {sizes.min()} valid discharges"
            more = f"the model needs more than the {needed} of the cell's beginning"
            raise MagBridgeError(f"{has}; {more}; leave the cell out, or skip such cells with --skip-invalid")
        table = cells.less_the_beginning(table, names, model.config.reference_window)
    features = torch.tensor(table[names].to_numpy(dtype=np.float32))
    with torch.no_grad():
        codes = model.eval().encode_relative(features)[0].numpy()
    errors = segment_errors(model, features).double().numpy()
    return table[["cell_id", "cycle"]].assign(code=codes, reconstruction_error=errors)
