"""Life windows and degradation proxies, by hand."""

import numpy as np
import pandas as pd
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.cells.proxies import (
    cell_table,
    degradation_onset,
    index_cells,
    initial_capacity,
    valid_segments,
    window_length,
)


def cell(capacity, resistance=None, cell_id="a", cohort="A"):
    n = len(capacity)
    resistance = np.full(n, 0.1) if resistance is None else resistance
    return pd.DataFrame(
        {
            "cell_id": cell_id,
            "cohort": cohort,
            "cycle": np.arange(n),
            "capacity": np.asarray(capacity, dtype=float),
            "resistance_ohm": resistance,
        }
    )


def one_cell(segments, proxy):
    return cell_table(valid_segments(segments), proxy, min_segments=10, early_fraction=0.3).iloc[0]


@pytest.mark.parametrize(("n", "length"), [(10, 3), (11, 4), (20, 6), (28, 9), (168, 51)])
def test_early_window_is_rounded_up_and_exact_where_the_share_is_whole(n, length):
    assert window_length(n, 0.3) == length


def test_fade_is_one_less_mean_of_last_third_over_median_of_first_five():
    capacity = [2.0, 2.0, 1.0, 2.0, 2.0, 2.0, 1.9, 1.8, 1.6, 1.5, 1.0, 1.4]  # last third: 1.6, 1.5, 1.0, 1.4
    assert one_cell(cell(capacity), "fade").proxy == pytest.approx(1 - 1.375 / 2.0, abs=1e-12)


def test_resistance_proxies_take_medians_and_skip_what_was_not_measured():
    resistance = np.array([0.1, 0.1, np.nan, 0.2, 0.3, 0.3, 0.3, 0.3, 0.15, 0.2, np.nan, 0.16])
    segments = cell(np.full(12, 2.0), resistance)
    assert one_cell(segments, "r_late").proxy == pytest.approx(0.16, abs=1e-12)
    assert one_cell(segments, "r_growth").proxy == pytest.approx(0.16 / 0.1 - 1, abs=1e-12)


def test_onset_is_the_first_position_from_the_fifth_whose_trailing_median_is_low():
    capacity = np.full(20, 2.0)
    capacity[1] = 0.5  # one low value early on
    capacity[9] = 0.5  # one low value alone moves no median of three
    capacity[12:] = 1.7
    assert degradation_onset(capacity) == 13  # at 13 two of the last three are low
    assert degradation_onset(np.full(20, 2.0)) is None
    # Low from the third segment: Q0 is still 2, and the earliest position that counts is the fifth.
    assert degradation_onset(np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0])) == 4


def test_onset_threshold_is_inclusive():
    assert degradation_onset(np.array([1.0] * 5 + [0.9] * 5)) == 6


def test_initial_capacity_is_nan_where_there_is_none():
    assert np.isnan(initial_capacity(np.array([np.nan] * 5 + [1.0])))
    assert np.isnan(initial_capacity(np.zeros(5)))


def test_index_counts_positions_and_thirds_per_cell():
    segments = valid_segments(pd.concat([cell(np.ones(7), cell_id="b"), cell(np.ones(10), cell_id="a")]))
    index = index_cells(segments)
    assert index.cell_ids.tolist() == ["a", "b"]
    assert index.n_segments.tolist() == [10, 7]
    assert index.position.tolist() == [*range(10), *range(7)]
    assert index.early(0.3).sum() == 3 + 3
    assert np.bincount(index.third()[:10]).tolist() == [4, 3, 3]


def test_invalid_segments_do_not_count():
    segments = cell(np.ones(12)).assign(valid=[False] * 2 + [True] * 10)
    assert len(valid_segments(segments)) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="capacity"), "lacks capacity"),
        (lambda t: pd.concat([t, t.head(1)]), "cycle 0 twice"),
        (lambda t: t.assign(cohort=["A"] * 11 + ["B"]), "exactly one cohort"),
        (lambda t: t.assign(valid=False), "none of the 12 segments is valid"),
    ],
)
def test_malformed_tables_are_named(change, message):
    with pytest.raises(MagBridgeError, match=message):
        valid_segments(change(cell(np.ones(12))))


def test_cells_left_out_say_why():
    segments = valid_segments(
        pd.concat(
            [
                cell(np.ones(12), cell_id="whole"),
                cell(np.ones(9), cell_id="short"),
                cell(np.full(12, np.nan), cell_id="unknown"),
            ]
        )
    )
    table = cell_table(segments, "fade", min_segments=10, early_fraction=0.3).set_index("cell_id")
    assert table.loc["whole", "left_out"] == ""
    assert table.loc["short", "left_out"] == "9 valid segments, fewer than 10"
    assert "cannot be computed" in table.loc["unknown", "left_out"]


@pytest.mark.parametrize(
    ("proxy", "change", "message"),
    [
        ("temperature", lambda t: t, "proxy 'temperature' is unknown"),
        ("r_late", lambda t: t.drop(columns="resistance_ohm"), "the table lacks resistance_ohm"),
        ("r_late", lambda t: t.assign(resistance_ohm=np.nan), "no cell can take part"),
        ("fade", lambda t: t.head(9), "no cell can take part"),
    ],
)
def test_a_proxy_that_cannot_be_computed_is_an_error_in_words(proxy, change, message):
    with pytest.raises(MagBridgeError, match=message):
        cell_table(valid_segments(change(cell(np.ones(12)))), proxy, min_segments=10, early_fraction=0.3)
