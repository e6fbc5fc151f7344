"""Every command that writes, on places where something of a user's lies: refused in one line, and nothing lost."""

import hashlib
from pathlib import Path

import pytest
import typer

from benchmark.__main__ import app as benchmark
from bridge.__main__ import app as bridge
from dataset_card.errors import MagBridgeError
from hqvqvae.__main__ import app as hqvqvae

APPS = {"bridge": bridge, "benchmark": benchmark, "hqvqvae": hqvqvae}
SMALL = "--upstream simulated --variants 1 --anomalies 8 --regime-b 8"

FOLDERS = (
    f"bridge build {SMALL} --out OUT",
    "bridge import BUNDLE --out OUT",
    "bridge adopt none.parquet --labels none.csv --licence x --citation x --out OUT",
    "bridge residuals none --against none --out OUT",
    f"bridge corpus plan OUT --rows 100 {SMALL}",
    f"bridge corpus build OUT --rows 100 --jobs 1 {SMALL}",
    "bridge corpus finish OUT --jobs 1",
    "bridge corpus verify OUT --jobs 1",
    "bridge round open --out OUT --secret-file SECRET --upstream simulated",
    "bridge round reveal OUT --secret-file SECRET",
    "hqvqvae train --epochs 1 --out OUT",
    "hqvqvae train --epochs 1 --out FREE --export OUT",
    "hqvqvae discover --out OUT",
    "hqvqvae study --short --jobs 1 --out OUT",
    "hqvqvae reproduce --short --jobs 1 --out OUT",
    "hqvqvae precursors --part warning --method kmeans --seeds 1 --jobs 1 --out OUT",
)
"""Commands whose whole folder is OUT."""

INTO = (
    "benchmark analyse --out OUT",
    "benchmark magnetics --out OUT",
    "hqvqvae plot RUN --out OUT",
    "hqvqvae interpret RUN --dry-run --out OUT",
    "hqvqvae power --out OUT",
)
"""Commands that put files of fixed names into the folder OUT."""

FILES = (
    "bridge bundle none --out OUT",
    "bridge plot none --out OUT",
    "bridge upstream --compare --out OUT",
    "bridge ablate --upstream simulated --out OUT",
    "bridge field none --out OUT",
    "bridge detect none --out OUT",
    "benchmark plot --task t2 --out OUT",
    "benchmark transfer --v1 none --v2 none --simulated none --out OUT",
    "benchmark leaderboard --task t1 --out OUT",
    "benchmark export --model ridge --dataset-id user/name --out OUT",
    "hqvqvae features --out OUT",
    "hqvqvae features --out FREE --curves OUT",
    "hqvqvae evaluate --out OUT",
    "hqvqvae score none --out OUT",
    "hqvqvae export --onnx OUT",
)
"""Commands that write the file OUT."""

OTHERS = {
    "benchmark run": "out: adds lines to files of results, below",
    "benchmark submit": "folder: files scores beside predictions that it has checked",
    "hqvqvae features": "fetch: downloads under the file's own name",
    "bridge round verify": "reads",
}

WRITING = {"out", "export", "curves", "onnx"}
"""Options that name what is written."""

FOREIGN = {
    "manifest.json": '{"name": "web app", "version": "1.0.0"}', "thesis.tex": "precious", "README.md": "mine",
    "checksums.sha256": "mine", "report.json": "{}", "residuals.json": "{}", "config.json": "{}", "prompts.json": "{}",
    "study.md": "mine", "metrics.json": "{}", "power.json": "{}", "timeline.png": "mine", "severity.png": "mine",
    "round.json": "{}", "docs/a.md": "mine", "defects.png": "mine",
}  # fmt: skip


def state(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder, a folder full of a user's files beside it, and a run with its figures' data."""
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def furnish(tmp_path: Path) -> None:
    """Makes the folders of `place`."""
    for name in ("work", "mine/docs", "run/figures"):
        (tmp_path / name).mkdir(parents=True)
    for name, text in FOREIGN.items():
        (tmp_path / "mine" / name).write_text(text)
    (tmp_path / "file").write_text("precious")
    (tmp_path / "run" / "segments.csv").write_text("cell_id,cycle,code\n")
    for name in ("timeline", "flow"):
        (tmp_path / "run" / "figures" / f"{name}.csv").write_text("cell_id\n")


def refused(words: str, out: Path | str, place: Path, replace: bool) -> None:
    """Runs a command on an output that it must refuse in one line, and compares everything around it."""
    package, *arguments = words.split()
    names = {"OUT": str(out), "FREE": str(place / "free"), "RUN": str(place / "run"), "SECRET": str(place / "secret")}
    names["BUNDLE"] = str(place / "mine")
    arguments = [names.get(word, word) for word in arguments]
    takes = any(word in words for word in ("round", "corpus", "train --epochs 1 --out OUT", "study"))
    before = state(place)
    with pytest.raises((MagBridgeError, OSError)) as caught:
        APPS[package]([*arguments, *(["--replace"] if replace and not takes else [])], standalone_mode=False)
    assert "\n" not in str(caught.value)
    assert state(place) == before, str(caught.value)


@pytest.mark.parametrize("replace", [False, True], ids=["", "replace"])
@pytest.mark.parametrize("words", FOLDERS)
def test_a_folder_of_the_users_is_never_replaced(words, replace, place):
    refused(words, place / "mine", place, replace)
    refused(words, place / "file", place, replace)


@pytest.mark.parametrize("words", INTO)
def test_files_of_the_users_in_a_folder_are_never_replaced(words, place):
    refused(words, place / "mine", place, False)


@pytest.mark.parametrize("words", FILES)
def test_a_file_of_the_users_is_never_replaced_untold(words, place):
    refused(words, place / "file", place, False)
    refused(words, place / "mine", place, True)


@pytest.mark.parametrize("out", [".", "..", "/"])
def test_root_working_folder_and_above_are_refused_by_all(out, place):
    for words in (*FOLDERS, *INTO, *FILES, "benchmark run --task t1 --model constant --out OUT"):
        refused(words, out, place, False)


def test_results_are_added_to_a_folder_of_the_users(tiny_release, place):
    before = state(place)
    APPS["benchmark"](
        f"run --task t1 --model constant --data {tiny_release} --out {place / 'mine'}".split(), standalone_mode=False
    )
    added = state(place).keys() - before.keys()
    assert {Path(name).suffix for name in added} == {".jsonl", ".parquet"}
    assert {name: digest for name, digest in state(place).items() if name not in added} == before


def test_no_command_that_writes_is_forgotten():
    tried = {" ".join(word for word in words.split()[:3] if word.isalpha()) for words in (*FOLDERS, *INTO, *FILES)}
    found = set()
    for package, app in APPS.items():
        walk = [(package, typer.main.get_command(app))]
        while walk:
            name, command = walk.pop()
            inner = getattr(command, "commands", {})
            walk += [(f"{name} {key}", value) for key, value in inner.items()]
            if not inner and WRITING & {parameter.name for parameter in command.params}:
                found.add(name)
    assert found and not {
        name for name in found if name not in OTHERS and not any(words.startswith(name) for words in tried)
    }
