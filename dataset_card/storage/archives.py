"""The parser of external zip files: bundles, npz files and workbooks are checked before they are unpacked."""

import errno
import io
import lzma
import math
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tokenize import TokenError

import numpy as np

from dataset_card.errors import MagBridgeError
from dataset_card.storage.files import naming

MAX_UNPACKED_BYTES = 2**33
"""More than any bundle of this data needs; an archive that claims more is refused before it is unpacked."""

MAX_ENTRIES = 10_000
"""Limit on the entries of an archive. A bundle has some twenty files; millions of names alone would exhaust memory."""

MAX_NAME = 255
"""Limit on the characters of a path; file systems do not support longer names."""

LAST_COLUMN = b"IV"
"""Last column allowed in a sheet: the 256 columns of older workbooks are more than any table of this data needs."""

_CELL = re.compile(rb"""\br\s*=\s*["']\$?([A-Za-z]+)\$?[0-9]""")
"""The reference of a cell in a sheet's XML."""

PLAIN_NPZ = "npz file of plain arrays"

_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, struct.error, KeyError,
    ValueError, OverflowError,
)  # fmt: skip
"""Errors that zipfile and its decoders raise on damaged, encrypted or unsupported contents."""


@contextmanager
def opened_zip(path: Path, limit: int = MAX_UNPACKED_BYTES, kind: str = "zip file") -> Iterator[zipfile.ZipFile]:
    """Open a zip file after checking that it is safe to unpack.

    Args:
        path: The file.
        limit: Maximum size in bytes when unpacked.
        kind: The expected kind of file, for the error.

    Raises:
        MagBridgeError: If it is damaged, encrypted or too large, or an entry is not a plain file inside the archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path, limit)
            yield archive
    except MagBridgeError:
        raise
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # an error of the disk; damage raises EINVAL (a bad offset) or has no number (a bzip2 stream)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MagBridgeError(f"{path}: not a readable {kind} ({reason})") from error


def honest_copy(path: Path, limit: int, kind: str) -> io.BytesIO:
    """Return a copy of a zip file in memory whose entries have the sizes that it states; raise as `opened_zip` does.

    Use it for libraries that read a whole entry, which can unpack to more than its stated size.
    """
    copy = io.BytesIO()
    with opened_zip(path, limit, kind) as archive, zipfile.ZipFile(copy, "w") as plain:
        for entry in archive.infolist():
            with archive.open(entry) as file:
                plain.writestr(entry.filename, file.read(entry.file_size + 1))
    copy.seek(0)
    return copy


def workbook(path: Path, limit: int) -> io.BytesIO:
    """Return a copy of an XLSX file in memory after checking the width of its sheets; raise as `opened_zip` does.

    One stray cell far to the right would make a reader fill in all columns before it, in every row.
    """
    copy = honest_copy(path, limit, "workbook")
    with zipfile.ZipFile(copy) as archive:
        for entry in archive.infolist():
            data = archive.read(entry)
            letters = {found[1].upper() for found in _CELL.finditer(data)} if b"sheetData" in data else set()
            far = max(letters, key=lambda name: (len(name), name), default=b"A")
            if (len(far), far) > (len(LAST_COLUMN), LAST_COLUMN):
                raise MagBridgeError(
                    f"{path}: {entry.filename} has a cell in column {far.decode()[:9]}: expected none after "
                    f"{LAST_COLUMN.decode()}; remove it"
                )
    copy.seek(0)
    return copy


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip file into a folder; raise as `opened_zip` does."""
    with opened_zip(path) as archive:
        try:
            archive.extractall(folder)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise MagBridgeError(f"{path}: contains {Path(error.filename).name!r} as a file and as a folder") from error
        except OSError as error:
            raise naming(error, folder) from error


def read_npz(
    path: Path, shapes: Mapping[str, tuple[int | None, ...]], limit: int = MAX_UNPACKED_BYTES
) -> dict[str, np.ndarray]:
    """Read named arrays of finite numbers from an npz file.

    Args:
        path: The file; pickled contents are refused, and no array is read unless its header states the right shape.
        shapes: Expected shape of each array; None stands for any length.
        limit: Maximum size in bytes when unpacked.

    Returns:
        float64 arrays by name.

    Raises:
        MagBridgeError: If it is not an npz file, or an array is missing, has another shape or is not finite.
    """
    arrays = {}
    with opened_zip(path, limit, PLAIN_NPZ) as archive:
        for name, shape in shapes.items():
            if f"{name}.npy" not in archive.namelist():
                raise MagBridgeError(f"{path}: no array {name!r}; expected {', '.join(sorted(shapes))}")
            with archive.open(f"{name}.npy") as file:
                arrays[name] = _read_array(file, f"{path}: array {name!r}", shape)
    return arrays


def _read_array(file, where: str, expected: tuple[int | None, ...]) -> np.ndarray:
    try:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise MagBridgeError(f"{where}: npy version {version}, expected 1.0 or 2.0")
        shape, fortran, dtype = readers[version](file)
    except (ValueError, SyntaxError, TokenError, TypeError, RecursionError, MemoryError) as error:
        if isinstance(error, MagBridgeError):
            raise
        raise MagBridgeError(f"{where} has a damaged header ({error})") from error
    if dtype.kind not in "fiu":
        raise MagBridgeError(f"{where} has type {dtype}: not a readable {PLAIN_NPZ}")
    if len(shape) != len(expected) or any(n < 0 or m not in (None, n) for n, m in zip(shape, expected)):
        raise MagBridgeError(f"{where} has shape {shape}; expected {str(expected).replace('None', 'any')}")
    data = file.read(math.prod(shape) * dtype.itemsize + 1)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise MagBridgeError(f"{where} is truncated or too long; expected {shape} numbers of type {dtype}")
    values = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    array = np.array(values, dtype=float, order="K")  # keep the memory order, since sums depend on it
    if not np.isfinite(array).all():
        raise MagBridgeError(f"{where} contains NaN or infinity; expected finite numbers")
    return array


def _check(archive: zipfile.ZipFile, path: Path, limit: int) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise MagBridgeError(f"{path}: {len(entries)} entries; expected at most {MAX_ENTRIES}")
    for entry in entries:
        inner = PurePosixPath(entry.filename.replace("\\", "/"))
        unsafe = inner.is_absolute() or ".." in inner.parts or ":" in entry.filename or not inner.parts
        if unsafe or len(entry.filename) > MAX_NAME or stat.S_ISLNK(entry.external_attr >> 16):
            raise MagBridgeError(
                f"{path}: unsafe entry {entry.filename[:MAX_NAME]!r}: expected plain files inside the archive; it is "
                "not unpacked"
            )
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NotImplementedError(f"compressed with method {entry.compress_type}; expected deflate")
    total = sum(entry.file_size for entry in entries)
    if total > limit:
        raise MagBridgeError(f"{path}: unpacks to {total / 1e6:,.0f} MB; expected at most {limit / 1e6:,.0f} MB")
