"""Signals of a release as one numpy array."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dataset_card.contract.schema import CHANNELS, T
from dataset_card.errors import MagBridgeError


def signals(dataset) -> np.ndarray:
    """Returns the six channels of every row as one array.

    Args:
        dataset: A `datasets.Dataset` of any configuration with signals, or a `pyarrow.Table`.

    Returns:
        Contiguous float64 array of shape (n, 100, 6), in nT; channels in release order.

    Raises:
        MagBridgeError: A channel is missing, null or not 100 steps long.
    """
    table, rows = _table_of(dataset)
    missing = [c for c in CHANNELS if c not in table.column_names]
    if missing:
        raise MagBridgeError(
            f"no column {', '.join(missing)}: expected the channels {', '.join(CHANNELS)}; "
            "use a configuration with signals, such as by_cell_primary"
        )
    out = np.empty((table.num_rows if rows is None else len(rows), T, len(CHANNELS)))
    for c, name in enumerate(CHANNELS):
        values = _fixed_lists(table[name], name)
        out[:, :, c] = values if rows is None else values[rows]
    return out


def _table_of(dataset) -> tuple[pa.Table, np.ndarray | None]:
    """The Arrow table under a dataset, and the rows of it that the dataset shows (None: all)."""
    if isinstance(dataset, pa.Table):
        return dataset, None
    data = getattr(dataset, "data", None)
    table = getattr(data, "table", None)
    if not isinstance(table, pa.Table):
        raise MagBridgeError(
            f"cannot read signals from {type(dataset).__name__}: expected a datasets.Dataset or a "
            "pyarrow.Table; pick one split of a DatasetDict, such as dataset['train']"
        )
    indices = dataset._indices  # set by select(), shuffle() and filter(); no public accessor exists
    return table, None if indices is None else indices.column(0).to_numpy()


def _fixed_lists(column: pa.ChunkedArray, name: str) -> np.ndarray:
    if column.null_count:
        raise MagBridgeError(f"{column.null_count} null signals in column {name}: expected none")
    if not (pa.types.is_fixed_size_list(column.type) and column.type.list_size == T):
        raise MagBridgeError(f"column {name} has type {column.type}: expected fixed_size_list of {T} float64")
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(flat).reshape(-1, T) if flat else np.empty((0, T))
