"""The rule for output: free names, what a command wrote itself, and nothing else."""

import json
import os

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.storage.files import replacing
from dataset_card.storage.output import (
    MARKER,
    require_begun,
    require_file,
    require_folder,
    require_place,
    writing_folder,
)

KIND = "report"


def write(out, replace=False):
    with writing_folder(out, KIND, replace) as folder:
        (folder / "figures").mkdir()
        (folder / "figures" / "one.png").write_bytes(b"png")
        (folder / "report.md").write_text("text")


@pytest.mark.parametrize("place", ["", ".", "..", "/", "//", "./", "made/..", "~"])
def test_the_root_the_working_folder_and_the_home_are_refused(place, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = str(tmp_path / "home") if place == "~" else place
    for require in (require_place, require_file, lambda out: require_folder(out, KIND, True)):
        with pytest.raises(MagBridgeError, match="expected a new name"):
            require(place)
    assert list(tmp_path.iterdir()) == [work] and list(work.iterdir()) == []


def test_a_link_to_the_working_folder_is_refused(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "link").symlink_to("work")
    with pytest.raises(MagBridgeError, match="expected a new name"):
        require_place(tmp_path / "link")


def test_a_file_is_replaced_only_when_told(tmp_path):
    out = tmp_path / "a.md"
    require_file(out)
    out.write_text("mine")
    with pytest.raises(MagBridgeError, match="expected a free name, or --replace"):
        require_file(out)
    require_file(out, replace=True)


@pytest.mark.parametrize("kind", ["folder", "link", "dangling link", "pipe", "device"])
def test_what_is_no_file_is_never_replaced(tmp_path, kind):
    out, target = tmp_path / "out", tmp_path / "target"
    target.write_text("mine")
    {
        "folder": lambda: out.mkdir(),
        "link": lambda: out.symlink_to(target),
        "dangling link": lambda: out.symlink_to("nowhere"),
        "pipe": lambda: os.mkfifo(out),
        "device": lambda: None,
    }[kind]()
    with pytest.raises(MagBridgeError, match="is not a file"):
        require_file("/dev/null" if kind == "device" else out, replace=True)


def test_a_folder_of_its_kind_is_replaced_only_when_told(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    write(out)
    document = json.loads((out / MARKER).read_text())
    assert document["kind"] == KIND and set(document["files"]) == {"figures/one.png", "report.md"}
    with pytest.raises(MagBridgeError, match="contains a report: expected another --out, or --replace"):
        write(out)
    write(out, replace=True)
    with pytest.raises(MagBridgeError, match="something other than a model"):
        require_folder(out, "model", replace=True)


def changed(folder):
    (folder / "report.md").write_text("my notes")


def added(folder):
    (folder / "figures" / "thesis.tex").write_text("precious")


def linked(folder):
    (folder / "figures" / "one.png").unlink()
    (folder / "figures" / "one.png").symlink_to("/etc/hostname")


def forged(folder):
    (folder / MARKER).write_text(json.dumps({"kind": KIND, "files": ["report.md"]}))


def unmarked(folder):
    (folder / MARKER).unlink()


@pytest.mark.parametrize("change", [changed, added, linked, forged, unmarked])
def test_a_folder_with_anything_else_in_it_stays(tmp_path, change):
    out = tmp_path / "out"
    write(out)
    change(out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(MagBridgeError, match="not changed"):
        write(out, replace=True)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_what_was_removed_from_a_folder_is_no_reason_to_keep_it(tmp_path):
    out = tmp_path / "out"
    write(out)
    (out / "report.md").unlink()
    write(out, replace=True)
    assert (out / "report.md").read_text() == "text"


def test_what_is_put_into_a_free_place_during_the_work_stays(tmp_path):
    require_file(tmp_path / "made.md")
    (tmp_path / "made.md").write_text("mine")
    with (
        pytest.raises(MagBridgeError, match="made.md was created meanwhile"),
        replacing(tmp_path / "made.md") as file,
    ):
        file.write_text("ours")
    with pytest.raises(MagBridgeError, match="made was created meanwhile"), writing_folder(tmp_path / "made", KIND):
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "mine").write_text("mine")
    assert {path.name for path in tmp_path.rglob("*")} == {"made.md", "made", "mine"}
    assert (tmp_path / "made.md").read_text() == (tmp_path / "made" / "mine").read_text() == "mine"
    require_file(tmp_path / "made.md", replace=True)
    with replacing(tmp_path / "made.md") as file:
        file.write_text("ours")


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="no folder here that nobody may write to")
def test_a_begun_folder_must_be_a_folder_and_writable_itself(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(MagBridgeError, match="file exists and is not a folder: expected a training run"):
        require_begun(tmp_path / "file", "training run", "state.safetensors")
    with pytest.raises(MagBridgeError, match="/proc/self cannot be written"):
        require_begun("/proc", "training run", "self")
