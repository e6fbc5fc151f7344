"""Every text that is named is there, and none is left over."""

import re
from pathlib import Path

import pytest

import bridge
from bridge import errors

SOURCE = "".join(path.read_text(encoding="utf-8") for path in Path(bridge.__path__[0]).rglob("*.py"))
FAULTS = errors.texts("measured/faults.yaml")


def test_every_refusal_has_its_text_and_no_text_is_left_over():
    named = set(re.findall(r'refusal\(\s*"(\w+)"', SOURCE))
    assert len(named) > 20 and named == set(errors.texts("errors.yaml"))


def test_every_mistake_that_is_named_has_its_texts():
    named = set(re.findall(r'(?:said|faulty|\.fault)\(\s*"(\w+)"', SOURCE))
    added = set(re.findall(r'(?:faults\.add\([^\n]*?|_add\(row, [^,]+), "([a-z]\w+)"[,)]', SOURCE))
    assert len(named) > 45 and len(added) > 20 and named | added <= set(FAULTS)


@pytest.mark.parametrize("mistake", FAULTS)
def test_each_mistake_is_named_and_says_what_was_found_expected_and_the_fix(mistake):
    assert f'"{mistake}"' in SOURCE
    assert len(FAULTS[mistake]) == 3 and all(FAULTS[mistake])


def test_gaps_are_filled():
    error = errors.refusal("fitted_range", voltage=9, low=2.5, high=3.3)
    assert str(error) == "voltage 9 V: expected 2.5 to 3.3 V, the range of the fitted anchors"
    found, expected, fix = errors.said("name_taken", text="regimeB1")
    assert found == "'regimeB1'" and expected and "regimeB" in fix
