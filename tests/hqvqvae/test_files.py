"""Files and folders that appear whole or not at all, and JSON without NaN."""

import json
import os
from unittest import mock

import numpy as np
import pytest

from hqvqvae.files import json_text, replacing, write_json


def test_a_file_appears_whole_and_leaves_nothing_else(tmp_path):
    write_json(tmp_path / "sub" / "a.json", {"x": 1})
    write_json(tmp_path / "sub" / "a.json", {"x": 2})
    assert json.loads((tmp_path / "sub" / "a.json").read_text()) == {"x": 2}
    assert os.listdir(tmp_path / "sub") == ["a.json"]


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    for name in ("old", "new"):
        with replacing(tmp_path / "run") as temporary:
            temporary.mkdir()
            (temporary / name).write_text(name)
    assert os.listdir(tmp_path) == ["run"] and os.listdir(tmp_path / "run") == ["new"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_fails_on_the_way_leaves_the_old_content(kind, tmp_path):
    def write(text, fails=False):
        with replacing(tmp_path / "x") as temporary:
            if kind == "folder":
                temporary.mkdir()
            (temporary / "part" if kind == "folder" else temporary).write_text(text)
            if fails:
                raise ValueError("killed")

    write("old")
    with pytest.raises(ValueError, match="killed"):
        write("new", fails=True)
    rename = os.replace

    def refuse_the_new_name(source, target):
        if target == tmp_path / "x" and ".old." not in source.name:
            raise OSError("no room")
        rename(source, target)

    with mock.patch.object(os, "replace", refuse_the_new_name), pytest.raises(OSError, match="no room"):
        write("new")
    left = tmp_path / "x" / "part" if kind == "folder" else tmp_path / "x"
    assert left.read_text() == "old" and os.listdir(tmp_path) == ["x"]


def test_bytes_reach_the_disk_before_the_name(tmp_path):
    order = []
    sync, rename = os.fsync, os.replace
    with (
        mock.patch.object(os, "fsync", side_effect=lambda handle: (order.append("sync"), sync(handle))),
        mock.patch.object(os, "replace", side_effect=lambda a, b: (order.append("name"), rename(a, b))),
    ):
        write_json(tmp_path / "a.json", 1)
    assert order == ["sync", "name", "sync"]  # the file, its name, the folder that holds the name


def test_json_has_null_where_there_is_no_number():
    value = {"a": np.float64("nan"), "b": [np.int64(3), float("inf")], "c": ("ä", None, True)}
    assert json.loads(json_text(value)) == {"a": None, "b": [3, None], "c": ["ä", None, True]}
