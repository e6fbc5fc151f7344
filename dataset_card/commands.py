"""What the command lines share: the door at which errors and signals become one line, and the option --json."""

from __future__ import annotations

import json
import signal
import sys
from typing import Annotated, Any

import typer

from dataset_card.errors import MagBridgeError, without_passwords

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def run(app: typer.Typer) -> None:
    """Runs a command line: a user's error is one line and exit code 1, a signal one line and 130 or 143.

    SIGINT and SIGTERM become exceptions, so that what is half written is removed on the way out.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        app()
    except (MagBridgeError, OSError) as error:
        print(f"error: {' '.join(without_passwords(str(error)).split())}", file=sys.stderr)
        sys.exit(1)
    except _Stopped as stopped:
        print(
            f"stopped by {stopped.signal.name}: nothing unfinished was written, what stood before is as it was",
            file=sys.stderr,
        )
        sys.exit(128 + stopped.signal)  # as shells have it


def print_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    typer.echo(json.dumps(value))


class _Stopped(BaseException):
    """A signal to stop; no `except Exception` may swallow it."""

    def __init__(self, number: int):
        self.signal = signal.Signals(number)


def _stop(number: int, _frame: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # the way out is short, and must not be cut off
    raise _Stopped(number)
