"""Exports in the field's own names give the segments of the same samples under ours; units are converted or named."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.cells.cycling import Reading, read_cells, segments_of
from hqvqvae.cells.features import feature_table
from tests.hqvqvae.small import cell_table

BDF = {
    "time_s": "Test Time / s", "voltage_V": "Voltage / V", "current_A": "Current / A",
    "cycle": "Cycle Count / 1", "temperature_C": "Surface Temperature / degC",
}  # fmt: skip
NAMES = {
    "BDF": BDF,
    "BDF, for machines": {
        "time_s": "test_time_second", "voltage_V": "voltage_volt", "current_A": "current_ampere",
        "cycle": "cycle_count", "temperature_C": "ambient_temperature_celsius",
    },
    "BDF, ms": BDF | {"time_s": "test_time_millisecond"},
    "PyProBE": {
        "time_s": "Time [s]", "voltage_V": "Voltage [V]", "current_A": "Current [A]", "cycle": "Cycle",
        "temperature_C": "Temperature [C]",
    },
    "cellpy": {
        "time_s": "test_time", "voltage_V": "potential", "current_A": "current", "cycle": "cycle_num",
        "temperature_C": "temperature",
    },
    "Arbin": {
        "time_s": "Test Time (s)", "voltage_V": "Voltage (V)", "current_A": "Current (A)", "cycle": "Cycle Index",
        "temperature_C": "Aux_Temperature_1 (C)",
    },
    "milli": {
        "time_s": "Total Time (min)", "voltage_V": "Voltage (mV)", "current_A": "Current (mA)", "cycle": "Cycle",
        "temperature_C": "Temperature [K]",
    },
}  # fmt: skip
PER_UNIT = {"millisecond": (1e3, 0), "(min)": (1 / 60, 0), "(mV)": (1e3, 0), "(mA)": (1e3, 0), "[K]": (1, 273.15)}
CYCLERS = Path(os.environ.get("MAGBRIDGE_UPSTREAM", "nowhere")) / "cyclers"


def whole_test(cycles=3):
    """The cell's discharges with a rest and a charge before each, time running on."""
    parts, start = [], 0.0
    for cycle, rows in cell_table(cycles).drop(columns="capacity_Ah").groupby("cycle"):
        charge = rows.iloc[1:21].assign(current_A=1.5, voltage_V=np.linspace(3.0, 4.2, 20))
        whole = pd.concat([rows.iloc[:1], charge, rows])
        parts.append(whole.assign(cycle=cycle, time_s=start + 40.0 * np.arange(len(whole))))
        start = parts[-1]["time_s"].iloc[-1] + 600
    return pd.concat(parts, ignore_index=True).drop(columns="cell_id")


EXPECTED = feature_table(segments_of(cell_table().drop(columns="capacity_Ah")))


def same(path, **reading):
    """The file gives the features of the discharges that it was made of."""
    cells = read_cells(path, Reading(**reading))
    pd.testing.assert_frame_equal(feature_table(cells.segments), EXPECTED, rtol=1e-9)
    return cells.notes


@pytest.mark.parametrize("names", NAMES)
def test_a_whole_test_in_the_fields_names_gives_the_same_segments(names, tmp_path):
    table = whole_test().rename(columns=NAMES[names])
    for name in table:
        factor, offset = next((f for unit, f in PER_UNIT.items() if unit in name), (1, 0))
        table[name] = table[name] * factor + offset
    table.to_csv(tmp_path / "mine.bdf.csv", index=False)
    same(tmp_path / "mine.bdf.csv")


@pytest.mark.parametrize(
    "separator, decimal, encoding, words",
    [
        (";", ",", "utf-8-sig", "semicolons between columns, decimal commas"),
        ("\t", ".", "utf-8", "tabs between columns"),
        (",", ".", "utf-16", "utf-16"),
        (",", ".", "cp1252", ""),
    ],
)
def test_text_as_programs_write_it(separator, decimal, encoding, words, tmp_path):
    table = whole_test().rename(columns=NAMES["PyProBE"] | {"temperature_C": "Temperature [°C]"})
    table.to_csv(tmp_path / "mine.csv", index=False, sep=separator, decimal=decimal, encoding=encoding)
    assert words in " ".join(same(tmp_path / "mine.csv"))


def test_a_workbook_and_a_clock_of_hours_and_a_preamble(tmp_path):
    table = whole_test().rename(columns=NAMES["PyProBE"])
    with pd.ExcelWriter(tmp_path / "mine.xlsx") as book:
        pd.DataFrame({"Project": ["x"]}).to_excel(book, sheet_name="Info", index=False)
        table.to_excel(book, sheet_name="Data", index=False, startrow=2)
    assert "sheet 'Data', column names in row 3" in " ".join(same(tmp_path / "mine.xlsx"))
    seconds = table["Time [s]"].astype(int)
    clock = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in seconds]
    table.assign(**{"Time [s]": clock}).to_csv(tmp_path / "mine.csv", index=False)
    same(tmp_path / "mine.csv")
    text = "cell model:,,,\ntest: 5,,,\n" + table.to_csv(index=False)
    (tmp_path / "mine.csv").write_text(text)
    assert "column names in row 3" in " ".join(same(tmp_path / "mine.csv"))


def test_units_that_are_not_known_are_named(tmp_path):
    whole_test().rename(columns=BDF | {"voltage_V": "Voltage / kV"}).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(MagBridgeError, match=r"column 'Voltage / kV' in 'kV'; expected voltage_V in V, mV.*--columns"):
        read_cells(tmp_path / "mine.csv")


def basytec(path):
    table = whole_test().rename(columns={"time_s": "Time[s]", "voltage_V": "U[V]", "temperature_C": "T1[°C]"})
    table["I[A]"] = table.pop("current_A")
    columns = ["Time[s]", "U[V]", "I[A]", "T1[°C]"]
    head = "~Resultfile from Basytec Battery Test System\n~Battery: mine\n~\n~" + "\t".join(columns) + "\n"
    path.write_text(head + table[columns].to_csv(index=False, header=False, sep="\t"), encoding="cp1252")


def test_what_only_batterydf_knows_is_parsed_by_it(tmp_path):
    pytest.importorskip("bdf")
    basytec(tmp_path / "mine.txt")
    assert "Parsed by batterydf as basytec-txt." in same(tmp_path / "mine.txt")


def test_without_batterydf_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bdf", None)
    basytec(tmp_path / "mine.txt")
    (tmp_path / "mine.nda").write_bytes(b"NEWARE")
    for name in ("mine.txt", "mine.nda"):
        with pytest.raises(MagBridgeError, match=r"pip install 'magbridge-battery\[cyclers\]'"):
            read_cells(tmp_path / name)
    whole_test().rename(columns=BDF).to_csv(tmp_path / "mine.csv", index=False)
    same(tmp_path / "mine.csv")


def test_layers_of_names_are_one_line(tmp_path):
    names = "Cycle Index,Chg. Cap.(Ah),DChg. Cap.(Ah)\n,Step Index,Step Type\n,,DataPoint,Time,Current(A),Voltage(V)\n"
    (tmp_path / "mine.csv").write_text(names + "1,2,3\n,,1,0,0.0,4.1\n")
    with pytest.raises(MagBridgeError, match="layers of column names.*export the samples alone"):
        read_cells(tmp_path / "mine.csv")


REAL = {
    "batmo_bdf.csv": 0.02, "pec.csv": 0.02,
    # The file's current has four decimals, of a cell of 0.2 mA; the other file's counter runs 3.6 % below I times t.
    "landt-raw.csv": 0.15, "sintef-r2032.bdf.csv": 0.15, "sintef-g20m7.bdf.csv": 0.04,
    "legacy.bdf.parquet": None,
}  # fmt: skip
ONE_LINE = {
    "arbin_pyprobe.csv": "no discharge in 13 rows",
    "basytec_pyprobe.txt": "no discharge in 74 rows",
    "sample.bdf.csv": "--current-sign positive",
    "neware_ife.csv": "layers of column names",
    "dlr-lnmo-pocv.bdf.csv": "'test_time_second' .time_s. runs 2.4.*looks like ms",
}


@pytest.mark.upstream
@pytest.mark.skipif(not CYCLERS.is_dir(), reason="needs the exports of cyclers under $MAGBRIDGE_UPSTREAM/cyclers")
@pytest.mark.parametrize("name", REAL)
def test_real_exports_are_read_and_agree_with_their_own_counter(name):
    cells = read_cells(CYCLERS / name)
    assert feature_table(cells.segments)["valid"].any()
    said = [note for note in cells.notes if "what the cycler counted" in note]
    if REAL[name] == 0.02 or REAL[name] is None:
        assert said == []
    else:
        ratio = float(said[0].split("current is ")[1].split()[0])
        assert 0.02 < abs(ratio - 1) < REAL[name]


@pytest.mark.upstream
@pytest.mark.skipif(not CYCLERS.is_dir(), reason="needs the exports of cyclers under $MAGBRIDGE_UPSTREAM/cyclers")
@pytest.mark.parametrize("name", ONE_LINE)
def test_every_other_real_export_is_one_line(name):
    with pytest.raises(MagBridgeError, match=ONE_LINE[name]) as error:
        read_cells(CYCLERS / name)
    assert "\n" not in str(error.value)


@pytest.mark.upstream
@pytest.mark.skipif(not CYCLERS.is_dir(), reason="needs the exports of cyclers under $MAGBRIDGE_UPSTREAM/cyclers")
def test_a_clock_of_another_unit_is_read_through_a_map(tmp_path):
    """Its seconds are milliseconds: at 0.33 mA they would make 18 Ah of a coin cell."""
    (tmp_path / "columns.yaml").write_text("columns: {time_s: {column: test_time_second, unit: ms}}\n")
    cells = read_cells(CYCLERS / "dlr-lnmo-pocv.bdf.csv", Reading(columns=tmp_path / "columns.yaml"))
    assert 0 < feature_table(cells.segments)["capacity"].max() < 0.05
