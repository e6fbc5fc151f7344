"""Templates get numbers and ranges in words, and every name that they have."""

import pytest

from dataset_card.cards.rendering import render, source
from dataset_card.errors import MagBridgeError


def test_numbers_and_ranges_read_as_people_write_them():
    tables = {
        "LFP|35": {"cells": 3, "clean": 1200, "soh_range": [0.7, 0.9]},
        "NMC": {"cells": 1, "clean": 2, "soh_range": None},
    }
    text = render("cells.md", {"counts": {"tables": tables}, "head": ("table", "rows")})
    assert text.splitlines()[2:] == ["| LFP\\|35 | 3 | 1,200 | 0.700 to 0.900 |", "| NMC | 1 | 2 | none |"]


def test_a_name_that_is_not_given_is_an_error():
    with pytest.raises(MagBridgeError, match="fields.md cannot be filled in: 'fields' is undefined"):
        render("fields.md", {})


def test_a_template_can_be_had_as_it_stands():
    assert source("fields.md").startswith("| field | type | unit | meaning |\n")
