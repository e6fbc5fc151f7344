"""What the commands print: JSON where a script reads it, notes on a terminal only."""

import json
import sys

from hqvqvae.commands.terminal import answer, note


def test_an_answer_is_text_or_json(capsys):
    record = {"a": float("nan"), "b": "ä"}
    answer(record, False, "done")
    assert capsys.readouterr().out == "done\n"
    answer(record, True, "done")
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": None, "b": "ä"} and out.startswith('{\n  "a": null')


def test_notes_are_for_terminals(capsys, monkeypatch):
    note("training")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    note("training")
    assert capsys.readouterr() == ("", "training\n")
