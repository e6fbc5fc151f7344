"""The one rule for output: where a command may write, so that no user data is lost.

A file goes to a free name; with `--replace` it may replace another file. A folder that is written as a whole goes to a
free name or an empty folder; with `--replace` it may replace a folder of the same kind, if every file in it is
unchanged since it was written. Anything else is refused and not changed. Nothing is ever written in place of `/`, the
working folder, the user's home or the folders above them.
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
"""File in every folder written as a whole, with the folder's kind and each file's SHA-256; releases have checksums."""

RELEASE = "release"


def require_place(out: Path | str) -> Path:
    """Return the path, after checking that files may be written at or below it.

    Raises:
        MagBridgeError: If it is `/`, the working folder, the user's home, or a folder above one of these.
    """
    real, taken = Path(os.path.realpath(out)), [Path(os.path.realpath(p)) for p in (Path.cwd(), Path.home())]
    if not real.name or any(real == p or real in p.parents for p in taken):
        raise MagBridgeError(
            f"{str(out)!r} is the root, the working folder, your home or a folder above: expected a new name, "
            "such as ./made"
        )
    return Path(out)


def require_file(out: Path | str, replace: bool = False) -> None:
    """Check that a file may be written at `out`.

    Args:
        out: The file.
        replace: Whether an existing file may be replaced.

    Raises:
        MagBridgeError: If `out` exists and is not a file, or may not be replaced, or its folder is not writable.
    """
    out = require_place(out)
    if out.is_symlink() or (out.exists() and not out.is_file()):
        raise MagBridgeError(f"{out} exists and is not a file: expected a file or a free name; it was not changed")
    if out.exists() and not replace:
        raise MagBridgeError(f"{out} exists: expected a free name, or --replace; it was not changed")
    require_writable(out)
    expect_free(out, not out.exists())


def require_folder(out: Path | str, kind: str, replace: bool = False) -> None:
    """Check that a folder of this kind may be written at `out` as a whole.

    Args:
        out: The folder.
        kind: Kind of the folder, such as `release`.
        replace: Whether a folder of the same kind may be replaced.

    Raises:
        MagBridgeError: If `out` exists and is not a folder of this kind, may not be replaced or has changed files, or
            its parent folder is not writable.
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
            f"{out} contains something other than a {kind}: expected a {kind} that this package wrote, or a free name; "
            "it was not changed"
        )
    if not replace:
        raise MagBridgeError(f"{out} contains a {kind}: expected another --out, or --replace; it was not changed")
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_symlink() or (not path.is_dir() and (name not in written or written[name] != sha256_of(path))):
            raise MagBridgeError(
                f"{out} contains {name}, which was added or changed after this {kind} was written: move it away, or "
                "remove the folder yourself; it was not changed"
            )


def require_begun(out: Path | str, kind: str, first: str) -> None:
    """Check that files of this kind may be added to the folder `out`: it is free, empty, or was started as this kind.

    Args:
        out: The folder.
        kind: Kind of its contents, such as `training run`.
        first: The file that is written first; its own reader refuses files of another origin.

    Raises:
        MagBridgeError: If `out` has other contents, or is not writable.
    """
    out = require_place(out)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise MagBridgeError(f"{out} exists and is not a folder: expected a {kind} or a free name")
    require_writable(out / first)
    names = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.exists() else []
    if names and first not in names:
        raise MagBridgeError(
            f"{out} contains something other than a {kind}: expected a {kind} or a free name; it was not changed"
        )


@contextmanager
def writing_folder(out: Path | str, kind: str, replace: bool = False) -> Iterator[Path]:
    """Provide an empty folder to write into; mark it with its kind and move it to `out` when the block ends.

    Yields:
        The temporary folder. After an error in the block, `out` is unchanged.

    Raises:
        MagBridgeError: If `require_folder` refuses `out`.
    """
    require_folder(out, kind, replace)
    with replacing(Path(out)) as folder:
        folder.mkdir()
        yield folder
        if kind != RELEASE:
            files = {p.relative_to(folder).as_posix(): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}
            (folder / MARKER).write_text(json.dumps({"kind": kind, "files": files}, indent=1) + "\n", encoding="utf-8")


def _written(folder: Path, kind: str) -> dict[str, str] | None:
    """Return the SHA-256 of each file that a folder was written with; None if it was not written as this kind."""
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
