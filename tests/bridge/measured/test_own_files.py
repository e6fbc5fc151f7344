"""The tutorial of a laboratory's own files: what it prints is what the commands print on the files that it makes."""

import importlib.util
from pathlib import Path

import pytest

from bridge.measured.adopt import read_measured
from dataset_card.errors import MagBridgeError
from hqvqvae.cells.cycling import Reading, read_cells, summary
from hqvqvae.cells.features import feature_table

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tutorials" / "your-own-files.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("own_files", ROOT / "docs" / "own_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("own")
    module.cycler_export(folder / "cell.bdf.csv")
    module.laboratory(folder)
    return folder


def test_the_export_is_refused_and_read_as_printed(files):
    with pytest.raises(MagBridgeError) as error:
        read_cells(files / "cell.bdf.csv")
    assert f"error: {error.value}\n".replace(f"{files}/", "") in PAGE
    cells = read_cells(files / "cell.bdf.csv", Reading(current_sign="positive", ambient_C=25, nominal_Ah=2))
    assert "\n".join([*cells.notes, *summary(feature_table(cells.segments))]) + "\n" in PAGE


def test_the_scans_are_understood_as_printed(files):
    found = read_measured(files / "scans.csv", files / "labels.csv", files / "channels.yaml")
    assert "\n".join([found.understood(), *found.notes[:4]]) + "\n" in PAGE
    assert (files / "channels.yaml").read_text() in PAGE
