"""The one rule for output: where a command may write, so that nothing of a user's is lost.

A file goes to a free name, and takes the place of another file after `--replace`. A folder that is written whole goes
to a free name or an empty folder, and takes the place of one of its own kind after `--replace`, if every file in that
one is as it was written. Anything else is refused, and left as it was. `/`, the working folder, the user's home and the
folders above them are never written to.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset_card.contract.configs import METADATA_FILE
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import listed_digests, sha256_of
from dataset_card.storage.documents import read_json
from dataset_card.storage.files import expect_free, replacing, require_writable
from dataset_card.storage.reading import CHECKSUMS, read_manifest

MARKER = ".magbridge.json"
"""In every folder that is written whole: its kind, and the SHA-256 of each file. A release's is its checksums."""

RELEASE = "release"


def require_place(out: Path | str) -> Path:
    """The path, if files may be written at or below it.

    Raises:
        MagBridgeError: It is `/`, the working folder, the user's home, or a folder above one of these.
    """
    real, taken = Path(os.path.realpath(out)), [Path(os.path.realpath(p)) for p in (Path.cwd(), Path.home())]
    if not real.name or any(real == p or real in p.parents for p in taken):
        raise MagBridgeError(
            f"{str(out)!r} is the root, the working folder, your home or a folder above: expected a name of its own, "
            "such as ./made"
        )
    return Path(out)


def require_file(out: Path | str, replace: bool = False) -> None:
    """Raise unless a file may be written at `out`.

    Args:
        out: The file.
        replace: Whether a file that is there may be replaced.

    Raises:
        MagBridgeError: Something else is there, or a file that may not be replaced, or the place cannot be written to.
    """
    out = require_place(out)
    if out.is_symlink() or (out.exists() and not out.is_file()):
        raise MagBridgeError(f"{out} exists and is not a file: expected a file or a free name; it is left as it was")
    if out.exists() and not replace:
        raise MagBridgeError(f"{out} exists: expected a free name, or --replace; it is left as it was")
    require_writable(out)
    expect_free(out, not out.exists())


def require_folder(out: Path | str, kind: str, replace: bool = False) -> None:
    """Raise unless a folder of this kind may be written at `out` as a whole.

    Args:
        out: The folder.
        kind: What it will be, such as `release`.
        replace: Whether a folder of the same kind may be replaced.

    Raises:
        MagBridgeError: Something else is there, or a folder that may not be replaced, or one with files that are not
            as they were written, or the place cannot be written to.
    """
    out = require_place(out)
    require_writable(out)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise MagBridgeError(f"{out} exists and is not a folder: expected a {kind} or a free name")
    free = not out.exists() or not any(out.iterdir())
    expect_free(out, free)
    if free:
        return
    written = _written(out, kind)
    if written is None:
        raise MagBridgeError(
            f"{out} holds something other than a {kind}: expected a {kind} that this package wrote, or a free name; it "
            "is left as it was"
        )
    if not replace:
        raise MagBridgeError(f"{out} holds a {kind}: expected another --out, or --replace; it is left as it was")
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_symlink() or (not path.is_dir() and (name not in written or written[name] != sha256_of(path))):
            raise MagBridgeError(
                f"{out} holds {name}, which is not as this {kind} was written: move it away, or remove the folder "
                "yourself; it is left as it was"
            )


def require_begun(out: Path | str, kind: str, first: str) -> None:
    """Raise unless files of this kind may be added to the folder `out`: it is free, empty, or was begun as such.

    Args:
        out: The folder.
        kind: What is in it, such as `training run`.
        first: The file that it begins with, whose own reader refuses another's.

    Raises:
        MagBridgeError: Something else is there, or the place cannot be written to.
    """
    out = require_place(out)
    require_writable(out)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise MagBridgeError(f"{out} exists and is not a folder: expected a {kind} or a free name")
    names = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.exists() else []
    if names and first not in names:
        raise MagBridgeError(
            f"{out} holds something other than a {kind}: expected a {kind} or a free name; it is left as it was"
        )


@contextmanager
def writing_folder(out: Path | str, kind: str, replace: bool = False) -> Iterator[Path]:
    """A folder to write into, there already; it becomes `out` if the block ends well, marked as of this kind.

    Raises:
        MagBridgeError: As `require_folder` does.
    """
    require_folder(out, kind, replace)
    with replacing(Path(out)) as folder:
        folder.mkdir()
        yield folder
        if kind != RELEASE:
            files = {p.relative_to(folder).as_posix(): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}
            (folder / MARKER).write_text(json.dumps({"kind": kind, "files": files}, indent=1) + "\n", encoding="utf-8")


def _written(folder: Path, kind: str) -> dict[str, str] | None:
    """SHA-256 of each file that a folder was written with; None where it was not written as this kind."""
    marker = folder / (CHECKSUMS if kind == RELEASE else MARKER)
    try:
        if kind == RELEASE:
            read_manifest(folder)
            files = listed_digests(marker.read_bytes(), CHECKSUMS)
            return files | {CHECKSUMS: sha256_of(marker)} if METADATA_FILE in files else None
        document = read_json(marker)
    except (MagBridgeError, OSError):
        return None
    listed: object = document.get("files")
    if document.get("kind") != kind or not isinstance(listed, dict):
        return None
    return listed | {MARKER: sha256_of(marker)}
