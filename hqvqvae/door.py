"""Signals at the door of the commands: one line, and the exit codes that shells expect.

Nothing heavy is imported here. The first 50 ms are Python's own start, and a signal then ends it in Python's way.
"""

from __future__ import annotations

import os
import signal

from .errors import HQVQVAEError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal to stop; no `except Exception` may swallow it."""

    def __init__(self, number: int):
        self.signal = signal.Signals(number)

    def tell(self) -> None:
        """Say on stderr what became of the files."""
        text = f"stopped by {self.signal.name}: nothing unfinished was written; a training run goes on with --resume"
        os.write(2, f"{text}\n".encode())


def require_text(words: list[str]) -> None:
    """Refuse arguments that are no text, which no message and no file of ours could name.

    Raises:
        HQVQVAEError: names the argument.
    """
    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise HQVQVAEError(f"argument {ascii(word)}: expected UTF-8; rename the file")


def answer_signals() -> None:
    """Let a signal end the process at once with one line: for the time of the imports, before anything is written."""
    for number in SIGNALS:
        signal.signal(number, _exit)


def raise_signals() -> None:
    """Let a signal raise `Stopped`, so that what is half written is removed on the way out."""
    for number in SIGNALS:
        signal.signal(number, _raise)


def _exit(number: int, _frame: object) -> None:
    Stopped(number).tell()
    os._exit(128 + number)


def _raise(number: int, _frame: object) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # the way out is short, and must not be cut off
    raise Stopped(number)
