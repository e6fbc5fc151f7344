"""Digests of rows, of a folder's data files and of single files."""

import hashlib
import json
import re
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_card.errors import MagBridgeError

DIGEST_DECIMALS = {"double": 3, "float": 6}
"""Decimals of signals in the digest. Machines may round the last digits differently, so signals of v1 and v2 enter it
to 1e-3 nT, far below any noise. Those of v3, in nT and V and rounded to float32 after the noise, enter it to 1e-6."""

_LISTED = re.compile(r"([0-9a-f]{64})  (?:\./)?(.+)")
"""A line of `sha256sum`'s output."""


def canonical_json(value) -> str:
    """Return JSON with sorted keys and no spaces, the text from which every hash of a document is computed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def dataset_digest(table: pa.Table) -> str:
    """Compute the SHA-256 of rows, which is the same for the same rows in the same order, however they are stored.

    It identifies a release in results and on leaderboards, and does not change if the release is rebuilt on other
    hardware. `checksums.sha256` covers the files to the last byte.
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table[name].combine_chunks()
        digest.update(f"{name}:{column.type}:{len(column)}\n".encode())
        if pa.types.is_fixed_size_list(column.type):
            digest.update(np.packbits(column.is_valid().to_numpy(zero_copy_only=False)).tobytes())
            decimals = DIGEST_DECIMALS[str(column.type.value_type)]
            digest.update(_rounded(column.flatten().to_numpy(zero_copy_only=False), decimals))
        elif pa.types.is_float64(column.type):
            digest.update(np.packbits(column.is_valid().to_numpy(zero_copy_only=False)).tobytes())
            digest.update(_rounded(pc.fill_null(column, 0.0).to_numpy(), 9))
        else:
            digest.update(json.dumps(column.to_pylist()).encode())
    return digest.hexdigest()


def _rounded(values: np.ndarray, decimals: int) -> bytes:
    with np.errstate(over="ignore", invalid="ignore"):  # damaged numbers need a digest too
        return (np.round(values.astype(np.float64), decimals) + 0.0).astype("<f8").tobytes()  # adding 0 turns -0 into 0


def files_digest(folder: Path) -> str:
    """Compute the SHA-256 of the checksums of a folder's Parquet files, which changes with any byte."""
    paths = sorted(folder.rglob("*.parquet"))
    lines = "".join(f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed_digests(data: bytes, name: str) -> dict[str, str]:
    """Parse the output of `sha256sum` strictly, since no checksum covers the list itself.

    Args:
        data: The list.
        name: Its name, for the error.

    Returns:
        SHA-256 by path.

    Raises:
        MagBridgeError: If a line has another form, or its path leads out of the folder.
    """
    digests = {}
    lines = data.decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines[:-1] if lines[-1] == "" else lines, 1):
        found = _LISTED.fullmatch(line)
        path = PurePosixPath(found[2] if found else "/")
        if found is None or path.is_absolute() or ".." in path.parts or number == len(lines):
            raise MagBridgeError(f"{name} line {number}: expected `<sha256>  <path>` and a newline")
        digests[found[2]] = found[1]
    return digests
