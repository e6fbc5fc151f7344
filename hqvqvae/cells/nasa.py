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
reason                     why the segment is not valid, else ""
resistance_ohm      ohm    (V at the last rest sample - V at the second loaded sample) / \\|I\\| there; NaN if invalid
t_total ...         s ...  the ten features of protocol C, `FEATURES`; NaN if invalid
t_total_raw ...     s ...  the same ten from the whole raw record (protocol P), never NaN
==================  =====  ==========================================================================================

`data/nasa_curves.parquet`, one row per valid segment: cell_id, cycle, voltage_V (64 float32, the load window at equal
steps of normalised time).
"""

import hashlib
import io
import itertools
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.archives import opened_zip

from .download import download, packaged_document, packaged_table, require_published
from .features import FEATURE_UNITS, FEATURES, PROTOCOLS, Segment, apply_protocol, resampled_voltage
from .mat import CHANNEL_FIELDS, read_mats

__all__ = ["COHORTS", "FEATURES", "FEATURE_UNITS", "PROTOCOLS", "cohort_of", "load_curves", "load_segments"]

COHORTS: dict[str, list[str]] = packaged_document("names.yaml")["cohorts"]
CELLS = tuple(sorted(cell for cells in COHORTS.values() for cell in cells))
URL = "https://phm-datasets.s3.amazonaws.com/NASA/5.+Battery+Data+Set.zip"
MAX_ARCHIVE_BYTES = 640 << 20  # limit on all unpacked data; the archive has a third of it, a zip bomb more
MAX_ZIP_DEPTH = 3


def cohort_of(cell_id: str) -> str:
    """Return the cohort in which a NASA cell was tested; any other cell is its own cohort."""
    return next((name for name, cells in COHORTS.items() if cell_id in cells), cell_id)


def load_segments(protocol: str = "C") -> pd.DataFrame:
    """Load the embedded features of the NASA discharge segments.

    Args:
        protocol: "C" (1,466 cleaned segments), "P" (all 1,499, raw) or "D" (C less the start of each cell's own life).

    Returns:
        Columns `cell_id`, `cohort`, `cycle`, `valid`, `reason`, `resistance_ohm` and the ten `FEATURES` in float64, in
        order of cell and cycle.

    Raises:
        MagBridgeError: If the protocol is unknown.
    """
    return apply_protocol(packaged_table("nasa_segments.parquet"), protocol)


def embedded_table() -> pd.DataFrame:
    """Load the whole embedded table of 1,499 segments, with the columns listed at the top of this module."""
    return packaged_table("nasa_segments.parquet").copy()


def load_curves() -> pd.DataFrame:
    """Load the embedded curves of the valid segments: `cell_id`, `cycle`, `voltage_V` (64 float32 each, in V)."""
    return packaged_table("nasa_curves.parquet").copy()


def curve_table(segments: list[Segment], table: pd.DataFrame) -> pd.DataFrame:
    """Resample the voltage of a feature table's valid segments, in the table's order.

    Args:
        segments: The records that the table was made from.
        table: A table from `features.feature_table`.

    Returns:
        One row per valid segment: `cell_id`, `cycle`, `voltage_V` (float32 arrays of 64, in V).
    """
    by_key = {(segment.cell_id, segment.cycle): segment for segment in segments}
    kept = table.loc[table["valid"], ["cell_id", "cycle"]].reset_index(drop=True)
    keys = zip(kept["cell_id"], kept["cycle"], strict=True)
    return kept.assign(voltage_V=pd.Series([resampled_voltage(by_key[key]) for key in keys], dtype=object))


def read_archive(path: str | Path) -> list[Segment]:
    """Read all discharge segments from a .mat file, a folder of them, or NASA's zip (which contains zips).

    Args:
        path: A file such as `B0005.mat`, a folder with such files at any depth, or a .zip.

    Returns:
        The segments of every cell found, in order of cell and cycle.

    Raises:
        MagBridgeError: If the path does not exist, has no such file, or a file is damaged.
    """
    path = Path(path)
    found: dict[str, Path | bytes]
    if path.is_dir():
        found = {file.stem: file for file in sorted(path.rglob("B*.mat")) if file.is_file()}
    elif not path.is_file():
        raise MagBridgeError(
            f"{path} does not exist or is not a file; give a .mat file, a folder of them or the NASA zip"
        )
    elif path.suffix.lower() == ".mat":
        found = {path.stem: path}
    else:
        with opened_zip(path, kind=".mat file or whole zip of them; fetch it again") as archive:
            found = dict(_mat_members(archive, str(path), [MAX_ARCHIVE_BYTES]))
    if not found:
        raise MagBridgeError(f"{path} contains no file B*.mat; expected the cells of the NASA battery set")
    return [
        Segment(cell, cycle, **channels, capacity_Ah=capacity)
        for cell, records in read_mats(found)
        for cycle, (channels, capacity) in enumerate(records)
    ]


def _mat_members(archive: zipfile.ZipFile, where: str, left: list[int], depth: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield cell name and bytes of every B*.mat, including those in nested zips; extract nothing to disk.

    `left` contains the number of bytes that may still be unpacked.
    """
    if depth > MAX_ZIP_DEPTH:
        raise MagBridgeError(f"{where}: zips inside zips more than {MAX_ZIP_DEPTH} deep; expected the NASA archive")
    for member in archive.infolist():
        name = Path(member.filename).name
        inner_zip = name.lower().endswith(".zip")
        if not inner_zip and not (name.startswith("B") and name.endswith(".mat")):
            continue
        left[0] -= member.file_size
        if left[0] < 0:
            size = f"with {member.filename} it unpacks to more than {MAX_ARCHIVE_BYTES >> 20} MiB"
            raise MagBridgeError(f"{where}: {size}; expected the NASA archive")
        with archive.open(member) as file:
            data = file.read(member.file_size)  # no more than the declared size, whatever it would unpack to
        if inner_zip:
            with zipfile.ZipFile(io.BytesIO(data)) as inner:
                yield from _mat_members(inner, f"{where}/{member.filename}", left, depth + 1)
        else:
            yield name[: -len(".mat")], data


def fetch(folder: str | Path) -> Path:
    """Download NASA's zip once and check every discharge in it against the published values.

    The repository publishes no checksum of the archive; a SHA-256 of each cell's discharge records is pinned instead.

    Args:
        folder: Folder to keep the zip in.

    Returns:
        Path of the zip.

    Raises:
        MagBridgeError: If the download fails or its values differ from the pinned ones.
    """
    path = download(URL, "nasa_battery.zip", folder)
    verify(read_archive(path))
    return path


def record_sha256(segments: Iterable[Segment]) -> str:
    """Hash one cell's discharge records by SHA-256: the four channels of each, in order, as little-endian float32."""
    digest = hashlib.sha256()
    for segment, channel in itertools.product(segments, CHANNEL_FIELDS):
        digest.update(getattr(segment, channel).astype("<f4").tobytes())
    return digest.hexdigest()


def verify(segments: list[Segment]) -> None:
    """Check the records of all 20 cells, in order of cells, against the pinned digests.

    Raises:
        MagBridgeError: If a cell is missing or its values differ.
    """
    by_cell = itertools.groupby(segments, key=lambda segment: segment.cell_id)
    digests = {cell: record_sha256(records) for cell, records in by_cell}
    require_published("the NASA records", packaged_document("nasa_sha256.json"), digests)
