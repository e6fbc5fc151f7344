"""The console command: every command of the three packages, light to start, one line for whatever is wrong."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import magbridge

ROOT = Path(__file__).parents[1]
COMMAND = ("-P", "-c", "import magbridge; magbridge.main()")
"""What the installed command does: the working folder is not on its path."""


def run(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


def test_the_version_is_the_packages(tmp_path):
    done = run(*COMMAND, "--version", cwd=tmp_path)
    assert done.stdout == f"magbridge-battery {importlib.metadata.version('magbridge-battery')}\n" and not done.stderr


def test_every_command_of_the_three_packages_is_there():
    import benchmark.__main__
    import bridge.__main__
    import hqvqvae.__main__

    def names(app):
        return set(typer.main.get_command(app).commands)

    whole = typer.main.get_command(magbridge.command_line())
    assert set(whole.commands) == names(bridge.__main__.app) | {"benchmark", "hqvqvae"}
    assert set(whole.commands["benchmark"].commands) == names(benchmark.__main__.app)
    assert set(whole.commands["hqvqvae"].commands) == names(hqvqvae.__main__.app)


def test_help_loads_no_heavy_library():
    heavy = ("torch", "transformers", "matplotlib", "pennylane", "numba", "sklearn", "pandas", "datasets")
    code = f"import magbridge, sys; magbridge.command_line(); print([m for m in {heavy} if m in sys.modules])"
    assert run("-c", code, cwd=ROOT).stdout == "[]\n"


def test_completion_names_the_commands(tmp_path):
    words = {"_MAGBRIDGE_COMPLETE": "complete_bash", "COMP_WORDS": "magbridge benchmark le", "COMP_CWORD": "2"}
    code = "import sys, magbridge; sys.argv[0] = 'magbridge'; magbridge.main()"
    assert run("-P", "-c", code, cwd=tmp_path, **words).stdout.split() == ["leaderboard"]


def test_an_error_of_either_kind_is_one_line(tmp_path):
    for arguments in (("verify", "nowhere"), ("hqvqvae", "features", "--table", "nowhere.csv")):
        done = run(*COMMAND, *arguments, cwd=tmp_path)
        assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.fixture
def folder_of_a_user(tmp_path):
    (tmp_path / "benchmark.py").write_text("raise SystemExit('the user's own file ran')\n")
    return tmp_path


def test_a_file_of_the_users_in_front_of_a_package_is_one_line(folder_of_a_user):
    for arguments in (("-m", "bridge", "build"), ("-c", "import magbridge; magbridge.main()", "build")):
        done = run(*arguments, cwd=folder_of_a_user)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"error: {folder_of_a_user / 'benchmark.py'} shadows the package")
    last = run("-c", "import magbridge_battery", cwd=folder_of_a_user).stderr.splitlines()[-1]
    assert f"{folder_of_a_user / 'benchmark.py'} shadows the package 'benchmark'" in last


def test_the_command_does_not_see_a_file_of_the_users(folder_of_a_user):
    done = run(*COMMAND, "benchmark", "list", cwd=folder_of_a_user)
    assert done.returncode == 0 and "reservoir" not in done.stderr and done.stdout.startswith("t1  SOH regression")


def test_flags_show_no_type(tmp_path):
    for arguments in ((), ("build",), ("benchmark", "run"), ("hqvqvae", "train"), ("corpus", "build")):
        text = run(*COMMAND, *arguments, "--help", cwd=tmp_path).stdout
        assert "--help" in text and "<bool>" not in text


@pytest.mark.parametrize("value", ["t2", "t1"])
def test_an_option_given_twice_is_an_error_unless_it_may_repeat(tmp_path, value):
    done = run(*COMMAND, "benchmark", "leaderboard", "--task", "t1", "--task", value, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr == "error: --task is given 2 times: expected it once\n"
    twice = ("--data", "nowhere", "--data", "elsewhere")
    assert "2 times" not in run(*COMMAND, "benchmark", "rescore", *twice, cwd=tmp_path).stderr
