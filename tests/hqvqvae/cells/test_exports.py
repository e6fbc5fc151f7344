"""Exports in the field's own names give the segments of the same samples under ours; units are converted or named."""

import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.cells import cycling, exports
from hqvqvae.cells.cycling import Reading, read_cells
from hqvqvae.cells.features import feature_table
from tests.hqvqvae.small import cell_table, segments_of

HEADERS = """
BDF: Test Time / s, Voltage / V, Current / A, Cycle Count / 1, Surface Temperature / degC
BDF, for machines: test_time_second, voltage_volt, current_ampere, cycle_count, ambient_temperature_celsius
BDF, ms: test_time_millisecond, Voltage / V, Current / A, Cycle Count / 1, Surface Temperature / degC
PyProBE: Time [s], Voltage [V], Current [A], Cycle, Temperature [C]
cellpy: test_time, potential, current, cycle_num, temperature
Arbin: Test Time (s), Voltage (V), Current (A), Cycle Index, Aux_Temperature_1 (C)
milli: Total Time (min), Voltage (mV), Current (mA), Cycle, Temperature [K]
"""
NAMES = {
    program: dict(zip(("time_s", "voltage_V", "current_A", "cycle", "temperature_C"), names.split(", "), strict=True))
    for program, names in (line.split(": ") for line in HEADERS.strip().splitlines())
}
BDF = NAMES["BDF"]
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


@pytest.mark.parametrize("above", ['note,"two\nlines"\n', "of\u2028two\n", 'width: 5" cell\n', '"Test\nno",'])
def test_no_row_is_lost_below_names_or_a_preamble_of_several_lines(above, tmp_path):
    table = whole_test()
    table.insert(0, "n", 1) if above.endswith(",") else None
    text = table.to_csv(index=False).removeprefix("n," if above.endswith(",") else "")
    (tmp_path / "mine.csv").write_text(above + text)
    rows = exports.read_raw(tmp_path / "mine.csv").rows
    pd.testing.assert_series_equal(rows["time_s"].reset_index(drop=True), table["time_s"])
    assert rows.index[0] == (2 if above.endswith(",") else 3)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx"])
def test_a_row_of_units_under_the_names_tells_the_units(suffix, tmp_path):
    names = {
        "time_s": "Time",
        "voltage_V": "U",
        "current_A": "Current",
        "cycle": "Cycle",
        "temperature_C": "Temperature",
    }
    table = whole_test().rename(columns=names)
    table = table.assign(Time=table["Time"] / 60, U=table["U"] * 1e3, Current=table["Current"] * 1e3)
    units = {"Time": "min", "U": "[mV]", "Current": "mA", "Cycle": "-", "Temperature": "°C"}
    path = tmp_path / f"mine{suffix}"

    def write(units):
        whole = pd.concat([pd.DataFrame([units]), table])[list(table)]
        if suffix == ".xlsx":
            whole.to_excel(path, index=False)
        else:
            whole.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")

    write(units)
    (tmp_path / "columns.yaml").write_text("columns: {voltage_V: {column: U}}\n")
    assert "units in row 2" in " ".join(same(path, columns=tmp_path / "columns.yaml"))
    write(units | {"Current": "milliamps DC"})
    with pytest.raises(MagBridgeError, match="column 'Current' in 'milliamps DC'; expected current_A in A, mA"):
        read_cells(path, Reading(columns=tmp_path / "columns.yaml"))


def test_stamps_are_seconds_since_the_first_and_clocks_state_their_own_unit(tmp_path):
    table = whole_test().rename(columns=NAMES["PyProBE"])
    stamps = pd.Timestamp("2026-03-01 08:00:00") + pd.to_timedelta(table.pop("Time [s]"), unit="s")
    for words in (stamps.dt.strftime("%Y-%m-%d %H:%M:%S"), stamps.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")):
        table.assign(Time=words).to_csv(tmp_path / "mine.csv", index=False)
        same(tmp_path / "mine.csv")
    table.assign(Time=stamps).to_parquet(tmp_path / "mine.parquet")
    same(tmp_path / "mine.parquet")
    clock = [f"{s // 3600:.0f}:{s // 60 % 60:02.0f}:{s % 60:06.3f}" for s in (stamps - stamps[0]).dt.total_seconds()]
    for name in ("Time(h:min:s.ms)", "Total Time (h)", "Time [hh:mm:ss]"):
        table.assign(**{name: clock}).to_csv(tmp_path / "mine.csv", index=False)
        same(tmp_path / "mine.csv")
    table.assign(Time=stamps.dt.strftime("%d.%m.%Y %H:%M:%S")).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(
        MagBridgeError, match="'Time' contains '01.03.2026 08:00:00' in row 2; expected seconds, HH:MM:SS or"
    ):
        read_cells(tmp_path / "mine.csv")


def test_kaggles_names_of_the_nasa_cells(tmp_path):
    """One file per discharge, without a cycle, with the load's channels beside the cell's."""
    table = whole_test(1)
    discharge = table[table["current_A"] < 0]
    names = {"voltage_V": "Voltage_measured", "current_A": "Current_measured", "temperature_C": "Temperature_measured"}
    kaggle = discharge.rename(columns=names)[list(names.values())]
    kaggle = kaggle.assign(Current_load=2.0, Voltage_load=1.0, Time=discharge["time_s"] - discharge["time_s"].iloc[0])
    kaggle.to_csv(tmp_path / "07001.csv", index=False)
    cells = read_cells(tmp_path / "07001.csv")
    found = feature_table(cells.segments)
    assert found["cell_id"].tolist() == ["07001"] and found["valid"].all()
    loaded = EXPECTED["capacity"][0] - 40 / 3600  # without the ramp from rest: half an interval of 40 s at 2 A
    assert found["capacity"].tolist() == pytest.approx([loaded], rel=1e-9)
    assert "Ignored columns: 'Current_load', 'Voltage_load'." in cells.notes


def test_units_that_are_not_known_are_named(tmp_path):
    whole_test().rename(columns=BDF | {"voltage_V": "Voltage / kV"}).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(MagBridgeError, match=r"column 'Voltage / kV' in 'kV'; expected voltage_V in V, mV.*--columns"):
        read_cells(tmp_path / "mine.csv")
    (tmp_path / "mine.csv").write_text("Project: x\n\n" + (tmp_path / "mine.csv").read_text())
    with pytest.raises(MagBridgeError, match=r"row 3: column 'Voltage / kV'"):
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


def test_what_batterydf_makes_of_neware_is_put_right(tmp_path, monkeypatch):
    """Its time is each step's, its cycle 2 pi: time stamps and the vendor's own column say what they are."""
    bdf = pytest.importorskip("bdf")
    table = whole_test()
    kind = np.where(table["current_A"] > 0, "CC_Chg", np.where(table["current_A"] < 0, "CC_DChg", "Rest"))
    step = np.cumsum(np.r_[True, kind[1:] != kind[:-1]])
    first = table.groupby(step)["time_s"].transform("min")
    stamps = pd.Timestamp("2026-02-27 10:17:33Z") + pd.to_timedelta(table["time_s"], unit="s")
    stamps[7] -= pd.Timedelta(seconds=40.4)  # a clock that is set back
    vendor = pd.DataFrame(
        {"Index": np.arange(len(table)) + 1, "Cycle": table["cycle"], "Step": step, "Status": kind,
         "Time": table["time_s"] - first, "Voltage": table["voltage_V"], "Current(mA)": 1e3 * table["current_A"],
         "T1": table["temperature_C"], "Timestamp": stamps}
    )  # fmt: skip
    monkeypatch.setattr(bdf, "parse", lambda path, plugin: vendor)
    (tmp_path / "mine.nda").write_bytes(b"NEWARE")
    same(tmp_path / "mine.nda")


LETTERS = {-1: "D", 0: "R", 1: "C"}


def maccor(path, per_minute=1.0):
    """Maccor's text: magnitudes with letters of steps, days in the clock, columns of one name, a preamble, tabs."""
    table = whole_test()
    start = pd.Timestamp("2026-03-01 08:00:00")
    out = pd.DataFrame({"Rec#": np.arange(len(table)), "Cyc#": table["cycle"]})
    seconds = table["time_s"]
    out["TestTime"] = [
        f"  {s // 86400:.0f}d {s // 3600 % 24:02.0f}:{s // 60 % 60:02.0f}:{s % 60:05.2f}" for s in seconds
    ]
    if per_minute != 1:
        out["TestTime"] = seconds / per_minute
    out["Amps"], out["Volts"] = table["current_A"].abs(), table["voltage_V"]
    out["State"] = [LETTERS[int(np.sign(value))] for value in table["current_A"]]
    out["DPt Time"] = [(start + pd.Timedelta(seconds=s)).strftime("%m/%d/%Y %H:%M:%S") for s in seconds]
    out["Temp 1"], out["Units"], out["Units "] = table["temperature_C"], "C", "C"
    text = out.rename(columns={"Units ": "Units"}).to_csv(index=False, sep="\t")
    path.write_text("Today's Date\t1 March 2026\tDate of Test:\t1 March 2026\nProcedure:\tmine\n" + text)


def test_maccors_text_is_read(tmp_path):
    maccor(tmp_path / "mine.txt")
    assert "The sign of the current was taken from the step types" in " ".join(same(tmp_path / "mine.txt"))


@pytest.mark.parametrize("unit, per_minute", [("min", 60), ("h", 3600), ("ms", 1e-3)])
def test_time_stamps_tell_another_unit_of_time(tmp_path, unit, per_minute):
    maccor(tmp_path / "mine.txt", per_minute)
    with pytest.raises(
        MagBridgeError, match=rf"'TestTime' is in {unit} by the time stamps in 'DPt Time'; .*unit: {unit}"
    ):
        read_cells(tmp_path / "mine.txt")
    (tmp_path / "columns.yaml").write_text(f"columns: {{time_s: {{column: TestTime, unit: {unit}}}}}\n")
    same(tmp_path / "mine.txt", columns=tmp_path / "columns.yaml")


def test_names_that_are_units_and_names_without_a_space_are_known(tmp_path):
    table = whole_test().rename(columns=NAMES["PyProBE"])
    for names in (("Seconds", "Volts", "Amps"), ("TestTime/Sec", "Voltage/V", "Current/A")):
        new = dict(zip(("Time [s]", "Voltage [V]", "Current [A]"), names, strict=True))
        table.rename(columns=new).to_csv(tmp_path / "mine.csv", index=False)
        same(tmp_path / "mine.csv")
    clock = table.assign(**{"Cumulative Time": table["Time [s]"]}).drop(columns="Time [s]")
    clock["Time"] = clock.groupby("Cycle")["Cumulative Time"].transform(lambda t: (t - t.min()) % 400)  # of each step
    clock.to_csv(tmp_path / "mine.csv", index=False)
    same(tmp_path / "mine.csv")


def test_binary_files_that_nobody_reads_say_how_to_export_them(tmp_path):
    pytest.importorskip("bdf")
    (tmp_path / "mine.mpr").write_bytes(b"BIO-LOGIC MODULAR FILE" + bytes(100))
    with pytest.raises(MagBridgeError, match=r"'\.mpr'; .*: export it as text \(\.mpt\) in EC-Lab"):
        read_cells(tmp_path / "mine.mpr")


def test_short_discharges_in_a_unit_that_is_told_are_said_to_be_short(tmp_path):
    table = whole_test().rename(columns=NAMES["PyProBE"])
    table["Time [s]"] /= 20
    table.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(MagBridgeError, match=r"the longest discharge runs 118 s by 'Time \[s\]'; .*pulses are not"):
        read_cells(tmp_path / "mine.csv")


def test_layers_of_names_are_one_line(tmp_path):
    names = "Cycle Index,Chg. Cap.(Ah),DChg. Cap.(Ah)\n,Step Index,Step Type\n,,DataPoint,Time,Current(A),Voltage(V)\n"
    (tmp_path / "mine.csv").write_text(names + "1,2,3\n,,1,0,0.0,4.1\n")
    with pytest.raises(MagBridgeError, match="layers of column names.*export only the samples"):
        read_cells(tmp_path / "mine.csv")


REAL = {
    "batmo_bdf.csv": (0, 0.02), "pec.csv": (0, 0.02), "sintef-g20m7.bdf.csv": (0, 0.02),
    # The current has four decimals, of a cell of 0.2 mA: it is 14 % above what the cycler counted, and this is said.
    "landt-raw.csv": (0.02, 0.15), "sintef-r2032.bdf.csv": (0.02, 0.15),
    "legacy.bdf.parquet": None,  # no count of its own
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
def test_real_exports_are_read_and_agree_with_their_own_counter(name, monkeypatch):
    monkeypatch.setattr(cycling, "COUNTER_TOLERANCE", 0.0)  # so that the ratio is always said
    cells = read_cells(CYCLERS / name)
    features = feature_table(cells.segments)
    assert features["valid"].any()
    ratios = [re.search(r"integral of the current is (\S+) of the charge counted", note) for note in cells.notes]
    off = [abs(float(ratio[1]) - 1) for ratio in ratios if ratio]
    print(f"{name}: {len(features)} discharges, {features['valid'].sum()} valid, off its own count by {off}")
    if REAL[name] is None:
        assert off == []
    else:
        low, high = REAL[name]
        assert low <= off[0] < high


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


def test_rows_with_more_cells_than_names_are_refused_and_a_comma_at_their_end_is_not(tmp_path):
    head, path = "Test Time (s),Voltage (V),Current (A),Cycle Index", tmp_path / "mine.csv"
    path.write_text("\n".join([head, *(f"{t},4.{9 - t},-1,1,7" for t in range(3))]))
    with pytest.raises(
        MagBridgeError, match="more fields than the 4 columns named in row 1; expected a name for each: export"
    ):
        read_cells(path)
    path.write_text("\n".join([head, *(f"{t},4.{9 - t},-1,1," for t in range(3))]))
    assert len(read_cells(path).segments) == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "mine.csv: an empty file; expected column names and rows; export it again"),
        (
            "a" * 60_000 + "\n1\n",
            "mine.csv: a line of 60,000 characters; expected at most 50,000; export the table with",
        ),
    ],
)
def test_text_that_is_no_table_is_not_left_to_batterydf(tmp_path, monkeypatch, text, message):
    """It needs minutes for a line of 100,000 characters."""
    monkeypatch.setattr(exports, "_through_batterydf", lambda *_: pytest.fail("asked batterydf"))
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(MagBridgeError, match=f"^{re.escape(str(tmp_path))}/{message}"):
        read_cells(tmp_path / "mine.csv")


def test_a_fault_that_batterydf_cannot_help_names_the_file_once(tmp_path):
    (tmp_path / "mine.xlsx").write_text("no workbook")
    with pytest.raises(MagBridgeError, match="not a readable workbook.*batterydf does not recognise it") as error:
        read_cells(tmp_path / "mine.xlsx")
    assert str(error.value).count("mine.xlsx") == 1


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda t: t.rename(columns={"voltage_V": "voltage (%)"}), r"row 1: column 'voltage \(%\)' in '%'; expected "),
        (
            lambda t: t.assign(current_A="4,100"),
            "column 'current_A' contains '4,100' in row 2; expected numbers; export",
        ),
        (lambda t: t.assign(current_A=-t["current_A"]), "cell mine: .*--current-sign positive"),
        (lambda t: t.assign(cell_id=["a", *[None] * (len(t) - 1)]), "row 3 has no cell_id; "),
    ],
)
def test_faults_of_the_samples_name_the_file_once(change, words, tmp_path):
    change(whole_test()).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(MagBridgeError, match=rf"^{re.escape(str(tmp_path))}/mine\.csv: {words}") as error:
        read_cells(tmp_path / "mine.csv")
    assert str(error.value).count("mine.csv") == 1


def test_a_column_that_is_twice_in_a_workbook_is_refused_if_it_is_a_field(tmp_path):
    table = whole_test().rename(columns=NAMES["PyProBE"])
    other = pd.DataFrame({"Units": ["V"] * len(table)})
    pd.concat([table, other, other], axis=1).to_excel(tmp_path / "mine.xlsx", index=False)
    same(tmp_path / "mine.xlsx")
    pd.concat([table, table[["Voltage [V]"]]], axis=1).to_excel(tmp_path / "mine.xlsx", index=False)
    with pytest.raises(MagBridgeError, match=r"has the column 'Voltage \[V\]' twice; remove one"):
        read_cells(tmp_path / "mine.xlsx")


def test_of_one_sheet_per_cell_none_is_dropped_in_silence(tmp_path):
    with pd.ExcelWriter(tmp_path / "mine.xlsx") as book:
        for cell in ("A1", "B2"):
            whole_test().assign(cell_id=cell).to_excel(book, sheet_name=cell, index=False)
    with pytest.raises(MagBridgeError, match="several sheets: 'A1', 'B2'; expected one sheet with .* in a column map"):
        read_cells(tmp_path / "mine.xlsx")
    (tmp_path / "columns.yaml").write_text("sheet: B2\ncolumns: {}\n")
    assert {
        s.cell_id for s in read_cells(tmp_path / "mine.xlsx", Reading(columns=tmp_path / "columns.yaml")).segments
    } == {"B2"}


def test_a_suffix_in_capitals_is_the_same(tmp_path):
    whole_test().rename(columns=NAMES["PyProBE"]).to_parquet(tmp_path / "mine.PARQUET")
    same(tmp_path / "mine.PARQUET")


@pytest.mark.parametrize(
    "name, kind, message",
    [("cell_id", pa.string(), "read as .parquet: .*UTF-?8"), ("time_s", pa.binary(), "contains bytes")],
)
def test_bytes_in_parquet_are_one_line(tmp_path, name, kind, message):
    table = pa.Table.from_pandas(whole_test().assign(cell_id="one"), preserve_index=False)
    raw = pa.array([b"\xff"] * len(table)).view(kind)
    pq.write_table(table.set_column(table.column_names.index(name), name, raw), tmp_path / "mine.parquet")
    with pytest.raises(MagBridgeError, match=message):
        read_cells(tmp_path / "mine.parquet")


@pytest.mark.parametrize("name", ["time_s", "voltage_V", "current_A"])
def test_infinity_is_no_reading(tmp_path, name):
    table = whole_test()
    table[name] = table[name].astype(float)
    for value, path in ((np.inf, tmp_path / "infinite.parquet"), (np.nan, tmp_path / "missing.parquet")):
        table.loc[table.index[3:6], name] = value
        table.to_parquet(path)
    infinite, missing = (outcome(tmp_path / file) for file in ("infinite.parquet", "missing.parquet"))
    assert infinite.replace("infinite", "missing") == missing


def outcome(path):
    """What is read of a file, or why it is not; a warning of numpy's would be an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return str(read_cells(path))
        except MagBridgeError as error:
            return str(error)
