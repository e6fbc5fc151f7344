"""Signals at the door of hqvqvae's commands; during imports: tests/dataset_card/running/test_door.py."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import time
from hqvqvae import __main__
from hqvqvae.door import raise_signals
from hqvqvae.files import replacing
from pathlib import Path
def work():
    with replacing(Path("out")) as temporary:
        temporary.write_text("half")
        print("writing", flush=True)
        time.sleep(60)
__main__.app = work
raise_signals()
__main__.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_one_line_and_leaves_nothing_half_written(tmp_path, number, code):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{CODE}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(number)
    _, error = process.communicate()
    assert process.returncode == code
    assert error.startswith(f"stopped by {number.name}: nothing unfinished was written") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
