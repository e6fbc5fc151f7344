"""A folder on a disk or in an object store, in which files appear whole or not at all."""

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
"""Of the largest file that is read at once: the checksums of a million files are a third of it."""


@dataclass(frozen=True)
class Folder:
    """A folder by path, or by any URL that fsspec knows (`s3://bucket/corpus`).

    Keys, endpoints and the like come from fsspec's own configuration and the environment, on every machine.

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
        """The folder of this name; a path is made absolute, since other processes start elsewhere."""
        folder = cls(str(out))
        return cls(folder._place[1]) if folder.local else folder

    @property
    def local(self) -> bool:
        """Whether it lies on a disk, or is mounted as one."""
        return "file" in _protocols(self._place[0])

    @property
    def in_this_process(self) -> bool:
        """Whether no other process can see it."""
        return "memory" in _protocols(self._place[0])

    def _path(self, name: str) -> str:
        return f"{self._place[1].rstrip('/')}/{name}"

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A local path to write a file at; it takes its place if the block ends well: renamed, or one upload.

        Raises:
            OSError: It cannot be written; the file is what it was.
        """
        if self.local:
            with replacing(Path(self._path(name))) as path:
                yield path
            return
        with tempfile.TemporaryDirectory(prefix="corpus-") as scratch:
            path = Path(scratch) / Path(name).name
            yield path
            with self._reported(name):
                self._place[0].put_file(str(path), self._path(name))

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        with self.writing(name) as path:
            path.write_text(text, encoding="utf-8")

    def create_text(self, name: str, text: str) -> bool:
        """Write a text file where there is none; False, and nothing written, where there is one."""
        if self.local:
            return create_text(Path(self._path(name)), text)
        with self._reported(name), contextlib.suppress(FileExistsError):
            self._place[0].pipe_file(self._path(name), text.encode(), mode="create")
            return True
        return False

    def size(self, name: str) -> int | None:
        """Bytes of a file, None where there is none."""
        with self._reported(name), contextlib.suppress(FileNotFoundError):
            self._place[0].invalidate_cache()
            return int(self._place[0].info(self._path(name))["size"])
        return None

    def read_json(self, name: str) -> dict | None:
        """The object of a JSON file; None where there is no such file.

        Raises:
            MagBridgeError: It is too large, no JSON, or something other than an object.
        """
        return None if self.size(name) is None else parse_json(self.read(name), f"{self.url}/{name}")

    def read(self, name: str) -> bytes:
        """A small file's bytes.

        Raises:
            MagBridgeError: It is too large for a text or a map.
        """
        size = self.size(name)
        if size is not None and size > MAX_BYTES:
            raise MagBridgeError(f"{self.url}/{name}: {size} bytes; expected at most {MAX_BYTES}")
        with self._reported(name):
            return self._place[0].cat_file(self._path(name))

    def names(self, below: str) -> list[str]:
        """Names of the files and folders directly in a folder, sorted; none where it is not there."""
        with self._reported(below), contextlib.suppress(FileNotFoundError):
            self._place[0].invalidate_cache()
            found = self._place[0].ls(self._path(below).rstrip("/"), detail=False)
            return sorted({Path(name).name for name in found} - {""})
        return []

    def sha256(self, name: str) -> str:
        """SHA-256 of a file, in hex."""
        with self._reported(name), self.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def open(self, name: str):
        """A file to read from."""
        return self._place[0].open(self._path(name), "rb")

    @contextlib.contextmanager
    def _reported(self, name: str) -> Iterator[None]:
        """Whatever a store's client raises, as an error of the operating system that names the place."""
        try:
            yield
        except (OSError, MagBridgeError):
            raise
        except Exception as error:
            raise OSError(f"{self.url}/{name}: {innermost(error)}") from error


def _protocols(files) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
