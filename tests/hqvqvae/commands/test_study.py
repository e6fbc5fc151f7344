"""The study's command on the packaged records: nothing is left to fit, everything is written."""

import json
import sys

import pytest

from hqvqvae import __main__
from hqvqvae.hub.model_card import STUDY
from hqvqvae.modeling_hqvqvae import PACKAGED
from hqvqvae.training import study


def test_study_goes_on_from_its_records_and_writes_table_and_figure(monkeypatch, capsys, tmp_path):
    packaged = (PACKAGED / STUDY).parent
    (tmp_path / "records.jsonl").write_bytes((packaged / "records.jsonl").read_bytes())
    monkeypatch.setattr(study, "run_task", lambda task, **inputs: pytest.fail(f"{task} is made again"))
    monkeypatch.setattr(sys, "argv", ["hqvqvae", "study", "--out", str(tmp_path), "--jobs", "1"])
    try:
        __main__.main()
    except SystemExit as end:
        assert not end.code
    summary = json.loads((packaged / "summary.json").read_text(encoding="utf-8"))
    assert summary["verdict"] in capsys.readouterr().out
    for name in ("records.jsonl", "summary.json", "study.md"):
        assert (tmp_path / name).read_bytes() == (packaged / name).read_bytes(), name
    assert (tmp_path / "study.png").read_bytes().startswith(b"\x89PNG")
