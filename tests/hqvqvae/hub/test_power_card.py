"""The sentence on power follows its record, and so does the outcome that goes before it."""

import pytest

from hqvqvae.hub.power_card import power_sentences


def record(smallest, effects=(0.0, 0.5, 1.0)):
    curves = {
        cells: {
            "found": [0.02, 0.5, 1.0],
            "spearman": [0.0, 0.4, 0.8],
            "smallest_effect": effect,
            "trials": 50 if int(cells) < 60 else 17,
        }  # fmt: skip
        for cells, effect in smallest.items()
    }
    return {
        "plan": {"min_cells_present": 6},
        "cells": 20,
        "power": 0.8,
        "effects": list(effects),
        "curves": curves,
    }


def test_the_smallest_effect_of_the_study_s_own_cells_comes_first():
    text = power_sentences(record({"10": None, "20": 0.75, "40": 0.4}), {"precursor_found": False})
    assert text.startswith(
        "No precursor was found on these cells. The smallest effect that 20 cells could have shown with 80% is a "
        "correlation of 0.75 between a code's early rate and the late proxy among cells of a cohort (Spearman 0.60 over"
    )
    assert "; 10 cells would show none of them with 80%; 40 cells would show 0.40." in text
    assert "at most 2.0% are taken for precursors" in text and "planted for each effect: 50, in codes" in text
    assert text.endswith("a codebook none of whose codes is held by 6 cells shows none at any effect.")


def test_fewer_trials_among_many_cells_are_said():
    text = power_sentences(record({"20": 0.75, "40": 0.4, "124": 0.3}))
    assert "planted for each effect: 50 among 20, 40 cells; 17 among 124 cells, in codes" in text


@pytest.mark.parametrize(
    ("found", "words"), [(None, "20 cells would show none"), ({"precursor_found": True}, "A precursor was found on")]
)
def test_other_outcomes(found, words):
    text = power_sentences(record({"20": None}, effects=(0.1, 0.5, 1.0)), found)
    assert text.startswith(words) and "without any effect" not in text
