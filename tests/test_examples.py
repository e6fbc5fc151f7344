"""The notebooks of `examples/` run as a user would run them: from the wheel, in an empty folder, without network."""

import json

import pytest

from tests.notebooks import NOTEBOOKS, execute

LONG = ("2-train-a-cnn",)
"""Over a minute: the gate runs it apart from the default tests."""

TO_RUN = [pytest.param(path, marks=[pytest.mark.slow] * (path.stem in LONG), id=path.stem) for path in NOTEBOOKS]


@pytest.mark.parametrize("path", TO_RUN)
def test_the_notebook_runs(path, wheel, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("nbclient")
    made = json.loads(execute(path, tmp_path, wheel))
    cells = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_outputs_are_kept_with_pictures_and_without_paths(path):
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    first = "".join(cells[0]["source"])
    assert first.startswith('REPOSITORY = "git+https://') and "%pip install" in first
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output["output_type"] == "error" for output in outputs)
    assert "/tmp/" not in text and "/home/" not in text and "/root/" not in text


def test_there_are_five():
    assert len(NOTEBOOKS) == 5
