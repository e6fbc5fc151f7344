"""The door of the command lines: an error or a signal is one line and the exit code that shells expect.

Nothing heavy is imported here: signals are answered while a command's imports still run. The first 50 ms are Python's
own start, and a signal then ends it in Python's way.
"""

import importlib.util
import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from dataset_card.errors import EXTRAS, MagBridgeError, missing, without_passwords

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

HUNG_UP = 141
"""Exit code, as shells have it for SIGPIPE, where the reader of the output went away."""

THREADS = "NUMBA_NUM_THREADS"
"""A variable that is read on import, and answered with a traceback where it is none."""


def answer_signals() -> None:
    """Let a signal end the process at once with one line: for the time of the imports, before anything is written."""
    _answer(_exit)


def run(app: Callable[[], object], errors: tuple[type[Exception], ...] = ()) -> None:
    """Run a command line: a user's error is one line and exit code 1, a signal one line and 130 or 143.

    SIGINT and SIGTERM become exceptions, so that what is half written is removed on the way out.

    Args:
        app: The command line.
        errors: Errors of a user's input besides `MagBridgeError`.
    """
    _answer(_stop)
    _open_streams()
    try:
        _require_text(sys.argv[1:])
        _require_environment()
        _run(app)
    except BrokenPipeError:
        _hang_up()
    except (MagBridgeError, OSError) + errors as error:
        print(f"error: {' '.join(without_passwords(str(error)).split())}", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        print(f"error: {missing(error.name)}", file=sys.stderr)
        sys.exit(1)
    except _Stopped as stopped:
        _tell(stopped.signal)
        sys.exit(128 + stopped.signal)  # as shells have it


def require_own(*packages: str) -> None:
    """Refuse a module of the user's that stands in front of a package of this project.

    Args:
        packages: Names of top-level packages that are imported next.

    Raises:
        MagBridgeError: Names the file that Python would import instead.
    """
    home = Path(__file__).resolve().parents[2]
    for name in packages:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if found is None or found.parent.parent != home:
            raise MagBridgeError(
                f"{found or name} stands in front of the package {name!r} of magbridge-battery: rename it, or start "
                "Python elsewhere or with -P"
            )


def _answer(handler: Callable) -> None:
    for number in SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup has SIGHUP ignored
            signal.signal(number, handler)


def _open_streams() -> None:
    """Open what was closed, so that no file of ours gets the number of a stream; lets any text be printed anywhere."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(app: Callable[[], object]) -> None:
    try:
        app()
    finally:
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":  # click met a closed pipe, and would exit with 1
            raise BrokenPipeError
        sys.stdout.flush()  # here, where an error has an answer


def _hang_up() -> NoReturn:
    sink = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):  # what Python writes on its way out goes nowhere
        os.dup2(sink, number)
    sys.exit(HUNG_UP)


def _require_environment() -> None:
    threads = os.environ.get(THREADS, "1")
    if not re.fullmatch("0*[1-9][0-9]{0,5}", threads):
        raise MagBridgeError(f"${THREADS} is {threads!r}: expected a number of threads, from 1 on, or no such variable")
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        parts = urlsplit(endpoint)
        holds = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        holds = False
    if not holds:
        raise MagBridgeError(f"$HF_ENDPOINT is {endpoint!r}: expected an address such as https://huggingface.co")


def _require_text(words: list[str]) -> None:
    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise MagBridgeError(f"argument {ascii(word)}: expected UTF-8; rename the file")


class _Stopped(BaseException):
    """A signal to stop; no `except Exception` may swallow it."""

    def __init__(self, number: int):
        self.signal = signal.Signals(number)


def _stop(number: int, _frame: object) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # the way out is short, and must not be cut off
    raise _Stopped(number)


def _exit(number: int, _frame: object) -> None:
    _tell(signal.Signals(number))
    os._exit(128 + number)


def _tell(number: signal.Signals) -> None:
    os.write(2, f"stopped by {number.name}: nothing unfinished was written, what stood before is as it was\n".encode())
