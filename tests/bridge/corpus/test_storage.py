import importlib.util
import json
import os

import fsspec
import pytest

from bridge.corpus.storage import Folder
from dataset_card.errors import MagBridgeError


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=pytest.mark.gate)])
def folder(request, tmp_path):
    if request.param == "folder":
        yield Folder.of(tmp_path / "corpus")
    elif request.param == "memory":
        yield Folder.of(f"memory://{tmp_path.name}/corpus")
        fsspec.filesystem("memory").store.clear()
    else:
        yield Folder.of(request.getfixturevalue("bucket"))


def test_files_appear_whole_and_are_read_back(folder):
    assert folder.names("") == [] and folder.size("a.json") is None and folder.read_json("a.json") is None
    folder.write_text("a.json", json.dumps({"x": 1}))
    with folder.writing("data/train/0.bin") as path:
        path.write_bytes(b"12345")
    assert folder.read_json("a.json") == {"x": 1} and folder.read("data/train/0.bin") == b"12345"
    assert folder.size("data/train/0.bin") == 5 and folder.names("") == ["a.json", "data"]
    assert folder.names("data/train") == ["0.bin"] and folder.names("data/none") == []
    assert folder.sha256("data/train/0.bin").startswith("5994471abb01112afcc18159f6cc74b4")
    with folder.open("data/train/0.bin") as file:
        assert file.read(2) == b"12"


def test_a_broken_write_leaves_what_was_there(folder):
    folder.write_text("a.txt", "old")
    with pytest.raises(RuntimeError, match="in the middle"), folder.writing("a.txt") as path:
        path.write_text("half")
        raise RuntimeError("in the middle")
    assert folder.read("a.txt") == b"old" and folder.names("") == ["a.txt"]
    folder.write_text("a.txt", "new")
    assert folder.read("a.txt") == b"new"


def test_one_of_two_creates(folder):
    assert folder.create_text("a.txt", "first") is True
    assert folder.create_text("a.txt", "second") is False
    assert folder.read("a.txt") == b"first"


def test_damage_and_size_are_named(folder, monkeypatch):
    folder.write_text("a.json", '{"x"')
    with pytest.raises(MagBridgeError, match="a.json: not readable as JSON"):
        folder.read_json("a.json")
    monkeypatch.setattr("bridge.corpus.storage.MAX_BYTES", 3)
    with pytest.raises(MagBridgeError, match="a.json: 4 bytes; expected at most 3"):
        folder.read("a.json")


def test_a_path_is_absolute_and_a_url_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Folder.of("here").url == str(tmp_path / "here") and Folder.of("here").local
    assert Folder.of(f"file://{tmp_path}/x").url == f"{tmp_path}/x"
    assert Folder.of("memory://x/y").url == "memory://x/y" and Folder.of("memory://x/y").in_this_process


@pytest.mark.parametrize("url", ["nosuch://bucket/x", "abfs://container/x"])
def test_a_url_that_nothing_opens_is_one_error(url):
    if url.startswith("abfs") and importlib.util.find_spec("adlfs"):
        pytest.skip("adlfs is installed")
    with pytest.raises(MagBridgeError, match="expected a folder or a URL that fsspec opens"):
        Folder.of(url)


def test_a_store_that_does_not_answer_is_an_error_of_the_system(monkeypatch, bucket):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(OSError, match="s3://"):
        Folder.of(bucket).read_json("a.json")


def test_a_read_only_folder_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Folder.of(tmp_path / "file/corpus").write_text("a.txt", "x")
    assert os.listdir(tmp_path) == ["file"]
