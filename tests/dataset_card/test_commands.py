import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, typer
from dataset_card.commands import run
from dataset_card.errors import MagBridgeError
app = typer.Typer(pretty_exceptions_enable=False)

@app.command()
def act(what: str):
    if what == "error":
        raise MagBridgeError("value 3:\\n  expected 2")
    if what.isdigit():
        try:
            os.kill(os.getpid(), int(what))
            signal.pause()
        finally:
            print("cleaned up")
    print("done")

run(app)
"""


def act(what):
    return subprocess.run([sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, timeout=60)


def test_a_users_error_is_one_line():
    outcome = act("error")
    assert (outcome.returncode, outcome.stderr) == (1, "error: value 3: expected 2\n")


@pytest.mark.parametrize("number, name", [(signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_is_one_line_after_the_clean_up(number, name):
    outcome = act(str(int(number)))
    assert outcome.returncode == 128 + number and outcome.stdout == "cleaned up\n"
    assert outcome.stderr.startswith(f"stopped by {name}: nothing unfinished was written")
    assert outcome.stderr.count("\n") == 1
