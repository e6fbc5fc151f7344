"""Reading of .mat files in a child process, because a damaged one can crash the interpreter in scipy."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataset_card.errors import MagBridgeError

from .child import Broken, bounded_child

_MEASURED = {"voltage_V": "Voltage_measured", "current_A": "Current_measured", "temperature_C": "Temperature_measured"}
CHANNEL_FIELDS = {"time_s": "Time", **_MEASURED}

Record = tuple[dict[str, Any], float]  # a discharge's channels as arrays by name, and its reported capacity in Ah


def read_mats(sources: Mapping[str, Path | bytes]) -> Iterator[tuple[str, list[Record]]]:
    """Read the discharges of several cells' .mat files, one after another, in one child process.

    Args:
        sources: Each cell's file, or its bytes, by cell name.

    Yields:
        A cell's name and its discharges, in order of names.

    Raises:
        MagBridgeError: If a file cannot be read or contains another cell, or a discharge lacks a field.
    """
    with bounded_child() as call:
        for cell_id in sorted(sources):
            try:
                yield cell_id, call(read_mat, sources[cell_id], cell_id)
            except Broken as error:
                damage = f"is damaged or not MATLAB 5 (it {error})"
                raise MagBridgeError(f"{cell_id}.mat {damage}; fetch it again") from None


def read_mat(source: Path | bytes, cell_id: str) -> list[Record]:
    """Read the discharges of one file in this process; raise as `read_mats` does."""
    import scipy.io

    name = f"{cell_id}.mat"
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        content = scipy.io.loadmat(file, squeeze_me=True, struct_as_record=False)
    except OSError as error:
        raise MagBridgeError(f"{name} cannot be read: {error}; fetch it again") from error
    except Exception as error:  # a damaged file fails in scipy as zlib.error, TypeError, MemoryError, IndexError ...
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise MagBridgeError(f"{name} is damaged or not MATLAB 5 ({reason}); fetch it again") from error
    if cell_id not in content:
        found = sorted(key for key in content if not key.startswith("__"))[:5]
        raise MagBridgeError(
            f"{name} contains {found}; expected the struct {cell_id}; keep the file names of the archive"
        )
    operations = np.atleast_1d(_field(content[cell_id], "cycle", f"{name}: {cell_id}"))
    records: list[Record] = []
    for operation in operations.flat:
        kind = _field(operation, "type", f"{name}: an operation")
        if not (isinstance(kind, str) and kind == "discharge"):
            continue
        where = f"{name}: discharge {len(records)}"
        data = _field(operation, "data", where)
        channels = {channel: _numbers(data, field, where) for channel, field in CHANNEL_FIELDS.items()}
        capacity = _numbers(data, "Capacity", where)
        records.append((channels, float(capacity[0]) if capacity.size else float("nan")))
    if not records:
        raise MagBridgeError(f"{name} has no discharge among its {operations.size} operations")
    return records


def _numbers(struct: object, name: str, where: str) -> np.ndarray:
    """Return a field as an (n,) float64 array."""
    array = np.atleast_1d(np.asarray(_field(struct, name, where)))
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        seen = f"{array.dtype} of shape {array.shape}"
        raise MagBridgeError(f"{where}: field {name} is {seen}; expected a row of numbers")
    return array.astype(float)


def _field(struct: object, name: str, where: str) -> Any:
    names = getattr(struct, "_fieldnames", [])
    if name not in names:
        raise MagBridgeError(f"{where} has no field {name!r} (its fields: {', '.join(map(str, names[:20])) or 'none'})")
    return getattr(struct, name)
