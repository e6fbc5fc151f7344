"""The program: light to start, one line for an error."""

import subprocess
import sys


def test_help_and_the_package_load_no_heavy_library():
    script = (
        "import sys, hqvqvae\n"
        "assert not {'torch', 'transformers', 'pandas', 'pennylane', 'matplotlib'} & set(sys.modules)\n"
        "import hqvqvae.__main__\n"
        "heavy = {'torch', 'transformers', 'pandas', 'sklearn', 'pennylane', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
