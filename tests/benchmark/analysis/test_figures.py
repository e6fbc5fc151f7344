"""Figures of the analysis: what is drawn for each release."""

import numpy as np
import pytest

from benchmark.analysis.figures import FIGURES, few_shot_shown, short_name


@pytest.mark.parametrize(
    "name, short",
    [("magbridge-battery", "v1"), ("magbridge-battery-v2", "v2"), ("magbridge-battery-v2-simulated", "v2-simulated")],
)
def test_releases_have_short_names(made_up, name, short):
    assert short_name(made_up(name, "a")) == short


def test_severity_has_a_row_of_panels_a_release_and_counts_below_each_band(made_up):
    figure = FIGURES["severity"]([made_up("magbridge-battery", "a"), made_up("magbridge-battery-v2", "b")])
    assert len(figure.axes) == 4
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels[0] == "0.2–0.4\nn 10–10" and len(labels) == 4
    (legend,) = figure.legends
    assert len(legend.texts) == 5


def test_every_deal_is_a_mark(made_up):
    (axes,) = FIGURES["splits"]([made_up("magbridge-battery", "a")]).axes
    drawn = [np.atleast_1d(line.get_xdata()).tolist() for line in axes.lines]
    assert drawn == [[0.7, 0.8], [0.9], [0.8, 0.8], [0.8]]


def test_few_shots_show_the_reader_and_whoever_is_best(made_up):
    document = made_up("magbridge-battery", "a")
    document["few_shot"]["t1"] |= {f"m{i}": [[2, -9.0, 0], [5, 0.01 * i, 0]] for i in range(9)}
    document["few_shot"]["t1"]["constant"] = [[2, 0.0, 0], [5, 0.15, 0]]
    shown = few_shot_shown(document, "t1")
    assert shown[:2] == ["strong", "weak"] and len(shown) == 5 and shown[2] == "m8" and "constant" not in shown


def test_nothing_occluded_is_no_figure(made_up):
    assert FIGURES["occlusion"]([made_up("magbridge-battery", "a") | {"occlusion": []}]) is None
