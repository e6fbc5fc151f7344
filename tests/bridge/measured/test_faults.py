"""Every mistake that a reader names has its texts, and no text is left over."""

import re
from pathlib import Path

import pytest

import bridge.measured
from bridge.measured import faults

SOURCE = "".join(path.read_text(encoding="utf-8") for path in Path(bridge.measured.__path__[0]).glob("*.py"))


def test_every_mistake_that_is_named_has_its_texts():
    named = set(re.findall(r'(?:said|\.fault)\(\s*"(\w+)"', SOURCE))
    assert len(named) > 60 and named <= set(faults._texts())


@pytest.mark.parametrize("mistake", faults._texts())
def test_no_text_is_left_over_and_each_says_what_was_found_expected_and_the_fix(mistake):
    assert f'"{mistake}"' in SOURCE
    assert len(faults._texts()[mistake]) == 3 and all(faults._texts()[mistake])


def test_gaps_are_filled():
    found, expected, fix = faults.said("table_suffix", suffix=".doc")
    assert found == "suffix '.doc'" and ".xlsx" in expected and fix
