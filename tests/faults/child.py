"""Runs functions where a crash, a hang and a great allocation are seen: in child processes, one after another."""

from __future__ import annotations

import faulthandler
import io
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from dataset_card.errors import MagBridgeError
from hqvqvae.errors import HQVQVAEError

HANG_S = 10.0
"""Longest time that one input may take."""

MAX_ALLOCATION = 2**30
"""Bytes of memory that one input may add to what a process has."""

ROOT = Path(__file__).parents[2]

CONTEXT = multiprocessing.get_context("fork")


def outcomes_of(functions: Sequence[Callable[[], object]], limit_s: float = HANG_S) -> list[str | None]:
    """Runs functions, many to a process; None for each that ends well or with one line of its own."""
    outcomes: list[str | None] = []
    while len(outcomes) < len(functions):
        ours, theirs = CONTEXT.Pipe(duplex=False)
        child = CONTEXT.Process(target=_child, args=(functions[len(outcomes) :], theirs))
        child.start()
        theirs.close()
        while len(outcomes) < len(functions):
            if not ours.poll(limit_s):
                outcomes.append(f"no answer in {limit_s:g} s")
                os.kill(child.pid, signal.SIGKILL)
                break
            try:
                outcomes.append(ours.recv())
            except EOFError:
                child.join()
                outcomes.append(f"the interpreter died with exit code {child.exitcode}")
                break
            if outcomes[-1] is not None:  # what fell may have left anything behind: the next ones start anew
                os.kill(child.pid, signal.SIGKILL)
                break
        child.join()
    return outcomes


def _child(functions: Sequence[Callable[[], object]], answers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    faulthandler.disable()  # a crash is an outcome here, and no report for the terminal
    warnings.simplefilter("error", RuntimeWarning)  # numbers that overflow are lines on a user's terminal
    before = _memory("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + 4 * MAX_ALLOCATION, resource.RLIM_INFINITY))
    for function in functions:
        outcome = None
        try:
            function()
        except (MagBridgeError, HQVQVAEError, OSError) as error:
            outcome = None if "\n" not in str(error) else f"more than one line: {str(error)[:200]!r}"
        except BaseException as error:  # whatever it is, it would have been a traceback
            frames = traceback.extract_tb(error.__traceback__)
            at = ([frame for frame in frames if frame.filename.startswith(str(ROOT))] or frames)[-1]
            where = f"{Path(at.filename).name}:{at.lineno}"
            outcome = f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:160]}"
        taken = _memory("VmHWM") - before
        answers.send(f"took {taken / 2**20:.0f} MB" if outcome is None and taken > MAX_ALLOCATION else outcome)


def _memory(name: str) -> int:
    """A figure of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


class Misbehaved(Exception):
    """A command that did not end as commands must."""


def command(run: Callable[[], object], arguments: Sequence[str]) -> None:
    """Runs a command line in this process, as its `__main__` does; raises unless it ends as commands must.

    It must exit with 0, 1 or, where the arguments themselves are wrong, 2, and say at most one line of error.

    Args:
        run: What `__main__` calls.
        arguments: The words of the command line.
    """
    sys.argv = ["command", *arguments]
    code: object = 0
    with tempfile.TemporaryFile() as said:
        kept = os.dup(2)
        os.dup2(said.fileno(), 2)
        stdout, stderr = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = io.StringIO(), open(os.dup(2), "w", errors="backslashreplace")  # noqa: SIM115
        try:
            run()
        except SystemExit as exit_:
            code = exit_.code or 0
        finally:
            sys.stderr.close()
            sys.stdout, sys.stderr = stdout, stderr
            os.dup2(kept, 2)
            os.close(kept)
        said.seek(0)
        text = said.read().decode(errors="replace")
    lines = text.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    one_line = len(errors) <= 1 and (not errors or lines[-1] == errors[0]) and (code != 1 or len(lines) <= 3)
    if code not in (0, 1, 2) or "Traceback" in text or not one_line:
        raise Misbehaved(f"{' '.join(arguments)[:80]}: exit {code}, {text[-300:]!r}")
