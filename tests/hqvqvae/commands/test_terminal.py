"""What the commands print: JSON where a script reads it, notes on a terminal only."""

import json
import sys

import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.commands.terminal import answer, note, window_of


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


def test_a_reference_is_two_numbers():
    assert window_of(None) is None and window_of("1:5") == (1, 5)
    for wrong in ("5", "5:1", "0:3", "a:b", "1:2:3", ""):
        with pytest.raises(MagBridgeError, match="expected the first and last segment, such as 1:5"):
            window_of(wrong)
