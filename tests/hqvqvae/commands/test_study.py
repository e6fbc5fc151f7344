"""Study, power and reproduce as commands: what is packaged is what they write."""

import json
import sys

import pytest

from hqvqvae import __main__
from hqvqvae.hub.model_card import STUDY
from hqvqvae.modeling_hqvqvae import PACKAGED
from hqvqvae.training import study
from tests.hqvqvae.discovery.lives.conftest import in_little


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["hqvqvae", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
        raise SystemExit(0)
    return ended.value.code or 0


def test_study_goes_on_from_its_records_and_writes_table_and_figure(monkeypatch, capsys, tmp_path):
    packaged = (PACKAGED / STUDY).parent
    (tmp_path / "records.jsonl").write_bytes((packaged / "records.jsonl").read_bytes())
    monkeypatch.setattr(study, "run_task", lambda task, **inputs: pytest.fail(f"{task} is made again"))
    summary = json.loads((packaged / "summary.json").read_text(encoding="utf-8"))
    assert run(monkeypatch, "study", "--out", tmp_path, "--seeds", len(summary["seeds"]), "--jobs", 1) == 0
    assert summary["verdict"] in capsys.readouterr().out
    for name in ("records.jsonl", "summary.json", "study.md"):
        assert (tmp_path / name).read_bytes() == (packaged / name).read_bytes(), name
    assert (tmp_path / "study.png").read_bytes().startswith(b"\x89PNG")


def test_power_plants_in_the_nasa_cells_and_writes_record_and_figure(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "power", "--out", tmp_path, "--trials", 1, "--jobs", 1) == 0
    assert "20 cells" in capsys.readouterr().out
    record, packaged = (json.loads((folder / "power.json").read_text()) for folder in (tmp_path, PACKAGED / "power"))
    for same in ("plan", "cells", "effects", "codes", "data_sha256", "power"):
        assert record[same] == packaged[same], same
    assert {curve["trials"] for curve in record["curves"].values()} == {1} and record["curves"].keys() == packaged[
        "curves"
    ].keys()
    assert (tmp_path / "power.png").read_bytes().startswith(b"\x89PNG")


def test_precursors_searches_prints_its_tables_and_adds_to_what_is_there(monkeypatch, capsys, tmp_path):
    in_little(monkeypatch)
    arguments = ("precursors", "--out", tmp_path, "--method", "kmeans", "--part", "search", "--jobs", 1)
    assert run(monkeypatch, *arguments, "--seeds", 1) == 0
    printed = capsys.readouterr().out
    assert "| k-means | 1 |" in printed and f"report: {tmp_path / 'report.md'}" in printed
    assert run(monkeypatch, *arguments, "--seeds", 2, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert [row["seed"] for row in record["rows"] if row["method"] == "kmeans"] == [0, 1]
    assert run(monkeypatch, "warn", tmp_path, tmp_path / "none.csv") == 1  # a run is a place to warn from


def test_reproduce_leaves_a_folder_in_use_as_it_is(monkeypatch, capsys, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    assert run(monkeypatch, "reproduce", "--short", "--out", tmp_path) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} contains something other than a reproduction")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
