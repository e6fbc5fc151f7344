"""The entry point of the command lines: an error or a signal gives one line and the exit code that shells expect.

Nothing heavy is imported here, so that signals are handled while a command's imports are still running. During the
first 50 ms, while Python itself starts, a signal ends the process in Python's own way.
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

from dataset_card.errors import EXTRAS, MagBridgeError, missing, one_line, without_passwords

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

HUNG_UP = 141
"""Exit code if the reader of the output went away, as shells report SIGPIPE."""

THREADS = "NUMBA_NUM_THREADS"
"""A variable that numba reads on import; an invalid value would end in a traceback."""


def answer_signals() -> None:
    """Let a signal end the process at once with one line; for use during imports, before anything is written."""
    _answer(_exit)


def run(app: Callable[[], object], errors: tuple[type[Exception], ...] = ()) -> None:
    """Run a command line: a user error gives one line and exit code 1, a signal one line and 128 plus its number.

    Signals become exceptions, so that partial output is removed on the way out.

    Args:
        app: The command line.
        errors: Exceptions that report a user error, in addition to `MagBridgeError` and `OSError`.
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
        print(f"error: {one_line(without_passwords(str(error)))}", file=sys.stderr)
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
    """Check that no file of the user's shadows a package of this project.

    Args:
        packages: Names of top-level packages that are about to be imported.

    Raises:
        MagBridgeError: If Python would import another file in place of a package; the message names the file.
    """
    home = Path(__file__).resolve().parents[2]
    for name in packages:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if found is None or found.parent.parent != home:
            raise MagBridgeError(
                f"{found or name} shadows the package {name!r} of magbridge-battery: rename it, or start Python "
                "elsewhere or with -P"
            )


def _answer(handler: Callable) -> None:
    for number in SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup has SIGHUP ignored
            signal.signal(number, handler)


def _open_streams() -> None:
    """Reopen closed standard streams, so that no file gets their numbers, and let them print any text."""
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
        sys.stdout.flush()  # here, because an error can still be reported


def _hang_up() -> NoReturn:
    sink = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):  # discard what Python writes on its way out
        os.dup2(sink, number)
    sys.exit(HUNG_UP)


def _require_environment() -> None:
    threads = os.environ.get(THREADS, "1")
    if not re.fullmatch("0*[1-9][0-9]{0,5}", threads):
        raise MagBridgeError(f"${THREADS} is {threads!r}: expected a number of threads, at least 1; set or unset it")
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        parts = urlsplit(endpoint)
        holds = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        holds = False
    if not holds:
        raise MagBridgeError(f"$HF_ENDPOINT is {endpoint!r}: expected a URL such as https://huggingface.co")


def _require_text(words: list[str]) -> None:
    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise MagBridgeError(f"argument {ascii(word)}: expected UTF-8; rename the file")


class _Stopped(BaseException):
    """A signal to stop; not an `Exception`, so that `except Exception` cannot swallow it."""

    def __init__(self, number: int):
        self.signal = signal.Signals(number)


def _stop(number: int, _frame: object) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # the clean-up is short and must not be interrupted
    raise _Stopped(number)


def _exit(number: int, _frame: object) -> None:
    _tell(signal.Signals(number))
    os._exit(128 + number)


def _tell(number: signal.Signals) -> None:
    os.write(2, f"stopped by {number.name}: no partial output was left, and existing files are unchanged\n".encode())
