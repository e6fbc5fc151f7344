"""Every refusal that is named has its text, and no text is left over."""

import re
from pathlib import Path

import bridge
from bridge import errors

SOURCE = "".join(path.read_text(encoding="utf-8") for path in Path(bridge.__path__[0]).rglob("*.py"))


def test_every_refusal_has_its_text_and_no_text_is_left_over():
    named = set(re.findall(r'refusal\(\s*"(\w+)"', SOURCE))
    assert len(named) > 20 and named == set(errors._texts())


def test_gaps_are_filled():
    error = errors.refusal("fitted_range", voltage=9, low=2.5, high=3.3)
    assert str(error) == "voltage 9 V: expected 2.5 to 3.3 V, the range of the fitted anchors"
