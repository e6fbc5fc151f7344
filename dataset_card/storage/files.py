"""Files and folders that are written completely or not at all, even on power failure or with two concurrent writers.

Output goes to a hidden temporary path in the same folder, `.<name>.<host>.<pid>.<number>.partial`, is flushed to disk
and takes its final place in one step. If the system cannot swap two folders, the old one is briefly renamed to
`....replaced`, where `standing` finds it.
"""

import contextlib
import ctypes
import errno
import itertools
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dataset_card.errors import MagBridgeError

PARTIAL, REPLACED = "partial", "replaced"
NOWHERE_TO_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
"""Errors of a disk that is full, over quota, too small for the file, broken or read-only."""

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_numbers = itertools.count()
_free: set[str] = set()
"""Paths that were found free and will be written soon; a file that appears there meanwhile must not be replaced."""

_open: set[str] = set()
"""Stems of the partial files that this process is writing. The pid alone does not tell: a container may reuse it."""


def _host() -> str:
    """Return a name for the machine and, on Linux, the process namespace, since pids are valid only within it."""
    node = re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:32] or "host"
    try:
        return f"{node}-{os.stat('/proc/self/ns/pid').st_ino:x}"
    except OSError:
        return node


def cache_dir() -> Path:
    """Return the user's cache folder for this project: `$MAGBRIDGE_CACHE`, or a folder in the system's usual place."""
    import platformdirs

    return Path(os.environ.get("MAGBRIDGE_CACHE") or platformdirs.user_cache_dir("magbridge-battery"))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Provide a temporary path for a file or folder, which replaces `path` when the block ends without an error.

    Args:
        path: Destination of the finished file or folder; its parent folders are created.

    Yields:
        The temporary path, at which nothing exists yet.

    Raises:
        OSError: If it cannot be written; `path` is unchanged, and the error names it.
    """
    path = Path(os.path.abspath(path))
    temporary = _neighbour(path)
    try:
        with _writing(temporary, path):
            yield temporary
            _to_disk(temporary)
            _take_place(temporary, path)
            _to_disk(path.parent, whole=False)
    except OSError as error:
        raise (naming(error, path) if error.filename in (None, str(temporary)) else error) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _neighbour(path: Path) -> Path:
    return path.with_name(f".{path.name}.{_host()}.{os.getpid()}.{next(_numbers)}.{PARTIAL}")


@contextlib.contextmanager
def _writing(temporary: Path, path: Path) -> Iterator[None]:
    """Prepare the folder for a temporary path, and remove what is left at that path afterwards."""
    _open.add(temporary.stem)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        _remove(temporary)
        yield
    finally:
        _remove(temporary)
        _open.discard(temporary.stem)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, waiting for other processes to release it; create the folder if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # no such lock on this system
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def create_text(path: Path, text: str) -> bool:
    """Write a text file atomically if it does not exist; return False, and write nothing, if it does."""
    path = Path(os.path.abspath(path))
    temporary = _neighbour(path)
    try:
        with _writing(temporary, path):
            temporary.write_text(text, encoding="utf-8")
            _to_disk(temporary)
            try:
                os.link(temporary, path)  # the only single step that creates a file and never replaces one
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK) or path.exists():
                    raise
                os.replace(temporary, path)  # a file system without hard links
        return True
    except FileExistsError:
        return False
    except OSError as error:
        raise naming(error, path) from error


def naming(error: OSError, path: Path) -> OSError:
    """Return a write error that names `path`: write() reports no name, and open() may report a temporary one."""
    if error.errno in NOWHERE_TO_WRITE or (error.errno is not None and error.filename is not None):
        return OSError(error.errno, os.strerror(error.errno), str(path))
    return error


def standing(path: Path) -> Path:
    """Return `path`, or the copy kept of it if a replacement was interrupted before the new version was in place."""
    path = Path(os.path.abspath(path))
    if not path.exists():
        for neighbour, _, _, kind in _strays(path):
            if kind == REPLACED:
                return neighbour
    return path


def expect_free(path: Path, free: bool) -> None:
    """Remember whether a path is free, so that the next `replacing` does not overwrite what appears there meanwhile."""
    (_free.add if free else _free.discard)(os.path.abspath(path))


def require_writable(path: Path) -> None:
    """Check, before the work begins, that a file or folder can be written at `path`.

    Raises:
        MagBridgeError: If its parent is not a folder, is read-only, or may not be written by this user.
    """
    path = Path(os.path.abspath(path))
    folder = next(parent for parent in path.parents if parent.exists())
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise MagBridgeError(
            f"{path} cannot be written ({error.strerror}): expected a path in a folder that you may write to"
        ) from error


def _take_place(new: Path, path: Path) -> None:
    if str(path) in _free and os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise MagBridgeError(f"{path} was created meanwhile: expected a name that stays free; it was not changed")
    _free.discard(str(path))
    kept = new.with_suffix(f".{REPLACED}")
    placed = False
    try:
        while not placed:
            try:
                os.replace(new, path)  # sufficient for a free name, a file or an empty folder
                placed = True
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                with contextlib.suppress(FileNotFoundError):  # another command moved it meanwhile: try again
                    placed = _exchange(new, path)
                    if not placed:
                        _remove(kept)
                        os.rename(path, kept)
    finally:
        if not placed and kept.exists():
            with contextlib.suppress(OSError):  # another command has put its own there meanwhile
                os.rename(kept, path)
        if placed or path.exists():
            _remove(kept)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths in one step; return False if the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _to_disk(path: Path, whole: bool = True) -> None:
    """Wait until a file, or a folder with all its contents, is on the disk."""
    if whole and path.is_dir():
        for child in path.iterdir():
            _to_disk(child)
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return  # this system cannot open folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _strays(path: Path) -> Iterator[tuple[Path, str, int, str]]:
    """Yield path, host, pid and kind of every temporary file that writers of exactly this path left or are using."""
    name = re.compile(rf"\.{re.escape(path.name)}\.([A-Za-z0-9-]+)\.(\d+)\.\d+\.({PARTIAL}|{REPLACED})")
    if path.parent.is_dir():
        for neighbour in sorted(os.listdir(path.parent)):
            if match := name.fullmatch(neighbour):
                yield path.with_name(neighbour), match[1], int(match[2]), match[3]


def _sweep(path: Path) -> None:
    """Remove what killed writers of the same path on this machine left behind."""
    for stray, host, pid, kind in _strays(path):
        if host != _host() or (stray.stem in _open if pid == os.getpid() else _runs(pid)):
            continue
        if kind == REPLACED and not path.exists():
            stray.rename(path)  # killed between the two renames: the old version is still complete
        else:
            _remove(stray)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
