"""Features of a discharge against values worked out by hand; what a segment is refused for; the three protocols."""

import doctest

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_card.errors import MagBridgeError
from hqvqvae.cells import features as module
from hqvqvae.cells.features import (
    CHARGE_FEATURES,
    FEATURES,
    Segment,
    add_charge_features,
    apply_protocol,
    charge_features,
    exclusion_reason,
    feature_table,
    load_window,
    resampled_voltage,
    start_resistance,
)
from hqvqvae.cells.features import less_the_beginning as of_table
from hqvqvae.modeling_hqvqvae import less_the_beginning
from tests.hqvqvae.small import NAMES, cells_of


def discharge(cell="A", cycle=0, n_load=40, step=10.0, current=-2.0, capacity=float("nan"), temperature=25.0):
    """Two samples at rest at 4.2 V, `n_load` loaded from 4.0 down to 3.0 V, three of recovery at 3.5 V."""
    voltage = np.concatenate([[4.2, 4.2], np.linspace(4.0, 3.0, n_load), [3.5, 3.5, 3.5]])
    load = np.concatenate([[0.0, 0.0], np.full(n_load, current), [0.0, 0.0, 0.0]])
    time = step * np.arange(len(voltage))
    return Segment(cell, cycle, time, voltage, load, np.full(len(voltage), temperature), capacity)


def test_features_of_a_straight_line_discharge():
    row = feature_table([discharge(capacity=0.5)]).iloc[0]
    slope = (3.0 - 4.0) / 39 / 10
    assert row["valid"] and row["reason"] == ""
    assert row["t_total"] == pytest.approx(400.0)
    assert (row["v_min"], row["v_max"]) == (3.0, 4.2)
    assert row["v_mean"] == pytest.approx((4.2 + 40 * 3.5) / 41)
    assert row["i_mean"] == pytest.approx(-2.0 * 40 / 41)
    assert row["temp_mean"] == 25.0
    assert row["dv_dt_min"] == pytest.approx((4.0 - 4.2) / 10)
    assert row["dv_dt_mean"] == pytest.approx((39 * slope - 0.02) / 40)
    assert row["ah_throughput"] == pytest.approx((2.0 * 390 + 1.0 * 10) / 3600)
    assert row["capacity"] == 0.5
    assert row["resistance_ohm"] == pytest.approx((4.2 - (4.0 - 1 / 39)) / 2.0)
    assert row["t_total_raw"] == pytest.approx(440.0) and row["v_mean_raw"] == pytest.approx((8.4 + 140 + 10.5) / 45)


def test_unmeasured_capacity_is_the_charge_in_c_and_zero_in_p():
    for reported in (float("nan"), 0.0, 0.05):
        row = feature_table([discharge(capacity=reported)]).iloc[0]
        assert row["capacity"] == pytest.approx((2.0 * 390 + 10) / 3600)
        assert row["capacity_raw"] == np.nan_to_num(reported)


def test_throughput_accumulates_over_each_cell_even_where_a_segment_is_dropped():
    short = discharge(cycle=1, n_load=5)
    table = feature_table([discharge(cycle=2), short, discharge(cycle=0), discharge("B", 7)])
    full, brief = (2.0 * 390 + 10) / 3600, (2.0 * 40 + 10) / 3600
    assert list(table["cell_id"]) == ["A", "A", "A", "B"] and list(table["cycle"]) == [0, 1, 2, 7]
    np.testing.assert_allclose(table["ah_throughput"], [full, np.nan, 2 * full + brief, full])


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (discharge(n_load=9), "9 loaded samples, fewer than 10"),
        (discharge(n_load=20), "200 s under load, less than 300 s"),
        (discharge(n_load=30), ""),
    ],
)
def test_what_makes_a_segment_valid(segment, reason):
    assert exclusion_reason(segment) == reason


def test_load_window_keeps_one_rest_sample_and_cuts_the_tail():
    assert load_window(discharge()) == slice(1, 42)
    no_rest = Segment("A", 0, *(channel[2:] for channel in _channels(discharge())))
    assert load_window(no_rest).start == 0


def _channels(segment):
    return segment.time_s, segment.voltage_V, segment.current_A, segment.temperature_C


def test_a_segment_without_load_is_named():
    idle = discharge("B0052", 4, current=-0.01)
    with pytest.raises(MagBridgeError, match=r"cell B0052 cycle 4: no load .* -0.01"):
        load_window(idle)
    assert not feature_table([idle])["valid"].any()


@pytest.mark.parametrize("channel", ["time_s", "voltage_V", "current_A", "temperature_C"])
def test_nan_is_named_with_cell_cycle_channel_and_sample(channel):
    segment = discharge("B0005", 3)
    getattr(segment, channel)[7] = np.nan
    with pytest.raises(MagBridgeError, match=rf"cell B0005 cycle 3: {channel} is nan at sample 7"):
        feature_table([segment])


def test_time_that_stands_still_is_refused():
    segment = discharge()
    segment.time_s[5] = segment.time_s[4]
    with pytest.raises(MagBridgeError, match="time_s does not increase at sample 5"):
        feature_table([segment])


def test_unequal_channels_and_repeated_cycles_are_refused():
    with pytest.raises(MagBridgeError, match="one common length"):
        Segment("A", 0, np.arange(3.0), np.ones(3), np.ones(2), np.ones(3)).check()
    with pytest.raises(MagBridgeError, match="cycle 0 appears twice"):
        feature_table([discharge(), discharge()])


def test_protocol_d_is_c_less_the_start_of_the_cell():
    table = feature_table([discharge(cell, cycle, n_load=40 + cycle) for cell in "AB" for cycle in range(8)])
    c, d = apply_protocol(table, "C"), apply_protocol(table, "D")
    for cell in "AB":
        start = c[c["cell_id"] == cell].iloc[:5][list(FEATURES)].median()
        expected = c[c["cell_id"] == cell][list(FEATURES)] - start
        pd.testing.assert_frame_equal(d[d["cell_id"] == cell][list(FEATURES)], expected)


def test_protocol_p_keeps_every_segment_raw():
    table = feature_table([discharge(cycle=0), discharge(cycle=1, n_load=3)])
    p = apply_protocol(table, "P")
    assert len(p) == 2 and len(apply_protocol(table, "C")) == 1
    assert p.loc[1, "t_total"] == 70.0 and "t_total_raw" not in p
    with pytest.raises(MagBridgeError, match="'Q' is unknown"):
        apply_protocol(table, "Q")


@given(
    scale=st.floats(0.5, 4.0),
    shift=st.floats(-0.3, 0.3),
    n_load=st.integers(31, 90),
)
def test_features_follow_the_units(scale, shift, n_load):
    """Twice the current is twice the charge; a shift of the voltage moves its statistics and no slope."""
    base = discharge(n_load=n_load)
    other = Segment("A", 0, base.time_s, base.voltage_V + shift, base.current_A * scale, base.temperature_C)
    a, b = feature_table([base]).iloc[0], feature_table([other]).iloc[0]
    for name in ("i_mean", "ah_throughput", "capacity"):
        assert b[name] == pytest.approx(scale * a[name], rel=1e-9)
    for name in ("v_min", "v_max", "v_mean"):
        assert b[name] == pytest.approx(a[name] + shift, abs=1e-9)
    for name in ("dv_dt_mean", "dv_dt_min", "t_total"):
        assert b[name] == pytest.approx(a[name], abs=1e-12)
    assert start_resistance(other) == pytest.approx(start_resistance(base) / scale)


def test_resampled_voltage_runs_from_rest_to_the_last_loaded_sample():
    curve = resampled_voltage(discharge())
    assert curve.dtype == np.float32 and curve.shape == (64,)
    assert curve[0] == np.float32(4.2) and curve[-1] == np.float32(3.0)


@given(st.floats(0.5, 5), st.integers(50, 300))
def test_samples_and_curve_of_one_discharge_agree_whatever_the_current(current, n):
    voltage = np.linspace(3.6, 2.0, n) - 0.1 * np.sin(np.linspace(0, 3, n))
    time = np.linspace(0, 3600 / current, n)  # 1 Ah
    rest = lambda values, value: np.r_[value, values]  # noqa: E731
    segment = Segment(
        "c", 3, rest(time + 1, 0.0), rest(voltage, 3.7), rest(np.full(n, -current), 0.0), np.full(n + 1, 25.0)
    )
    table = add_charge_features(feature_table([segment]), [segment])
    expected = charge_features(np.linspace(0, 1, n), voltage)
    for name in CHARGE_FEATURES[1:]:
        assert table[name].iloc[0] == pytest.approx(expected[name], abs=0.01), name
    assert table["capacity"].iloc[0] == pytest.approx(1, abs=0.01)


def test_rows_that_are_not_valid_have_none():
    idle = Segment("c", 1, np.arange(20.0), np.full(20, 3.3), np.zeros(20), np.full(20, 25.0))
    table = add_charge_features(feature_table([idle]), [idle])
    assert table[list(CHARGE_FEATURES)].isna().all(axis=None)


def test_the_documented_example_runs():
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.tuples(st.integers(1, 4), st.integers(0, 3)))
@settings(max_examples=30, deadline=None)
def test_table_and_model_agree_whatever_the_order_of_cells(sizes, lengths):
    window = (lengths[0], lengths[0] + lengths[1])
    table = cells_of(sizes)
    mixed = table.sample(frac=1, random_state=1).sort_values("cycle", kind="stable")
    relative = less_the_beginning(
        torch.tensor(mixed[NAMES].to_numpy()), torch.tensor(mixed["cell_id"].to_numpy()), window
    )
    known = torch.isfinite(relative[:, 0]).numpy()
    assert known.sum() == sum(max(size - window[1], 0) for size in sizes)
    if not known.any():
        with pytest.raises(MagBridgeError, match="no cell has a segment after"):
            of_table(table, NAMES, window)
        return
    order = mixed[known].assign(row=np.arange(known.sum())).sort_values(["cell_id", "cycle"])["row"].to_numpy()
    np.testing.assert_allclose(of_table(mixed, NAMES, window)[NAMES], relative[known][order.copy()], atol=1e-12)
