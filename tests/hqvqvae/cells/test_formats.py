"""Exports in the field's own names give the segments of the same samples under ours; units are converted or named."""

import numpy as np
import pandas as pd
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.cells.cycling import read_table, segments_of
from hqvqvae.cells.features import feature_table
from tests.hqvqvae.small import cell_table

BDF = {
    "time_s": "Test Time / s", "voltage_V": "Voltage / V", "current_A": "Current / A",
    "cycle": "Cycle Count / 1", "temperature_C": "Surface Temperature / degC",
}  # fmt: skip
MACHINE = {
    "time_s": "test_time_second", "voltage_V": "voltage_volt", "current_A": "current_ampere", "cycle": "cycle_count",
    "temperature_C": "ambient_temperature_celsius",
}  # fmt: skip
PYPROBE = {
    "time_s": "Time [s]", "voltage_V": "Voltage [V]", "current_A": "Current [A]", "cycle": "Cycle",
    "temperature_C": "Temperature [C]",
}  # fmt: skip
CELLPY = {
    "time_s": "test_time", "voltage_V": "voltage", "current_A": "current", "cycle": "cycle_index",
    "temperature_C": "temperature",
}  # fmt: skip
CELLPY_2 = CELLPY | {"voltage_V": "potential", "cycle": "cycle_num"}


def whole_test(cycles=3):
    """The cell's discharges with a rest and a charge before each, time running on."""
    parts, start = [], 0.0
    for cycle, rows in cell_table(cycles).drop(columns="capacity_Ah").groupby("cycle"):
        charge = rows.iloc[1:21].assign(current_A=1.5, voltage_V=np.linspace(3.0, 4.2, 20))
        whole = pd.concat([rows.iloc[:1], charge, rows])
        parts.append(whole.assign(cycle=cycle, time_s=start + 40.0 * np.arange(len(whole))))
        start = parts[-1]["time_s"].iloc[-1] + 600
    return pd.concat(parts, ignore_index=True).drop(columns="cell_id")


@pytest.mark.parametrize("names", [BDF, MACHINE, PYPROBE, CELLPY, CELLPY_2])
def test_a_whole_test_in_the_fields_names_gives_the_same_segments(names, tmp_path):
    separator = ";" if "test_time" in names.values() else ","
    whole_test().rename(columns=names).to_csv(tmp_path / "mine.csv", index=False, sep=separator)
    found = feature_table(segments_of(read_table(tmp_path / "mine.csv")))
    expected = feature_table(segments_of(cell_table().drop(columns="capacity_Ah")))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


def test_without_cycles_a_charge_begins_the_next_one():
    table = whole_test().rename(columns=BDF).drop(columns="Cycle Count / 1").assign(cell_id="mine")
    assert [segment.cycle for segment in segments_of(table)] == [1, 2, 3]


def test_declared_units_are_converted_and_unknown_ones_named():
    table = whole_test().assign(cell_id="mine")
    other = table.rename(columns=BDF | {"time_s": "Test Time / ms", "voltage_V": "Voltage / mV"})
    other["Test Time / ms"] *= 1000
    other["Voltage / mV"] *= 1000
    own = segments_of(table.rename(columns=BDF))
    for one, converted in zip(own, segments_of(other), strict=True):
        np.testing.assert_allclose(converted.time_s, one.time_s, rtol=1e-12)
        np.testing.assert_allclose(converted.voltage_V, one.voltage_V, rtol=1e-12)
    with pytest.raises(MagBridgeError, match="column 'Voltage / kV' is in 'kv'; expected voltage_V in one of v, volt"):
        segments_of(table.rename(columns=BDF | {"voltage_V": "Voltage / kV"}))


def test_a_unit_that_the_values_contradict_is_named():
    minutes = whole_test().rename(columns=BDF).assign(cell_id="mine")
    minutes["Test Time / s"] /= 60
    with pytest.raises(MagBridgeError, match="cell mine: time_s runs 39.3333 in the longest .*looks like minutes"):
        segments_of(minutes)


def test_what_a_format_leaves_out_is_one_line():
    table = whole_test().rename(columns=BDF).drop(columns="Surface Temperature / degC").assign(cell_id="mine")
    with pytest.raises(MagBridgeError, match=r"the table lacks \['temperature_C'\]"):
        segments_of(table)
