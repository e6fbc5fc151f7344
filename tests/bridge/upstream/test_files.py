import dataclasses
import hashlib

import pytest

from bridge.upstream import files, locate
from bridge.v2.inputs import PUBLISHED
from dataset_card.errors import MagBridgeError

BODY = bytes(range(256)) * 20
FILE = files.UpstreamFile("magbridge/thing.npz", "unset", hashlib.sha256(BODY).hexdigest(), "a thing", "CC0")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MAGBRIDGE_UPSTREAM", raising=False)
    return tmp_path / "cache" / "upstream"


def test_folders_are_searched_in_order(tmp_path, monkeypatch, cache):
    for folder in (tmp_path / "named", tmp_path / "env", cache):
        (folder / "magbridge").mkdir(parents=True)
        (folder / FILE.path).write_bytes(BODY)
    assert files.find(FILE) == cache / FILE.path
    monkeypatch.setenv("MAGBRIDGE_UPSTREAM", str(tmp_path / "env"))
    assert files.find(FILE) == tmp_path / "env" / FILE.path
    assert files.find(FILE, tmp_path / "named") == tmp_path / "named" / FILE.path
    (tmp_path / "env" / FILE.path).unlink()
    assert files.find(FILE) == cache / FILE.path


def test_a_damaged_local_file_is_named(tmp_path):
    (tmp_path / "magbridge").mkdir()
    (tmp_path / FILE.path).write_bytes(BODY[:-1])
    with pytest.raises(MagBridgeError, match="thing.npz .* has SHA-256"):
        files.find(FILE, tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(MagBridgeError, match="--upstream-dir is .*nowhere: expected an existing folder"):
        files.find(FILE, tmp_path / "nowhere")


def test_missing_files_are_all_named_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path))
    monkeypatch.delenv("MAGBRIDGE_UPSTREAM", raising=False)
    wanted = (FILE, dataclasses.replace(FILE, path="pulsebat/other.xlsx"))
    monkeypatch.setattr(files, "EVERY", wanted)
    with pytest.raises(FileNotFoundError, match="thing.npz, pulsebat/other.xlsx missing.*--upstream-dir"):
        locate(fetch=False, wanted=wanted)
    assert [entry["state"] for entry in files.status()] == ["missing"] * 3


def test_the_status_lists_the_files_of_every_edition():
    assert {file.path for file in (*files.PUBLISHED, *PUBLISHED)} == {file.path for file in files.EVERY}
    assert [entry["file"] for entry in files.status()] == [*(file.path for file in files.EVERY), files.OSF_SCANS]
