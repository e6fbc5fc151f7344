"""The project's one logger: a line on stderr for each note, and quiet when asked."""

import logging

from dataset_card.running.log import LOG


def test_a_note_is_a_line_on_stderr(capsys):
    LOG.info("half-way: 50 %")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "half-way: 50 %\n")


def test_notes_are_silenced_as_any_logger_is(capsys, caplog):
    with caplog.at_level(logging.ERROR, "magbridge"):
        LOG.info("unheard")
    assert capsys.readouterr().err == ""
