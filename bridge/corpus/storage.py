"""A folder on a disk or in an object store, in which files appear complete or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dataset_card.errors import MagBridgeError, innermost
from dataset_card.storage.documents import parse_json
from dataset_card.storage.files import create_text, replacing

MAX_BYTES = 1 << 28
"""Size of the largest file that is read at once: the checksums of a million files take a third of it."""


@dataclass(frozen=True)
class Folder:
    """A folder, by path or by any URL that fsspec can open (`s3://bucket/corpus`).

    Keys, endpoints and the like come from fsspec's own configuration and the environment of each machine.

    Args:
        url: Path or URL.
    """

    url: str

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """The file system and the path on it."""
        import fsspec

        try:
            return fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            wanted = "expected a folder or a URL that fsspec opens"
            raise MagBridgeError(f"{self.url}: {innermost(error)}; {wanted}") from error

    @classmethod
    def of(cls, out: str | Path) -> Folder:
        """Return the folder of this name; a path is made absolute, as other processes start elsewhere."""
        folder = cls(str(out))
        return cls(folder._place[1]) if folder.local else folder

    @property
    def local(self) -> bool:
        """Whether the folder is on a disk, or mounted as one."""
        return "file" in _protocols(self._place[0])

    @property
    def in_this_process(self) -> bool:
        """Whether no other process can see it."""
        return "memory" in _protocols(self._place[0])

    def _path(self, name: str) -> str:
        return f"{self._place[1].rstrip('/')}/{name}"

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yield a local path to write a file at; if the block succeeds, rename or upload it to its place.

        Raises:
            OSError: If it cannot be written; the file is then unchanged.
        """
        if not self.local:
            with tempfile.TemporaryDirectory(prefix="corpus-") as scratch:
                path = Path(scratch) / Path(name).name
                yield path
                with self._reported(name):
                    self._place[0].put_file(str(path), self._path(name))
            return
        with replacing(Path(self._path(name))) as path:
            yield path

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        with self.writing(name) as path:
            path.write_text(text, encoding="utf-8")

    def create_text(self, name: str, text: str) -> bool:
        """Write a text file unless it exists; return whether it was written."""
        if self.local:
            return create_text(Path(self._path(name)), text)
        with self._reported(name), contextlib.suppress(FileExistsError):
            self._place[0].pipe_file(self._path(name), text.encode(), mode="create")
            return True
        return False

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, or None if it does not exist."""
        with self._reported(name), contextlib.suppress(FileNotFoundError):
            self._place[0].invalidate_cache()
            return int(self._place[0].info(self._path(name))["size"])
        return None

    def read_json(self, name: str) -> dict | None:
        """Return the object in a JSON file, or None if the file does not exist.

        Raises:
            MagBridgeError: If the file is too large, not JSON, or not an object.
        """
        return None if self.size(name) is None else parse_json(self.read(name), f"{self.url}/{name}")

    def read(self, name: str) -> bytes:
        """Return a small file's bytes.

        Raises:
            MagBridgeError: If the file is too large for a text or a map.
        """
        size = self.size(name)
        if size is not None and size > MAX_BYTES:
            raise MagBridgeError(f"{self.url}/{name}: {size} bytes; expected at most {MAX_BYTES}")
        with self._reported(name):
            return self._place[0].cat_file(self._path(name))

    def names(self, below: str) -> list[str]:
        """Return the sorted names of the files and folders directly in a folder; empty if it does not exist."""
        with self._reported(below), contextlib.suppress(FileNotFoundError):
            self._place[0].invalidate_cache()
            found = self._place[0].ls(self._path(below).rstrip("/"), detail=False)
            return sorted({Path(name).name for name in found} - {""})
        return []

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file, in hex."""
        with self._reported(name), self.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def open(self, name: str):
        """Open a file for reading."""
        return self._place[0].open(self._path(name), "rb")

    @contextlib.contextmanager
    def _reported(self, name: str) -> Iterator[None]:
        """Raise whatever a store's client raises as an OSError that names the place."""
        try:
            yield
        except (OSError, MagBridgeError):
            raise
        except Exception as error:
            raise OSError(f"{self.url}/{name}: {innermost(error)}") from error


def _protocols(files) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
