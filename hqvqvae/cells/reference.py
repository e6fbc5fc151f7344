"""Tables of segments relative to each cell's own beginning, as the model does it for a model's input."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dataset_card.errors import MagBridgeError


def less_the_beginning(table: pd.DataFrame, names: Sequence[str], window: Sequence[int]) -> pd.DataFrame:
    """Features less their mean over the first segments of each cell; the rows after the window alone are kept.

    Args:
        table: valid segments with `cell_id`, `cycle` and the features, every cell from its first segment on.
        names: the features; other columns stay as they are.
        window: first and last segment of the reference, counted from 1 in each cell.

    Returns:
        The rows after the window in order of cell and cycle, numbered from 0.

    Raises:
        MagBridgeError: no cell has a segment after the window.
    """
    table = table.sort_values(["cell_id", "cycle"], kind="stable")
    first, last = window
    place = table.groupby("cell_id", sort=False).cumcount() + 1
    inside = (place >= first) & (place <= last)
    reference = table.loc[inside].groupby("cell_id")[list(names)].mean()
    kept = table[place > last].reset_index(drop=True)
    if kept.empty:
        longest = int(place.max()) if len(place) else 0
        raise MagBridgeError(f"no cell has a segment after the {last} of its reference; the longest has {longest}")
    kept[list(names)] = kept[list(names)].to_numpy(dtype=float) - reference.loc[kept["cell_id"]].to_numpy()
    return kept
