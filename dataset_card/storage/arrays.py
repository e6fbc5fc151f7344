"""Signals of a release as one numpy array."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dataset_card.contract.editions import V1, V3, Edition
from dataset_card.contract.field import Field
from dataset_card.errors import MagBridgeError


def signals(dataset) -> np.ndarray:
    """Returns the channels of every row as one array.

    Args:
        dataset: A `datasets.Dataset` of any configuration with signals, or a `pyarrow.Table`.

    Returns:
        Contiguous float64 array. Scans: shape (n, 100, 6) in nT, channels in release order. v3, whose channels differ
        in length: shape (n, 681), one channel after another (see `spans`), `voltage` in V and the others in nT.

    Raises:
        MagBridgeError: A channel is missing, null or of another length.
    """
    table, rows = _table_of(dataset)
    edition = V3 if set(table.column_names) & set(V3.channels[1:]) else V1  # voltages of scans are plain numbers
    missing = [c for c in edition.channels if c not in table.column_names]
    if missing:
        raise MagBridgeError(
            f"no column {', '.join(missing)}: expected the channels {', '.join(edition.channels)}; "
            "use a configuration with signals, such as by_cell_primary"
        )
    parts, count = spans(edition), table.num_rows if rows is None else len(rows)
    lengths = [int(part.stop - part.start) for part in parts.values()]
    flat = np.empty((count, sum(lengths)))
    # Channels of one length lie side by side at each step, others one after another.
    steps = flat.reshape(count, lengths[0], len(lengths)) if len(set(lengths)) == 1 else None
    for c, (name, part) in enumerate(parts.items()):
        values = _fixed_lists(table[name], edition.columns_named((name,))[0])
        (flat[:, part] if steps is None else steps[:, :, c])[...] = values if rows is None else values[rows]
    return flat if steps is None else steps


def spans(edition: Edition) -> dict[str, slice]:
    """Place of each channel in a row's numbers, one channel after another."""
    ends = np.cumsum([field.length for field in edition.columns_named(edition.channels)]).tolist()
    return {name: slice(start, end) for name, start, end in zip(edition.channels, [0, *ends], ends)}


def place_of(edition: Edition, at: tuple[int, ...]) -> tuple[str, int]:
    """Channel and number of a sample from its place in a row of `signals`: (step, channel), or of v3 (sample,)."""
    if len(at) == 2:
        return edition.channels[at[1]], int(at[0])
    return next((name, int(at[0]) - span.start) for name, span in spans(edition).items() if at[0] < span.stop)


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


def _fixed_lists(column: pa.ChunkedArray, field: Field) -> np.ndarray:
    if column.null_count:
        raise MagBridgeError(f"{column.null_count} null signals in column {field.name}: expected none")
    if not (pa.types.is_fixed_size_list(column.type) and column.type.list_size == field.length):
        raise MagBridgeError(
            f"column {field.name} has type {column.type}: expected fixed_size_list of {field.length} {field.dtype}"
        )
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(flat).reshape(-1, field.length) if flat else np.empty((0, field.length or 0))
