"""Figures: the right marks for the right results, written as images."""

import pytest

from benchmark import evaluate_model, few_shot
from benchmark.analysis.plots import default_kind, few_shot_panel, plot
from benchmark.baselines import get_model
from benchmark.tasks import OPTIMISTIC_SPLIT, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import canvas, styles


@pytest.fixture(scope="module")
def ridge(release):
    return evaluate_model("t1", get_model("ridge"), release)


def test_parity_shows_each_test_row_and_cell(release, ridge):
    figure = plot([ridge], "parity", release=release)
    left, right = figure.axes
    assert len(left.collections[0].get_offsets()) == ridge.n_test
    assert len(right.get_xticks()) == len(ridge.battery_ids)
    assert f"{ridge.mean():.3f}" in left.get_title()


def test_confusion_shares_sum_to_one(release):
    result = evaluate_model("t3", get_model("linear-svc"), release)
    assert default_kind([result]) == "confusion"
    (axes,) = plot([result], "confusion").axes
    assert axes.images[0].get_array().sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_few_shot_curves_have_a_line_a_model(release):
    results = [
        few_shot("t4", get_model(name), release, shots=(2, 5), seeds=(0, 1)) for name in ("constant", "linear-svc")
    ]
    assert default_kind(results) == "few-shot"
    (axes,) = plot(results, "few-shot").axes
    handles, labels = axes.get_legend_handles_labels()
    drawn = {label: list(handle.lines[0].get_ydata()) for label, handle in zip(labels, handles) if label != "chance"}
    assert drawn["linear-svc"] == [results[1].mean(k=2), results[1].mean(k=5)] and len(drawn) == 2


def test_few_shot_scores_far_below_zero_are_in_sight():
    figure, axes = canvas()
    curves = {"bad": [(2, -40.0, 1), (20, 0.5, 0.1)], "good": [(2, 0.1, 0.1), (20, 0.97, 0)]}
    few_shot_panel(axes, get_task("t1"), curves, styles(curves))
    low, high = axes.get_ylim()
    assert low < -40 and 0.97 < high < 1
    assert {-30, -1, 0, 0.5, 0.9} <= set(axes.get_yticks())


def test_leakage_gap_is_annotated(release, ridge):
    leaking = evaluate_model("t1", get_model("ridge"), release, split=OPTIMISTIC_SPLIT)
    assert default_kind([ridge, leaking]) == "leakage"
    (axes,) = plot([ridge, leaking], "leakage").axes
    gap = leaking.mean() - ridge.mean()
    assert [text.get_text() for text in axes.texts] == [f"{gap:+.3f}"]
    assert axes.get_title() == f"The leaking split scores higher in {int(gap > 0)} of 1"


def test_results_that_do_not_suit_are_named(ridge):
    with pytest.raises(MagBridgeError, match="unknown figure 'pie'"):
        plot([ridge], "pie")
    with pytest.raises(MagBridgeError, match="2 results for a confusion figure"):
        plot([ridge, ridge], "confusion")
    with pytest.raises(MagBridgeError, match="has no confusion matrix"):
        plot([ridge], "confusion")
    with pytest.raises(MagBridgeError, match="pass --data RELEASE"):
        plot([ridge], "parity")
    with pytest.raises(MagBridgeError, match="no few-shot results"):
        plot([ridge], "few-shot")
    with pytest.raises(MagBridgeError, match="no model with results on both splits"):
        plot([ridge], "leakage")
