"""The NASA PCoE battery set: 1,499 discharge segments of 20 cells, read from .mat files or from the embedded tables.

Source: B. Saha and K. Goebel (2007), "Battery Data Set", NASA Prognostics Data Repository, NASA Ames Research Center
(public domain). `python -m hqvqvae features --nasa DIR --out nasa_segments.parquet --curves nasa_curves.parquet` writes
the embedded tables.

`data/nasa_segments.parquet`, one row per discharge segment: 1,499, of which 1,466 are valid (protocols C and D).

==================  =====  ==========================================================================================
column              unit   meaning
==================  =====  ==========================================================================================
cell_id                    "B0005" ... "B0056"
cohort                     the group of four cells tested together: "FY08Q4", "25-28", "45-48", "49-52", "53-56"
cycle                      0-based index of the discharge in the file
valid                      at least 10 loaded samples over at least 300 s
reason                     why it is not valid, else ""
resistance_ohm      ohm    (V at the last rest sample - V at the second loaded sample) / \\|I\\| there; NaN if not valid
t_total ...         s ...  the ten features of protocol C, `FEATURES`; NaN if not valid
t_total_raw ...     s ...  the same ten of the whole raw record (protocol P), never NaN
==================  =====  ==========================================================================================

`data/nasa_curves.parquet`, one row per valid segment: cell_id, cycle, voltage_V (64 float32, the load window at equal
steps of normalised time).
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import HQVQVAEError
from .features import FEATURE_UNITS, FEATURES, PROTOCOLS, Segment, apply_protocol, resampled_voltage

__all__ = ["COHORTS", "FEATURES", "FEATURE_UNITS", "PROTOCOLS", "cohort_of", "load_curves", "load_segments"]

COHORTS = {
    "FY08Q4": ("B0005", "B0006", "B0007", "B0018"),
    "25-28": ("B0025", "B0026", "B0027", "B0028"),
    "45-48": ("B0045", "B0046", "B0047", "B0048"),
    "49-52": ("B0049", "B0050", "B0051", "B0052"),
    "53-56": ("B0053", "B0054", "B0055", "B0056"),
}
CELLS = tuple(sorted(cell for cells in COHORTS.values() for cell in cells))
URL = "https://phm-datasets.s3.amazonaws.com/NASA/5.+Battery+Data+Set.zip"
CHANNEL_FIELDS = {
    "time_s": "Time",
    "voltage_V": "Voltage_measured",
    "current_A": "Current_measured",
    "temperature_C": "Temperature_measured",
}
MAX_ARCHIVE_BYTES = 2 << 30  # all that is unpacked; the archive has a tenth of it, a zip bomb more
MAX_ZIP_DEPTH = 3


def cohort_of(cell_id: str) -> str:
    """The cohort a NASA cell was tested in; a cell of the user's own is its own cohort."""
    return next((name for name, cells in COHORTS.items() if cell_id in cells), cell_id)


def load_segments(protocol: str = "C") -> pd.DataFrame:
    """The embedded features of the NASA discharge segments.

    Args:
        protocol: "C" (1,466 cleaned segments), "P" (all 1,499, raw) or "D" (C less the start of each cell's own life).

    Returns:
        Columns `cell_id`, `cohort`, `cycle`, `valid`, `reason`, `resistance_ohm` and the ten `FEATURES` in float64, in
        order of cell and cycle.

    Raises:
        HQVQVAEError: an unknown protocol.
    """
    return apply_protocol(_embedded("nasa_segments.parquet"), protocol)


def embedded_table() -> pd.DataFrame:
    """The whole embedded table of 1,499 segments, columns as in the head of this module."""
    return _embedded("nasa_segments.parquet").copy()


def load_curves() -> pd.DataFrame:
    """The embedded voltage curves of the valid segments: `cell_id`, `cycle`, `voltage_V` (float32 arrays of 64)."""
    return _embedded("nasa_curves.parquet").copy()


@functools.cache
def _embedded(name: str) -> pd.DataFrame:
    with resources.as_file(resources.files("hqvqvae") / "data" / name) as path:
        return pd.read_parquet(path)


def curve_table(segments: list[Segment], table: pd.DataFrame) -> pd.DataFrame:
    """The resampled voltage of the valid segments of a feature table, in its order."""
    by_key = {(segment.cell_id, segment.cycle): segment for segment in segments}
    kept = table.loc[table["valid"], ["cell_id", "cycle"]].reset_index(drop=True)
    keys = zip(kept["cell_id"], kept["cycle"], strict=True)
    return kept.assign(voltage_V=pd.Series([resampled_voltage(by_key[key]) for key in keys], dtype=object))


def read_mat(source: str | Path | io.BytesIO, cell_id: str) -> list[Segment]:
    """The discharge segments of one cell's .mat file.

    Args:
        source: the file, or its bytes.
        cell_id: name of the struct in it, "B0005".

    Returns:
        The segments in order; cycle is the 0-based index among the discharges.

    Raises:
        HQVQVAEError: the file cannot be read, holds another cell, or a discharge lacks a field.
    """
    import scipy.io

    name = f"{cell_id}.mat"
    try:
        content = scipy.io.loadmat(source, squeeze_me=True, struct_as_record=False)
    except FileNotFoundError:
        raise HQVQVAEError(f"{source} does not exist") from None
    except OSError as error:
        raise HQVQVAEError(f"{name} cannot be read: {error}; fetch it again") from error
    except Exception as error:  # a damaged file fails in scipy as zlib.error, TypeError, ValueError, IndexError ...
        raise HQVQVAEError(f"{name} is damaged or no MATLAB 5 file ({error}); fetch it again") from error
    if cell_id not in content:
        found = [key for key in content if not key.startswith("__")]
        raise HQVQVAEError(f"{name} holds {found}, expected the struct {cell_id}; keep the file names of the archive")
    operations = np.atleast_1d(_field(content[cell_id], "cycle", f"{name}: {cell_id}"))
    segments: list[Segment] = []
    for operation in operations:
        if _field(operation, "type", f"{name}: an operation") != "discharge":
            continue
        where = f"{name}: discharge {len(segments)}"
        data = _field(operation, "data", where)
        channels = {
            channel: np.atleast_1d(np.asarray(_field(data, field, where), dtype=float))
            for channel, field in CHANNEL_FIELDS.items()
        }
        capacity = np.atleast_1d(np.asarray(_field(data, "Capacity", where), dtype=float))
        reported = float(capacity[0]) if capacity.size else float("nan")
        segments.append(Segment(cell_id, len(segments), **channels, capacity_Ah=reported))
    if not segments:
        raise HQVQVAEError(f"{name} holds no discharge among its {len(operations)} operations")
    return segments


def _field(struct: object, name: str, where: str) -> Any:
    if not hasattr(struct, name):
        has = ", ".join(getattr(struct, "_fieldnames", [])) or "none"
        raise HQVQVAEError(f"{where} has no field {name!r} (its fields: {has})")
    return getattr(struct, name)


def read_archive(path: str | Path) -> list[Segment]:
    """All discharge segments of one .mat file, a folder of them, or NASA's zip (zips inside the zip).

    Args:
        path: a file `B0005.mat`, a folder with such files at any depth, or a .zip.

    Returns:
        The segments of every cell found, in order of cell and cycle.

    Raises:
        HQVQVAEError: nothing is there, or a file in it is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise HQVQVAEError(f"{path} does not exist; give a .mat file, a folder of them or the NASA zip")
    found: dict[str, Path | io.BytesIO]
    if path.is_dir():
        found = {file.stem: file for file in sorted(path.rglob("B*.mat"))}
    elif path.suffix.lower() == ".mat":
        found = {path.stem: path}
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                found = {name: io.BytesIO(data) for name, data in _mat_members(archive, str(path), [MAX_ARCHIVE_BYTES])}
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise HQVQVAEError(f"{path} is neither a .mat file nor a whole zip ({error}); fetch it again") from error
    if not found:
        raise HQVQVAEError(f"{path} holds no file B*.mat; expected the cells of the NASA battery set")
    return [segment for cell in sorted(found) for segment in read_mat(found[cell], cell)]


def _mat_members(archive: zipfile.ZipFile, where: str, left: list[int], depth: int = 1) -> Iterator[tuple[str, bytes]]:
    """Cell name and bytes of every B*.mat, through zips inside the zip; nothing is extracted to disk.

    `left` holds the bytes that may still be unpacked.
    """
    if depth > MAX_ZIP_DEPTH:
        raise HQVQVAEError(f"{where}: zips inside zips more than {MAX_ZIP_DEPTH} deep; expected the NASA archive")
    for member in archive.infolist():
        name = Path(member.filename).name
        inner_zip = name.lower().endswith(".zip")
        if not inner_zip and not (name.startswith("B") and name.endswith(".mat")):
            continue
        left[0] -= member.file_size
        if left[0] < 0:
            raise HQVQVAEError(
                f"{where}: with {member.filename} it unpacks to more than {MAX_ARCHIVE_BYTES >> 30} GiB; expected the "
                "NASA archive"
            )
        data = archive.read(member)
        if inner_zip:
            with zipfile.ZipFile(io.BytesIO(data)) as inner:
                yield from _mat_members(inner, f"{where}/{member.filename}", left, depth + 1)
        else:
            yield name[: -len(".mat")], data


def fetch(folder: str | Path) -> Path:
    """Download NASA's zip once and check every discharge in it against the published values.

    The repository publishes no checksum of the archive; what is pinned is a SHA-256 of each cell's discharge records.

    Args:
        folder: where the zip is kept.

    Returns:
        Path of the zip.

    Raises:
        HQVQVAEError: no download, or other values than the ones pinned.
    """
    import pooch
    import requests

    try:
        downloader = pooch.HTTPDownloader(timeout=20)
        path = Path(pooch.retrieve(URL, known_hash=None, fname="nasa_battery.zip", path=folder, downloader=downloader))
    except requests.RequestException as error:
        raise HQVQVAEError(f"{URL} cannot be fetched ({error}); download it by hand and pass its path") from error
    verify(read_archive(path))
    return path


def record_sha256(segments: list[Segment]) -> str:
    """SHA-256 of one cell's discharge records: the four channels of each, in order, as little-endian float32."""
    digest = hashlib.sha256()
    for segment in segments:
        for channel in CHANNEL_FIELDS:
            digest.update(getattr(segment, channel).astype("<f4").tobytes())
    return digest.hexdigest()


def verify(segments: list[Segment]) -> None:
    """Hold the records of all 20 cells against the pinned digests.

    Raises:
        HQVQVAEError: a cell is missing or its values differ; all such cells are named.
    """
    pinned = json.loads((resources.files("hqvqvae") / "data" / "nasa_sha256.json").read_text())
    by_cell: dict[str, list[Segment]] = {}
    for segment in segments:
        by_cell.setdefault(segment.cell_id, []).append(segment)
    missing = [cell for cell in pinned if cell not in by_cell]
    changed = [cell for cell in pinned if cell in by_cell and record_sha256(by_cell[cell]) != pinned[cell]]
    if missing or changed:
        raise HQVQVAEError(
            f"the NASA records are not the published ones: missing {missing or 'none'}, changed {changed or 'none'}; "
            "delete the file and fetch it again"
        )
