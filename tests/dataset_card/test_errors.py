"""The one error: no password in it, and the innermost reason on one line."""

import pytest

from dataset_card.errors import MagBridgeError, causes, innermost, one_line, without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@host/x sent nothing", "https://host/x sent nothing"),
        ("https://token@host", "https://host"),
        ("https://host/a@b and me@host", "https://host/a@b and me@host"),
        ("http://a:b@c and ftp://d:e@f", "http://c and ftp://f"),
    ],
)
def test_a_password_is_not_repeated(text, shown):
    assert without_passwords(text) == str(MagBridgeError(text)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n  b\u2028c", "a b c"),
        ("id \x1b[2J\x08\u202eok", "id \\x1b[2J\\x08\\u202eok"),
        ("\ud800, 5 \u00b5V \u2013 \u96fb", "\\ud800, 5 \u00b5V \u2013 \u96fb"),
    ],
)
def test_a_message_cannot_rewrite_the_terminal(text, shown):
    assert str(MagBridgeError(text)) == one_line(text) == one_line(shown) == shown


def test_the_innermost_reason():
    try:
        try:
            raise OSError("the wire\nis cut")
        except OSError as error:
            raise RuntimeError("outer") from error
    except RuntimeError as error:
        assert innermost(error) == "the wire is cut"
        assert [type(e) for e in causes(error)] == [RuntimeError, OSError]
    assert innermost(ValueError()) == "ValueError"
