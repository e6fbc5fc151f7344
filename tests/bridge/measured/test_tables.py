"""Labels as laboratories have them: names, units, separators and sheets are understood and said, or refused by name."""

import re

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.measured.tables import read_records
from dataset_card.contract.measured import CELL_FIELDS, CHEMISTRY_NAMES
from dataset_card.storage.faults import FaultyInput

TRUTH = pandas.DataFrame(
    {
        "cell_id": [f"K{i}" for i in range(6)],
        "chemistry": "LFP",
        "soc": [12.5, 40.0, 77.5, 20.0, 60.0, 90.0],
        "soh": [0.97, 0.91, 0.885, 0.84, 0.79, 0.745],
        "voltage": [3.1875, 3.25, 3.28125, 3.203125, 3.265625, 3.3125],
    }
)


def same(records, notes=()):
    """The table says what the truth does, and the notes say how it was read."""
    for name in TRUTH:
        if TRUTH[name].dtype.kind == "f":
            np.testing.assert_allclose(records.rows[name], TRUTH[name], rtol=1e-12)
        else:
            assert records.rows[name].tolist() == TRUTH[name].tolist()
    for word in notes:
        assert word in " ".join(records.notes), records.notes


NAMES = {
    "cell_id": ["cell_id", "Cell ID", "CELL_ID", "cell", "Cell name"],
    "chemistry": ["chemistry", "Chemistry", "CHEMISTRY"],
    "soc": ["soc", "SOC (%)", "SOC [%]", "State of Charge / %", "soc_percent", "State Of Charge / 1", "SOC (fraction)"],
    "soh": ["soh", "SOH", "SOH (%)", "State of health / 1", "soh_pct"],
    "voltage": ["voltage", "OCV (V)", "Voltage / mV", "voltage_mV", "Voltage [V]", "Open-circuit voltage (mV)"],
}
PER_UNIT = {"/ 1": 0.01, "fraction": 0.01, "mV": 1000.0, "SOH (%)": 100.0, "soh_pct": 100.0}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    names=st.fixed_dictionaries({name: st.sampled_from(names) for name, names in NAMES.items()}),
    separator=st.sampled_from([",", ";", "\t"]),
    comma=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    order=st.permutations(list(TRUTH)),
    extra=st.booleans(),
    preamble=st.integers(0, 3),
)
def test_however_it_is_written_the_numbers_are_the_truth(
    tmp_path_factory, names, separator, comma, encoding, order, extra, preamble
):
    frame = TRUTH[order].rename(columns=names)
    for name in frame:
        factor = next(
            (f for unit, f in PER_UNIT.items() if unit in name and not (unit == "/ 1" and "health" in name)), 1
        )
        if factor != 1:
            frame[name] = (frame[name] * factor).round(9)
    if extra:
        frame.insert(0, "", range(len(frame)))
        frame["operator"] = "me"
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    decimal = "," if comma and separator != "," else "."
    text = "# a line of words\n" * preamble + frame.to_csv(index=False, sep=separator, decimal=decimal)
    path.write_bytes(text.encode(encoding))
    same(read_records(path, CELL_FIELDS), ["Ignored columns: '', 'operator'"] if extra else ())


SPELLINGS = [(name, spelling) for name, others in CHEMISTRY_NAMES.items() for spelling in (name, *others)]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(drawn=st.lists(st.sampled_from(SPELLINGS), min_size=6, max_size=6), upper=st.integers(0, 2**30))
def test_every_spelling_of_a_chemistry_is_its_name(tmp_path_factory, drawn, upper):
    texts = ["".join(c.upper() if upper >> i % 30 & 1 else c.lower() for i, c in enumerate(s)) for _, s in drawn]
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    TRUTH.assign(chemistry=texts).to_csv(path, index=False)
    assert read_records(path, CELL_FIELDS).rows["chemistry"].tolist() == [name for name, _ in drawn]


def test_a_row_of_units_under_the_names(tmp_path):
    units = {"cell_id": "", "chemistry": "", "soc": "%", "soh": "%", "voltage": "mV"}
    table = TRUTH.assign(soh=100 * TRUTH["soh"], voltage=1000 * TRUTH["voltage"])
    whole = pandas.concat([pandas.DataFrame([units]), table])
    whole.to_csv(tmp_path / "labels.csv", index=False)
    same(read_records(tmp_path / "labels.csv", CELL_FIELDS), ["units in row 2"])
    whole.to_excel(tmp_path / "labels.xlsx", index=False)
    same(read_records(tmp_path / "labels.xlsx", CELL_FIELDS), ["units in row 2"])
    whole.replace({"mV": "kV"}).to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(FaultyInput, match="column 'voltage' in 'kV'; expected voltage in V, mV"):
        read_records(tmp_path / "labels.csv", CELL_FIELDS)


def test_a_sheet_and_a_header_row_are_found(tmp_path):
    with pandas.ExcelWriter(tmp_path / "book.xlsx") as book:
        pandas.DataFrame({"Project": ["x"], "Operator": ["me"]}).to_excel(book, sheet_name="Info", index=False)
        TRUTH.to_excel(book, sheet_name="Cells", index=False, startrow=3)
    same(read_records(tmp_path / "book.xlsx", CELL_FIELDS), ["sheet 'Cells', column names in row 4"])


def test_of_two_sheets_the_map_says_which(tmp_path):
    with pandas.ExcelWriter(tmp_path / "book.xlsx") as book:
        TRUTH.assign(soc=50.0).to_excel(book, sheet_name="old", index=False)
        TRUTH.to_excel(book, sheet_name="new", index=False)
    with pytest.raises(FaultyInput, match="columns of that kind in several sheets: 'old', 'new'.*sheet: "):
        read_records(tmp_path / "book.xlsx", CELL_FIELDS)
    (tmp_path / "columns.yaml").write_text("sheet: new\n")
    same(read_records(tmp_path / "book.xlsx", CELL_FIELDS, tmp_path / "columns.yaml"))


@pytest.mark.parametrize(
    "names, words",
    [
        ({"soc": "SOC (%)"}, r"column 'SOC \(%\)': 0\.9 %, the largest .*; expected \(0, 100\] %; "),
        ({"soh": "SOH (%)"}, r"column 'SOH \(%\)': 0\.0097, the largest .*; expected \(0, 1\.05\]; "),
    ],
)
def test_fractions_below_a_percent_sign_are_not_taken_for_percent(tmp_path, names, words):
    TRUTH.assign(soc=TRUTH["soc"] / (100 if "soc" in names else 1)).rename(columns=names).to_excel(
        tmp_path / "labels.xlsx", index=False
    )
    with pytest.raises(FaultyInput, match=f"{words}it looks like another unit than '%': correct the unit"):
        read_records(tmp_path / "labels.xlsx", CELL_FIELDS)


@pytest.mark.parametrize("text", ["#N/A", "#REF!", "#DIV/0!", "#NAME?", "nan", "None", "N/A"])
def test_an_error_of_a_spreadsheet_is_not_the_name_of_a_cell(tmp_path, text):
    TRUTH.assign(cell_id=[text, text, *TRUTH["cell_id"][2:]]).to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(FaultyInput, match=rf"row 2, column 'cell_id': empty \({re.escape(text)}\); expected a name; "):
        read_records(tmp_path / "labels.csv", CELL_FIELDS)


@pytest.mark.parametrize("value", ["1_5", np.array([15.0])])
def test_what_python_alone_takes_for_a_number_is_none(tmp_path, value):
    TRUTH.assign(soc=[value] * len(TRUTH)).to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(FaultyInput, match=r"row 1, column 'soc': .*1_?5.*; expected a number in %; correct it"):
        read_records(tmp_path / "labels.parquet", CELL_FIELDS)


def test_empty_names_are_one_kind_of_mistake(tmp_path):
    TRUTH.assign(cell_id=[None, None, *TRUTH["cell_id"][2:]]).to_excel(tmp_path / "labels.xlsx", index=False)
    with pytest.raises(FaultyInput, match=r"row 2, column 'cell_id': empty; .* the last in row 3, column 'cell_id'\)$"):
        read_records(tmp_path / "labels.xlsx", CELL_FIELDS)


def test_parquet_with_an_index_or_with_bytes_is_the_same_table(tmp_path):
    path = tmp_path / "labels.parquet"
    TRUTH.set_index("cell_id").to_parquet(path)
    same(read_records(path, CELL_FIELDS))
    TRUTH.assign(cell_id=TRUTH["cell_id"].str.encode("utf-8")).to_parquet(path)
    records = read_records(path, CELL_FIELDS)
    same(records)
    assert records.rows["where"].tolist()[0] == "row 1" and records.notes == ()
    TRUTH.assign(chemistry=b"\xff", image=b"\xff").to_parquet(path)
    with pytest.raises(FaultyInput, match=r"labels\.parquet, row 1, column 'chemistry': '.*xff'; expected"):
        read_records(path, CELL_FIELDS)


@pytest.mark.parametrize("column, words", [("cell_id", "at most 64 letters"), ("soc", "a number in %")])
@pytest.mark.parametrize("cells", [[], [1.0, 2.0]])
def test_lists_in_cells_are_named(tmp_path, column, words, cells):
    TRUTH.assign(**{column: [cells] * len(TRUTH)}).to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(FaultyInput, match=rf"row 1, column '{column}': '\[.*\]'; expected {words}"):
        read_records(tmp_path / "labels.parquet", CELL_FIELDS)


PULSEBAT = {"cell_id": "No.", "chemistry": "Mat", "soc": "SOC", "soh": "SOH"}


@pytest.mark.parametrize(
    "names, rows_above, notes",
    [
        ({}, 0, []),
        ({"cell_id": "No."}, 0, ["Columns: cell_id from 'No.'."]),
        (PULSEBAT, 0, ["Columns: cell_id from 'No.'; chemistry from 'Mat'."]),
        (PULSEBAT, 2, ["column names in row 3"]),
    ],
)
def test_a_sheet_with_the_name_of_pulsebats_needs_none_of_its_columns(tmp_path, names, rows_above, notes):
    TRUTH.rename(columns=names).to_excel(tmp_path / "own.xlsx", sheet_name="SOC ALL", index=False, startrow=rows_above)
    records = read_records(tmp_path / "own.xlsx", CELL_FIELDS)
    same(records, notes)
    assert bool(records.notes) == bool(notes)


def test_an_empty_sheet_with_that_name_does_not_hide_another(tmp_path):
    with pandas.ExcelWriter(tmp_path / "own.xlsx") as book:
        pandas.DataFrame().to_excel(book, sheet_name="SOC ALL", index=False)
        TRUTH.to_excel(book, sheet_name="Cells", index=False)
    same(read_records(tmp_path / "own.xlsx", CELL_FIELDS), ["Read with sheet 'Cells'."])


def test_a_column_missing_in_such_a_sheet_is_one_of_the_table(tmp_path):
    frame = TRUTH.rename(columns=PULSEBAT)
    frame.drop(columns="Mat").to_excel(tmp_path / "own.xlsx", sheet_name="SOC ALL", index=False)
    with pytest.raises(FaultyInput, match=r"own\.xlsx, row 1: no column for 'chemistry' among 'No\.', 'SOC'"):
        read_records(tmp_path / "own.xlsx", CELL_FIELDS)
    frame.assign(cell_id="A").to_excel(tmp_path / "own.xlsx", sheet_name="SOC ALL", index=False)
    with pytest.raises(FaultyInput, match=r"own\.xlsx, row 1: columns 'cell_id' and 'No\.', both cell_id"):
        read_records(tmp_path / "own.xlsx", CELL_FIELDS)


def test_a_map_says_what_names_do_not(tmp_path):
    frame = TRUTH.assign(U0=-1000 * TRUTH["voltage"]).drop(columns="voltage").rename(columns={"soh": "Gesundheit"})
    frame.to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(FaultyInput, match="no column for 'soh' among 'cell_id', .*'Gesundheit', 'U0'; .*--columns"):
        read_records(tmp_path / "labels.csv", CELL_FIELDS)
    (tmp_path / "columns.yaml").write_text(
        "columns:\n  soh: {column: Gesundheit, unit: '1'}\n  voltage: {column: U0, unit: mV, sign: -1}\n"
    )
    same(read_records(tmp_path / "labels.csv", CELL_FIELDS, tmp_path / "columns.yaml"), ["in mV, sign turned"])


@pytest.mark.parametrize(
    "entry, words",
    [
        ("soh: {column: SoH2}", "columns.soh: no column 'SoH2'; expected cell_id, .*did you mean 'soh'"),
        ("sohh: {column: soh}", "field 'sohh'; expected cell_id, .*did you mean 'soh'"),
        ("voltage: {column: voltage, unit: kg}", "column 'voltage' in 'kg'; expected voltage in V, mV"),
        ("voltage: {column: soc}\n  soc: {column: soc}", "column 'soc' of two fields"),
        ("voltage: [soc]", "is not of type 'object'"),
    ],
)
def test_a_wrong_map_is_one_line(tmp_path, entry, words):
    TRUTH.to_csv(tmp_path / "labels.csv", index=False)
    (tmp_path / "columns.yaml").write_text(f"columns:\n  {entry}\n")
    with pytest.raises(FaultyInput, match=words):
        read_records(tmp_path / "labels.csv", CELL_FIELDS, tmp_path / "columns.yaml")


def test_soh_is_derived_and_said_and_mah_is_converted_where_it_says_so(tmp_path):
    frame = TRUTH.drop(columns="soh").assign(capacity_mAh=3000 * TRUTH["soh"], nominal_mAh=3000)
    frame.to_csv(tmp_path / "labels.csv", index=False)
    records = read_records(tmp_path / "labels.csv", CELL_FIELDS)
    same(records, ["SOH was derived as capacity over nominal capacity", "capacity_Ah from 'capacity_mAh' in mAh"])
    np.testing.assert_allclose(records.rows["capacity_Ah"], 3 * TRUTH["soh"], rtol=1e-12)
    frame.rename(columns={"capacity_mAh": "capacity_Ah", "nominal_mAh": "nominal_Ah"}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    with pytest.raises(FaultyInput, match="row 2, column 'capacity_Ah': 2910 Ah.*looks like mAh.*and 5 more like it"):
        read_records(tmp_path / "labels.csv", CELL_FIELDS)


def test_percent_that_only_looks_so_is_refused(tmp_path):
    TRUTH.assign(soh=100 * TRUTH["soh"]).to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(FaultyInput, match=r"column 'soh': 97; .*percent: divide by 100 \(and 5 more like it"):
        read_records(tmp_path / "labels.csv", CELL_FIELDS)


def test_two_columns_of_one_field_are_refused(tmp_path):
    TRUTH.assign(SOH=0.9).to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(FaultyInput, match="columns 'soh' and 'SOH', both soh; .*column map"):
        read_records(tmp_path / "labels.csv", CELL_FIELDS)


def test_names_of_cells_lose_what_no_file_name_should_have(tmp_path):
    TRUTH.assign(cell_id=[f"Cell {i} (A)" for i in range(6)]).to_csv(tmp_path / "labels.csv", index=False)
    records = read_records(tmp_path / "labels.csv", CELL_FIELDS)
    assert records.rows["cell_id"].tolist() == [f"Cell_{i}_A" for i in range(6)]
    assert records.notes == ("Cells renamed: 'Cell 0 (A)' to 'Cell_0_A', 6 in total.",)
