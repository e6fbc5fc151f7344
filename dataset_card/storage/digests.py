"""Digests: of the rows, of a folder's data files, and of one file."""

import hashlib
import json
import re
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_card.errors import MagBridgeError

DIGEST_DECIMALS = {"double": 3, "float": 6}
"""Signals enter the digest to 1e-3 nT, far below any noise: machines may round the last digits differently. v3's, in
nT and V, were rounded to float32 after their noise, and enter it to 1e-6."""

_LISTED = re.compile(r"([0-9a-f]{64})  (?:\./)?(.+)")
"""A line that `sha256sum` writes."""


def canonical_json(value) -> str:
    """JSON with sorted keys and no spaces: the text under every hash of a document."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def dataset_digest(table: pa.Table) -> str:
    """SHA-256 of the rows: the same for the same rows in the same order, however they are stored.

    It names a release in results and on leaderboards, and is the same where a release is rebuilt on other
    hardware. Files are vouched for to the last byte by `checksums.sha256`.
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
    with np.errstate(over="ignore", invalid="ignore"):  # damaged numbers have a digest too
        return (np.round(values.astype(np.float64), decimals) + 0.0).astype("<f8").tobytes()  # adding 0 turns -0 into 0


def files_digest(folder: Path) -> str:
    """SHA-256 over the checksums of a folder's Parquet files: another one for any other byte."""
    paths = sorted(folder.rglob("*.parquet"))
    lines = "".join(f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed_digests(data: bytes, name: str) -> dict[str, str]:
    """SHA-256 by path, as `sha256sum` lists them: any other byte is seen, since nothing vouches for the list itself.

    Args:
        data: The list.
        name: Its name, for the error.

    Raises:
        MagBridgeError: A line is of another form, or leads out of the folder.
    """
    digests = {}
    lines = data.decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines[:-1] if lines[-1] == "" else lines, 1):
        found = _LISTED.fullmatch(line)
        path = PurePosixPath(found[2] if found else "/")
        if found is None or path.is_absolute() or ".." in path.parts or number == len(lines):
            raise MagBridgeError(f"{name} line {number} is not `<sha256>  <path>` and its end")
        digests[found[2]] = found[1]
    return digests
