"""Names and units of columns: each spelling of a unit is worth what it should be, and no other column is a field's."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from dataset_card.contract.measured import INPUTS
from dataset_card.storage.columns import ColumnMap, find_columns, named, require_columns, unit_factor
from dataset_card.storage.faults import Fault, FaultyInput, grouped


@pytest.mark.parametrize(
    "unit, target, factor",
    [("T", "nT", 1e9), ("mT", "nT", 1e6), ("uT", "nT", 1e3), ("µT", "nT", 1e3), ("μT", "nT", 1e3), ("nT", "nT", 1),
     ("pT", "nT", 1e-3), ("fT", "nT", 1e-6), ("G", "nT", 1e5), ("mG", "nT", 1e2), ("mV", "V", 1e-3), ("MA", "A", 1e-3),
     ("%", "fraction", 0.01), ("1", "%", 100), ("h", "s", 3600), ("°C", "degC", 1)],
)  # fmt: skip
def test_units(unit, target, factor):
    assert unit_factor(unit, target) == (factor, 0.0)


def test_kelvin_is_shifted_and_other_units_are_none():
    assert unit_factor("K", "degC") == (1, -273.15)
    assert unit_factor("kg", "V") is None and unit_factor("V", "nowhere") is None


@pytest.mark.parametrize(
    "name, field, expected",
    [
        ("Voltage / mV", INPUTS["voltage"], (0, "mV")),
        ("voltage_mV", INPUTS["voltage"], (0, "mv")),
        ("OCV(V)", INPUTS["voltage"], (2, "V")),
        ("voltage range", INPUTS["voltage"], None),
        ("SOC", INPUTS["soc"], (0, "")),
        ("SOC %", INPUTS["soc"], (0, "%")),
        ("association", INPUTS["soc"], None),
        ("Capacity (mAh)", INPUTS["capacity_Ah"], (1, "mAh")),
        ("Capacity loss (mAh)", INPUTS["capacity_Ah"], None),
    ],
)
def test_names(name, field, expected):
    assert named(name, field) == expected


def test_the_better_name_is_taken_and_the_other_ignored():
    found = find_columns(["OCV", "voltage", "note"], [INPUTS["voltage"]], ColumnMap())
    assert found.columns["voltage"].column == "voltage" and found.ignored == ("OCV", "note")


@pytest.mark.parametrize(
    "names, words",
    [
        (["soc", "SOH"], None),
        (["soc", "capacity_Ah", "nominal_Ah"], None),
        (["soc", "capacity_Ah"], "row 3: no column for 'soh' among 'soc', 'capacity_Ah'; expected soh as a fraction"),
        (["soh", "sococ"], "row 3: no column for 'soc' among .*; expected soc in %; did you mean 'sococ'"),
        (["soc", "soh", "voltage", "x_mm", "y_mm", "z_mm"], None),
        (["soc", "soh", "x_mm"], "row 3: 1 of the columns 'x_mm' to 'z_mm', but no 'y_mm'; expected all 3 or none"),
    ],
)
def test_what_must_be_there_is_there_derived_or_named(names, words):
    fields = [INPUTS[name] for name in ("soc", "soh", "capacity_Ah", "nominal_Ah")]
    place = [replace(INPUTS[f"{axis}_mm"], required=False) for axis in "xyz"]
    found = find_columns(names, [*fields, *place], ColumnMap())
    with nullcontext() if words is None else pytest.raises(FaultyInput, match=words):
        require_columns(found, names, fields, [field.name for field in place], header=3)


def test_mistakes_of_one_kind_are_one_with_a_count():
    faults = [Fault("a.csv", f"row {i}, column 'soc'", f"{i}", "[0, 100] %", "correct it") for i in range(2, 92)]
    (one,) = grouped(faults)
    assert str(one) == (
        "a.csv, row 2, column 'soc': 2; expected [0, 100] %; correct it "
        "(and 89 more like it, the last in row 91, column 'soc')"
    )
    error = FaultyInput([*faults, Fault("a.csv", "row 3, column 'soh'", "9", "(0, 1.1]", "correct it")])
    assert len(error.faults) == 2 and str(error).endswith("(and 1 more kind of mistake)")
    assert FaultyInput(error.faults).faults == error.faults
