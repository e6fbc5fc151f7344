"""The boundary of .mat files: read in a process of their own, since damaged ones can crash the interpreter in scipy."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HQVQVAEError

CHANNEL_FIELDS = {
    "time_s": "Time",
    "voltage_V": "Voltage_measured",
    "current_A": "Current_measured",
    "temperature_C": "Temperature_measured",
}
MAX_MEMORY_BYTES = 900 << 20  # of what one file may take; the largest of NASA's takes 20 MB
MAX_SECONDS = 9.0  # of one file; the largest of NASA's takes 0.1 s

Record = tuple[dict[str, np.ndarray], float]  # the channels of a discharge by name, and the capacity reported in Ah


def read_mats(sources: Mapping[str, Path | bytes]) -> Iterator[tuple[str, list[Record]]]:
    """The discharges of several cells' .mat files, one after another, from one child process (0.2 s to start).

    Args:
        sources: each cell's file, or its bytes, by the cell's name.

    Yields:
        The name of a cell and its discharges, in order of names.

    Raises:
        HQVQVAEError: a file cannot be read, holds another cell, or a discharge lacks a field.
    """
    from joblib.externals.loky import ProcessPoolExecutor

    with ProcessPoolExecutor(1, initializer=_bound) as child:
        for cell_id in sorted(sources):
            try:
                yield cell_id, child.submit(read_mat, sources[cell_id], cell_id).result(MAX_SECONDS)
            except (BrokenProcessPool, TimeoutError) as error:
                child.shutdown(wait=False, kill_workers=True)
                broke = "crashes" if isinstance(error, BrokenProcessPool) else f"takes over {MAX_SECONDS:g} s in"
                raise HQVQVAEError(
                    f"{cell_id}.mat is damaged or no MATLAB 5 file (it {broke} its reader); fetch it again"
                ) from None


def _bound() -> None:
    """Lets this process take no more than `MAX_MEMORY_BYTES` beyond what it has, where the system can."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_MEMORY_BYTES, resource.RLIM_INFINITY))


def read_mat(source: Path | bytes, cell_id: str) -> list[Record]:
    """The discharges of one file, read in this process; raises as `read_mats` does."""
    import scipy.io

    name = f"{cell_id}.mat"
    try:
        content = scipy.io.loadmat(
            io.BytesIO(source) if isinstance(source, bytes) else source, squeeze_me=True, struct_as_record=False
        )
    except OSError as error:
        raise HQVQVAEError(f"{name} cannot be read: {error}; fetch it again") from error
    except Exception as error:  # a damaged file fails in scipy as zlib.error, TypeError, MemoryError, IndexError ...
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise HQVQVAEError(f"{name} is damaged or no MATLAB 5 file ({reason}); fetch it again") from error
    if cell_id not in content:
        found = sorted(key for key in content if not key.startswith("__"))[:5]
        raise HQVQVAEError(f"{name} holds {found}, expected the struct {cell_id}; keep the file names of the archive")
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
        raise HQVQVAEError(f"{name} holds no discharge among its {operations.size} operations")
    return records


def _numbers(struct: object, name: str, where: str) -> np.ndarray:
    """A field as a (n,) float64 array."""
    array = np.atleast_1d(np.asarray(_field(struct, name, where)))
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise HQVQVAEError(f"{where}: field {name} is {array.dtype} of shape {array.shape}; expected a row of numbers")
    return array.astype(float)


def _field(struct: object, name: str, where: str) -> Any:
    names = getattr(struct, "_fieldnames", [])
    if name not in names:
        raise HQVQVAEError(f"{where} has no field {name!r} (its fields: {', '.join(map(str, names[:20])) or 'none'})")
    return getattr(struct, name)
