"""Execute the notebooks of `examples/` as a user would.

python -m tests.notebooks          # run them all with the wheel of this source, and keep the outputs
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
REPOSITORY = re.compile(r'^REPOSITORY = "(.*)"', re.M)

RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, record_timing=False).execute()
for cell in notebook.cells:  # notes of pip, bars, times and paths of the machine that ran it are not results
    cell.metadata.pop("execution", None)
    if cell.cell_type == "code":
        unheard = "%pip" in cell.source
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr" and not unheard]
nbformat.write(notebook, sys.argv[1])
"""


def execute(path: Path, folder: Path, installed) -> str:
    """Run a notebook in a folder, with the wheel as its repository, and return it with its outputs.

    Args:
        path: The notebook, which is not changed.
        folder: An empty folder to work in.
        installed: A `tests.wheel.Installed`.
    """
    text = path.read_text(encoding="utf-8")
    (published,) = set(re.findall(r'REPOSITORY = \\"([^\\]+)\\"', text))
    copy = folder / path.name
    copy.write_text(text.replace(published, installed.wheel.as_uri()), encoding="utf-8")
    environment = {**installed.environment, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [installed.python, "-c", RUN, copy], cwd=folder, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{path.name}: {done.stderr[-3000:]}"
    return copy.read_text(encoding="utf-8").replace(installed.wheel.as_uri(), published)


def main(names: list[str]) -> None:
    """Keep the outputs of the notebooks whose names begin so; of all of them by default."""
    from tests.wheel import installed

    with tempfile.TemporaryDirectory() as folder:
        wheel = installed(Path(folder))
        if "MAGBRIDGE_UPSTREAM" in os.environ:
            wheel.environment["MAGBRIDGE_UPSTREAM"] = os.environ["MAGBRIDGE_UPSTREAM"]
        for path in NOTEBOOKS:
            if not names or path.name.startswith(tuple(names)):
                work = Path(folder) / path.stem
                work.mkdir()
                path.write_text(execute(path, work, wheel), encoding="utf-8")
                print(path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
