"""The program: light to start, one line for an error."""

import subprocess
import sys

import pytest

from tests.hqvqvae.small import cell_table


@pytest.mark.parametrize("command", [("push", "recommended", "--repo", "u/m"), ("score", "cell.csv"), ("train",)])
def test_without_torch_a_command_names_the_extra(command, tmp_path):
    cell_table().to_csv(tmp_path / "cell.csv", index=False)
    script = (
        "import sys\nsys.modules['torch'] = None  # as if it were not installed\n"
        f"sys.argv = ['hqvqvae', *{command!r}]\nfrom hqvqvae.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "error: this needs torch: pip install 'magbridge-battery[model]'\n"


def test_without_torch_an_import_names_the_extra():
    script = "import sys\nsys.modules['torch'] = None\nfrom hqvqvae import HQVQVAEModel"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last == "ModuleNotFoundError: this needs torch: pip install 'magbridge-battery[model]'"


def test_help_and_the_package_load_no_heavy_library():
    script = (
        "import sys, hqvqvae\n"
        "assert not {'torch', 'transformers', 'pandas', 'pennylane', 'matplotlib'} & set(sys.modules)\n"
        "import hqvqvae.__main__\n"
        "heavy = {'torch', 'transformers', 'pandas', 'sklearn', 'pennylane', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
