"""The door of the command lines: one line for an error, one for a signal, and the exit codes that shells expect."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
APP = """
import sys, time
import typer
from pathlib import Path
from dataset_card.running.commands import JsonOption, print_json
from dataset_card.running.door import run
from dataset_card.errors import MagBridgeError
from dataset_card.storage.files import replacing
app = typer.Typer()
@app.command()
def work(kind: str, out: Path = Path("out"), as_json: JsonOption = False):
    if kind == "bad":
        raise MagBridgeError("value 3:\\nexpected 4 from https://me:secret@host")
    if kind == "missing":
        open("nowhere/x")
    if kind == "good":
        print_json({"json": as_json})
    if kind == "slow":
        with replacing(out) as temporary:
            temporary.write_text("half")
            print("writing", flush=True)
            time.sleep(60)
@app.command()
def other(): ...
run(app)
"""


def start(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec({APP!r})", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )


@pytest.mark.parametrize(
    ("kind", "code", "out", "err"),
    [
        ("good", 0, '{"json": true}\n', ""),
        ("bad", 1, "", "error: value 3: expected 4 from https://host\n"),
        ("missing", 1, "", "error: [Errno 2] No such file or directory: 'nowhere/x'\n"),
    ],
)
def test_an_error_is_one_line(tmp_path, kind, code, out, err):
    process = start("work", kind, "--json", cwd=tmp_path)
    assert process.communicate() == (out, err)
    assert process.returncode == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_one_line_and_leaves_nothing_half_written(tmp_path, number, code):
    process = start("work", "slow", cwd=tmp_path)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(number)
    _, error = process.communicate()
    assert process.returncode == code
    assert error.count("\n") == 1
    assert number.name in error
    assert "nothing unfinished was written" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["bridge", "benchmark", "hqvqvae"])
def test_a_signal_during_the_imports_is_one_line(package):
    """The package's own face is light, so that its first act is to answer signals."""
    code = (
        "import os, runpy, signal, sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('typer', 'numpy'):\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stop())\n"
        f"sys.argv = ['x', '--help']\nrunpy.run_module({package!r}, run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("stopped by SIGINT: nothing unfinished was written") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["benchmark", "hqvqvae"])
def test_an_argument_that_is_no_text_is_one_line(package):
    command = [sys.executable, "-m", package, "plot", b"\xff"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (1, "error: argument '\\udcff': expected UTF-8; rename the file\n")
