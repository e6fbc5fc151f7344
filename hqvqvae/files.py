"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A neighbour of `path` to write a file or a folder at; it takes the place of `path` if the block ends well.

    What was written is on the disk before it gets its name, so that a machine that stops leaves the old or the new.

    Args:
        path: where the finished file or folder goes.

    Yields:
        The temporary path; nothing is there yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    former = path.with_name(f".{path.name}.{os.getpid()}.old.tmp")
    try:
        yield temporary
        for written in (temporary, *temporary.rglob("*")):
            _sync(written)
        if path.is_dir() and temporary.is_dir():
            os.replace(path, former)  # a folder can only take the place of an empty one
        os.replace(temporary, path)
        _sync(path.parent)
        shutil.rmtree(former, ignore_errors=True)
    finally:
        if former.exists():
            os.replace(former, path)
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def json_text(value: object, indent: int = 1) -> str:
    """A value as JSON; NaN and infinity, which JSON lacks, become null: there is no number."""
    return json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a scalar of numpy
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: object) -> None:
    """Put a JSON file in place, whole."""
    with replacing(path) as temporary:
        temporary.write_text(json_text(value) + "\n", encoding="utf-8")
