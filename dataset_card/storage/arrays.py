"""Signals of a release as one numpy array."""

import functools
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa

from dataset_card.contract.editions import V1, V3, Edition
from dataset_card.contract.field import Field
from dataset_card.errors import MagBridgeError


def signals(data) -> np.ndarray:
    """Return the channels of every row as one array.

    Args:
        data: A `datasets.Dataset` or `IterableDataset` of any configuration with signals, a batch from
            `map(batched=True)` or a `DataLoader`, a single row, a list of rows, a `pyarrow.Table` or a
            `pandas.DataFrame`.

    Returns:
        Contiguous float64 array, or float32 for a `pyarrow.Table` of float32. v1, v2 and measured scans: shape
        (n, 100, 6) in nT, channels in release order. v3, whose channels differ in length: shape (n, 681), one
        channel after another (see `spans`), `voltage` in V and the others in nT. For a single row, the first axis
        is omitted.

    Raises:
        MagBridgeError: If a channel is missing, contains nulls or has the wrong length.

    Example:
        >>> from dataset_card.contract.schema import CHANNELS
        >>> signals({name: [[0.0] * 100] * 2 for name in CHANNELS}).shape
        (2, 100, 6)
    """
    if isinstance(data, Mapping) and not any(hasattr(value, "column_names") for value in data.values()):
        return _stacked(data, lambda name, field: _of_batch(data[name], field))
    if hasattr(data, "iter") and hasattr(data, "features"):  # a dataset or a stream; torch would round to float32
        tables = data.with_format("arrow").iter(1000)
        batches = [_stacked(table.column_names, functools.partial(_without_null, table)) for table in tables]
        return np.concatenate(batches or [signals(dict.fromkeys(data.features or (), []))])
    if isinstance(data, list | tuple) and data and isinstance(data[0], Mapping):
        return np.stack([signals(row) for row in data])
    if type(data).__name__ == "DataFrame":
        return _stacked(data, lambda name, field: _of_batch(data[name].tolist(), field))
    if not isinstance(data, pa.Table):
        raise MagBridgeError(
            f"cannot read signals from {type(data).__name__}: expected a datasets.Dataset or a "
            "pyarrow.Table; pick one split of a DatasetDict, such as dataset['train']"
        )
    return _stacked(data.column_names, lambda name, field: _fixed_lists(data[name], field))


def _stacked(names: Iterable[str], column: Callable[[str, Field], np.ndarray]) -> np.ndarray:
    """Stack the channels among `names`; `column` returns the values of one, shape (n, length) or (length,)."""
    present = set(names)
    edition = V3 if present & set(V3.channels[1:]) else V1  # voltages of scans are plain numbers
    missing = [c for c in edition.channels if c not in present]
    if missing:
        raise MagBridgeError(
            f"no column {', '.join(missing)}: expected the channels {', '.join(edition.channels)}; "
            "use a configuration with signals, such as by_cell_primary"
        )
    values = [column(name, edition.columns_named((name,))[0]) for name in edition.channels]
    # Channels of equal length are stacked side by side at each step, others are concatenated.
    alike = len({part.shape for part in values}) == 1
    return np.stack(values, axis=-1) if alike else np.concatenate(values, axis=-1)


def _of_batch(values, field: Field) -> np.ndarray:
    """Return one channel of a batch, shape (n, length), or of a row, shape (length,)."""
    steps = isinstance(values, list | tuple) and len(values) == field.length and hasattr(values[0], "detach")
    try:
        parts = [_numpy(v) for v in values] if isinstance(values, list | tuple) else _numpy(values)
        found = np.array(parts, dtype=float)
    except (TypeError, ValueError) as error:
        raise MagBridgeError(f"column {field.name}: expected {field.length} numbers in each row ({error})") from error
    if steps:  # torch's default collation turns lists into one tensor per step
        found = found.T
    if found.ndim not in (1, 2) or (found.size and found.shape[-1] != field.length):
        raise MagBridgeError(f"column {field.name} has shape {found.shape}: expected (n, {field.length})")
    if np.isnan(found).any():
        raise MagBridgeError(f"null signals in column {field.name}: expected none")
    return found if found.size else found.reshape(0, field.length or 0)


def _numpy(values):
    """Convert a tensor to a numpy array; return anything else unchanged."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def spans(edition: Edition) -> dict[str, slice]:
    """Return the slice of each channel in a row of `signals`, with one channel after another as in v3."""
    ends = np.cumsum([field.length for field in edition.columns_named(edition.channels)]).tolist()
    return {name: slice(start, end) for name, start, end in zip(edition.channels, [0, *ends], ends)}


def place_of(edition: Edition, at: tuple[int, ...]) -> tuple[str, int]:
    """Return the channel and the number of a sample within it.

    Args:
        edition: The edition.
        at: Index of the sample in a row of `signals`: (step, channel), or (sample,) for v3.
    """
    if len(at) == 2:
        return edition.channels[at[1]], int(at[0])
    return next((name, int(at[0]) - span.start) for name, span in spans(edition).items() if at[0] < span.stop)


def _without_null(table: pa.Table, name: str, field: Field) -> np.ndarray:
    return _of_batch(_fixed_lists(table[name], field), field)


def _fixed_lists(column: pa.ChunkedArray, field: Field) -> np.ndarray:
    if column.null_count:
        raise MagBridgeError(f"{column.null_count} null signals in column {field.name}: expected none")
    single = getattr(column.type, "value_type", None) == pa.float32()  # v3's models are scored on its own precision
    try:
        whole = column.combine_chunks().cast(pa.list_(pa.float32() if single else pa.float64(), field.length))
    except pa.ArrowException as error:
        raise MagBridgeError(
            f"column {field.name} has type {column.type}: expected {field.length} numbers in each row ({error})"
        ) from error
    return whole.flatten().to_numpy(zero_copy_only=False).reshape(-1, field.length)
