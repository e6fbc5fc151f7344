"""Whole tests drawn from a truth: whatever the signs, resets, orders, units and gaps, capacities are the truth's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_card.errors import MagBridgeError
from hqvqvae.cells.cycling import Reading, read_cells, summary
from hqvqvae.cells.features import feature_table
from tests.hqvqvae.small import segments_of

STEP_S = 30.0


def cycle_of(number, capacity, ampere, pulses=False, drive=False, pause=20):
    """One cycle: charge, rest, pulses if asked for, discharge, rest; and the charge of its discharge in Ah."""
    n = max(int(round(capacity / ampere * 3600 / STEP_S)), 12)
    charge = np.full(n, ampere)
    discharge = np.full(n, -ampere)
    if drive:
        discharge[3::8] = 0.4 * ampere  # regeneration
        discharge[5::8] = -1.6 * ampere
    rest = np.zeros(pause)
    parts = [charge, rest]
    up, down = np.linspace(3.1, 4.1, n), np.linspace(4.0, 2.8, n)
    voltage = [up, np.full(pause, 4.05)]
    if pulses:
        few = n // 8
        parts += [np.full(few, -ampere), np.zeros(1), np.full(few + 12, ampere * few / (few + 12)), np.zeros(3)]
        voltage += [np.linspace(4.0, 3.8, few), [3.9], np.linspace(3.9, 4.1, few + 12), [4.05, 4.05, 4.05]]
    parts += [discharge, rest]
    voltage += [down + 0.05 * (discharge + ampere) / ampere, np.full(pause, 3.0)]
    table = pd.DataFrame(
        {"Cycle": number, "Current [A]": np.concatenate(parts), "Voltage [V]": np.concatenate(voltage)}
    )
    loaded = discharge[: np.flatnonzero(discharge < 0)[-1] + 1]
    truth = -np.trapezoid(np.r_[0.0, loaded], dx=STEP_S) / 3600
    return table, truth


def whole_test(capacities, first=1, start=0.0, **kind):
    tables, truths = zip(*(cycle_of(first + i, q, **kind) for i, q in enumerate(capacities)), strict=True)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "Time [s]", start + STEP_S * np.arange(len(table)))
    return table.assign(**{"Temperature [C]": 25.0}), np.array(truths)


def capacities_of(table, **reading):
    found = feature_table(segments_of(table.assign(cell_id="mine"), Reading(**reading)))
    assert found["valid"].all()
    return found


SCALES = st.sampled_from([2e-3, 0.05, 2.0, 60.0])
FADES = st.lists(st.floats(0.7, 1.0), min_size=2, max_size=5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(fades=FADES, scale=SCALES, rate=st.sampled_from([0.5, 1.0, 2.0]), drive=st.booleans(), pulses=st.booleans(),
       numbered=st.booleans(), first=st.integers(0, 7))  # fmt: skip
def test_of_any_cell_every_discharge_is_found_and_its_charge_is_right(
    fades, scale, rate, drive, pulses, numbered, first
):
    table, truth = whole_test(scale * np.array(fades), first, ampere=scale * rate, pulses=pulses, drive=drive)
    if numbered or not pulses:
        found = capacities_of(table if numbered else table.drop(columns="Cycle"))
        np.testing.assert_allclose(found["capacity"], truth, rtol=1e-6)
        assert found["cycle"].tolist() == list(range(first if numbered else 1, len(truth) + (first if numbered else 1)))
    else:  # without cycles, each pulse of an eighth of the charge is a discharge too: none of the full ones is lost
        found = feature_table(segments_of(table.drop(columns="Cycle").assign(cell_id="mine")))
        np.testing.assert_allclose(found["capacity"][found["capacity"] > scale / 2], truth, rtol=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(fades=FADES, again=FADES, time_goes_on=st.booleans(), numbered=st.booleans())
def test_resumed_tests_are_numbered_on(fades, again, time_goes_on, numbered):
    one, first = whole_test(2 * np.array(fades), ampere=2.0)
    start = one["Time [s]"].iloc[-1] + 500.0 if time_goes_on else 0.0
    two, second = whole_test(2 * np.array(again), start=start, ampere=2.0)
    table = pd.concat([one, two], ignore_index=True)
    found = capacities_of(table if numbered else table.drop(columns="Cycle"))
    np.testing.assert_allclose(found["capacity"], np.r_[first, second], rtol=1e-6)
    assert found["cycle"].tolist() == list(range(1, len(found) + 1))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(fades=FADES, scale=SCALES, drive=st.booleans(), noise=st.floats(0, 0.003), seed=st.integers(0, 9))
def test_the_sign_is_checked_and_may_be_told(fades, scale, drive, noise, seed):
    table, truth = whole_test(scale * np.array(fades), ampere=scale, drive=drive)
    table["Voltage [V]"] += noise * np.random.default_rng(seed).standard_normal(len(table))
    flipped = table.assign(**{"Current [A]": -table["Current [A]"]})
    with pytest.raises(MagBridgeError, match="the voltage .* if discharge is negative; .* --current-sign positive"):
        capacities_of(flipped)
    np.testing.assert_allclose(capacities_of(flipped, current_sign="positive")["capacity"], truth, rtol=1e-6)
    magnitude = table.assign(**{"Current [A]": table["Current [A]"].abs()})
    with pytest.raises(MagBridgeError, match="it is a magnitude, without the sign"):
        capacities_of(magnitude)


UNITS = {
    "Time": {"s": (1, 0), "min": (1 / 60, 0), "h": (1 / 3600, 0), "ms": (1e3, 0)},
    "Voltage": {"V": (1, 0), "mV": (1e3, 0)},
    "Current": {"A": (1, 0), "mA": (1e3, 0), "uA": (1e6, 0)},
    "Temperature": {"C": (1, 0), "K": (1, 273.15), "degC": (1, 0), "F": (1.8, 32)},
    "Discharge Capacity": {"Ah": (1, 0), "mAh": (1e3, 0)},
}


@settings(max_examples=8, deadline=None, derandomize=True)
@given(units=st.fixed_dictionaries({name: st.sampled_from(list(of)) for name, of in UNITS.items()}),
       form=st.sampled_from(["{} [{}]", "{} ({})", "{} / {}", "{}/{}"]), scale=SCALES,
       off=st.sampled_from([1.0, 1.1]), resets=st.booleans())  # fmt: skip
def test_units_that_columns_state_are_converted_and_the_cyclers_own_count_is_compared(
    tmp_path_factory, units, form, scale, off, resets
):
    table, truth = whole_test(scale * np.array([1.0, 0.9]), ampere=scale)
    current, time = table["Current [A]"].to_numpy(), table["Time [s]"].to_numpy()
    out = -np.minimum(current, 0)
    counted = off * np.r_[0, np.cumsum(np.diff(time) * (out[1:] + out[:-1]) / 2)] / 3600
    if resets:  # at each step, as Maccor and Neware do
        counted -= np.maximum.accumulate(np.where(np.r_[True, np.diff(np.sign(current)) != 0], counted, 0))
    table["Discharge Capacity [Ah]"] = counted
    for column in [name for name in table if name != "Cycle"]:
        name = column.split(" [")[0]
        factor, offset = UNITS[name][units[name]]
        table[form.format(name, units[name])] = table.pop(column) * factor + offset
    path = tmp_path_factory.mktemp("units") / "mine.csv"
    table.to_csv(path, index=False)
    cells = read_cells(path)
    found = feature_table(cells.segments)
    np.testing.assert_allclose(found["capacity"], truth, rtol=1e-6)
    np.testing.assert_allclose(found["temp_mean"], 25, rtol=1e-9)
    assert any("of the charge counted by the cycler" in note for note in cells.notes) == (off != 1)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(fades=FADES,
       words=st.sampled_from([("charge", "discharge"), ("CC Chg", "CC DChg"), ("CHARGE", "DISCHARGE"), ("C", "D")]),
       how=st.sampled_from(["flipped", "magnitude"]))  # fmt: skip
def test_types_of_steps_tell_the_sign(fades, words, how):
    table, truth = whole_test(np.array(fades), ampere=1.0)
    current = table["Current [A]"]
    table["Step Type"] = np.where(current > 0, words[0], np.where(current < 0, words[1], "Rest"))
    table["Current [A]"] = -current if how == "flipped" else current.abs()
    np.testing.assert_allclose(capacities_of(table)["capacity"], truth, rtol=1e-6)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(fades=st.lists(st.floats(0.7, 1.0), min_size=3, max_size=4), seed=st.integers(0, 99), numbered=st.booleans())
def test_rows_out_of_order_are_refused_or_their_cycles_invalid(fades, seed, numbered):
    table, truth = whole_test(np.array(fades), ampere=1.0)
    table = table if numbered else table.drop(columns="Cycle")
    mixed = table.sample(frac=1, random_state=seed).assign(cell_id="mine")
    with pytest.raises(MagBridgeError, match="sort the table|voltage .* if discharge is negative"):
        segments_of(mixed)
    parts = [rows for _, rows in table.groupby(np.arange(len(table)) // (len(table) // 4))]
    swapped = pd.concat([parts[1], parts[0], *parts[2:]]).assign(cell_id="mine")
    try:
        found = feature_table(segments_of(swapped))
    except MagBridgeError:
        return
    # What was read nevertheless is the truth, or is not valid.
    for capacity in found.loc[found["valid"], "capacity"]:
        assert np.abs(truth / capacity - 1).min() < 1e-6


@settings(max_examples=20, deadline=None, derandomize=True)
@given(fades=FADES, which=st.integers(0, 4), lost=st.integers(30, 100))
def test_a_gap_under_load_makes_its_cycle_invalid(fades, which, lost):
    table, truth = whole_test(2 * np.array(fades), ampere=2.0)
    which = which % len(truth)
    rows = np.flatnonzero((table["Cycle"] == which + 1) & (table["Current [A]"] < 0))
    later = table["Time [s]"].to_numpy(copy=True)
    later[rows[20] :] += lost * STEP_S * 5
    found = feature_table(segments_of(table.assign(cell_id="mine", **{"Time [s]": later})))
    assert found["valid"].tolist() == [i != which for i in range(len(truth))]
    assert "gap" in found["reason"][which]
    np.testing.assert_allclose(found["capacity"].dropna(), np.delete(truth, which), rtol=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(fades=FADES, column=st.sampled_from(["Time [s]", "Voltage [V]", "Current [A]", "Temperature [C]"]),
       which=st.integers(0, 4), where=st.sampled_from(["load", "rest after"]), offset=st.integers(1, 11),
       count=st.integers(1, 8))  # fmt: skip
def test_lost_samples_make_their_own_cycle_invalid_and_no_other(fades, column, which, where, offset, count):
    table, truth = whole_test(2 * np.array(fades), ampere=2.0)
    which = which % len(truth)
    loaded = np.flatnonzero((table["Cycle"] == which + 1) & (table["Current [A]"] < 0))
    start = loaded[offset] if where == "load" else loaded[-1] + offset
    table.loc[start : start + count - 1, column] = np.nan
    found = feature_table(segments_of(table.assign(cell_id="mine")))
    assert found["cycle"].tolist() == list(range(1, len(truth) + 1))
    expected = [where != "load" or i != which for i in range(len(truth))]
    assert found["valid"].tolist() == expected
    np.testing.assert_allclose(found["capacity"][expected], truth[expected], rtol=1e-6)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(layout=st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", ".")]),
       encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
       ending=st.sampled_from(["\n", "\r\n"]), preamble=st.integers(0, 3), units=st.booleans(),
       order=st.permutations(["Time [s]", "Cycle", "Current [A]", "Voltage [V]", "Temperature [°C]"]))  # fmt: skip
def test_however_the_text_is_laid_out_the_charges_are_the_truth(
    tmp_path_factory, layout, encoding, ending, preamble, units, order
):
    table, truth = whole_test([2.0, 1.8], ampere=2.0)
    table = table.rename(columns={"Temperature [C]": "Temperature [°C]"})[order]
    if units:
        row = [name.split(" ")[1] if " " in name else "" for name in table]
        table = pd.concat([pd.DataFrame([row], columns=table.columns), table.set_axis(table.columns, axis=1)])
        table.columns = [name.split(" ")[0] for name in table]
        numbers = table.iloc[1:].astype(float).to_csv(None, index=False, header=False, sep=layout[0], decimal=layout[1])
        text = table.iloc[:1].to_csv(None, index=False, sep=layout[0]) + numbers
    else:
        text = table.to_csv(None, index=False, sep=layout[0], decimal=layout[1])
    text = f"Operator{layout[0]}me\n" * preamble + text
    path = tmp_path_factory.mktemp("text") / "mine.csv"
    path.write_bytes(text.replace("\n", ending).encode(encoding))
    found = feature_table(read_cells(path).segments)
    assert found["valid"].all() and found["cycle"].tolist() == [1, 2]
    np.testing.assert_allclose(found["capacity"], truth, rtol=1e-9)
    np.testing.assert_allclose(found["temp_mean"], 25)


def test_a_long_rest_that_was_not_logged_is_no_load():
    table, truth = whole_test([2.0, 1.9], ampere=2.0)
    rest = (table["Current [A]"] == 0) & (table["Current [A]"].shift() == 0) & (table["Current [A]"].shift(-1) == 0)
    time = table["Time [s]"] + 20_000.0 * (table["Current [A]"] < 0).astype(int).diff().clip(lower=0).cumsum()
    found = capacities_of(table.assign(**{"Time [s]": time})[~rest])
    np.testing.assert_allclose(found["capacity"], truth - STEP_S / 3600, rtol=1e-6)  # half an interval at 2 A


def test_two_blocks_of_discharges_alone_are_numbered_on():
    """Discharges only, numbered anew in a second block: no gap between blocks is taken for load."""
    table, truth = whole_test(2 * np.linspace(1, 0.8, 6), ampere=2.0)
    alone = table[table["Current [A]"] < 0].rename(
        columns={"Time [s]": "time_s", "Cycle": "cycle", "Current [A]": "current_A", "Voltage [V]": "voltage_V",
                 "Temperature [C]": "temperature_C"}
    )  # fmt: skip
    second = alone.assign(time_s=alone["time_s"] + alone["time_s"].max() + 4000)
    found = feature_table(segments_of(pd.concat([alone, second], ignore_index=True).assign(cell_id="A")))
    assert found["cycle"].tolist() == list(range(1, 13)) and found["valid"].all()
    np.testing.assert_allclose(found["capacity"], np.tile(truth, 2), rtol=0.02)


def test_what_is_dropped_is_said(tmp_path):
    table, truth = whole_test([2.0, 1.9, 1.8], ampere=2.0, pulses=True)
    table.to_csv(tmp_path / "mine.csv", index=False)
    cells = read_cells(tmp_path / "mine.csv")
    np.testing.assert_allclose(feature_table(cells.segments)["capacity"], truth, rtol=1e-6)
    assert "mine: 3 smaller discharges left out of cycles with a full one, such as pulses." in cells.notes


def test_the_summary_counts_cells_and_kinds():
    table = pd.DataFrame(
        {
            "cell_id": ["a"] * 3 + ["b"] * 2,
            "valid": [True, False, False, True, False],
            "reason": ["", "0 loaded samples, fewer than 10", "20 s under load, less than 300 s", "",
                       "0 loaded samples, fewer than 10"],
        }
    )  # fmt: skip
    assert summary(table) == [
        "2 cells, 5 discharges, 2 valid; 3 dropped: 2 without current, 1 shorter than 300 s",
        "  a: 1 of 3 valid; 1 without current, 1 shorter than 300 s",
        "  b: 1 of 2 valid; 1 without current",
    ]
