"""The door of the command lines: one line for an error, one for a signal, and the exit codes that shells expect."""

import os
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
    if kind == "words":
        for _ in range(5000):
            print("µT \u2192 \u4e2d")
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
    assert "no partial output was left" in error
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
    assert done.stderr.startswith("stopped by SIGINT: no partial output was left") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["benchmark", "hqvqvae"])
def test_an_argument_that_is_no_text_is_one_line(package):
    command = [sys.executable, "-m", package, "plot", b"\xff"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (1, "error: argument '\\udcff': expected UTF-8; rename the file\n")


@pytest.mark.parametrize(
    ("encoding", "locale"),
    [("ascii", "C"), ("cp1252", "POSIX"), ("latin-1", "de_DE"), ("shift_jis", "ja_JP.SJIS"), ("koi8-r", "xx_XX"),
     ("utf-8", "tr_TR.UTF-8")],
)  # fmt: skip
def test_any_text_is_printed_in_any_encoding_and_locale(tmp_path, encoding, locale):
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec({APP!r})"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": locale}
    done = subprocess.run([sys.executable, "-c", script, "work", "words"], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    first = done.stdout.decode(encoding).splitlines()[0]
    assert first == "µT → 中".encode(encoding, "backslashreplace").decode(encoding)


@pytest.mark.parametrize(
    ("redirect", "code"), [("| head -1", 141), ("| true", 141), (">&-", 0), ("2>&- >/dev/null", 0), ("<&- | cat", 0)]
)
def test_closed_pipes_and_streams_end_as_shells_have_it(tmp_path, redirect, code):
    (tmp_path / "app.py").write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{APP}")
    command = f"{sys.executable} app.py work words {redirect}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_full_device_is_told(tmp_path):
    (tmp_path / "app.py").write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{APP}")
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} app.py work words >/dev/full"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1 and done.stderr == "error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NUMBA_NUM_THREADS", "abc"),
        ("NUMBA_NUM_THREADS", "0"),
        ("NUMBA_NUM_THREADS", "-1"),
        ("HF_ENDPOINT", "http://x:y"),
    ]
    + [("HF_ENDPOINT", value) for value in ("x", "", "http://", "http://[::1", "file:///etc")],
)
def test_variables_that_libraries_choke_on_are_named(tmp_path, name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    process = start("work", "good", cwd=tmp_path)
    out, err = process.communicate()
    assert process.returncode == 1 and out == "" and err.startswith(f"error: ${name} is {value!r}: expected ")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no such signal")
def test_a_terminal_that_goes_away_ends_a_command_and_nohup_keeps_it(tmp_path):
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        pytest.skip("this run ignores SIGHUP, as under nohup: so do the commands that it starts")
    process = start("work", "slow", cwd=tmp_path)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 129 and list(tmp_path.iterdir()) == []
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec({APP!r})"
    kept = subprocess.Popen(
        ["nohup", sys.executable, "-c", script, "work", "slow"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert kept.stdout.readline() == "writing\n"
    kept.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        kept.wait(0.5)
    kept.terminate()
    assert kept.wait(20) == 143
