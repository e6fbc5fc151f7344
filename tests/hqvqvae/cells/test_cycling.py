"""A user's own table: columns and units are checked, and what is wrong is named."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.cells.cycling import Reading, read_cells, read_table, summary
from hqvqvae.cells.features import apply_protocol, feature_table
from tests.hqvqvae.small import cell_table, segments_of


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_reads_csv_and_parquet_alike(tmp_path, suffix):
    path, table = tmp_path / f"cell7{suffix}", cell_table().drop(columns=["cell_id", "capacity_Ah"])
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    segments = segments_of(read_table(path))
    assert [(segment.cell_id, segment.cycle) for segment in segments] == [("cell7", 1), ("cell7", 2), ("cell7", 3)]
    features = feature_table(segments)
    assert features["valid"].all()
    assert features["capacity"].iloc[0] == pytest.approx((2.0 * 40 * 58 + 40) / 3600)


@pytest.mark.parametrize(
    ("column", "factor", "message"),
    [
        ("voltage_V", 1000, "voltage_V reaches 4200; .*looks like mV.*'voltage .mV.'"),
        ("voltage_V", 0.001, "voltage_V stays below 0.0042; .*looks like kV"),
        ("current_A", 1000, "current_A reaches 2000; .*looks like mA"),
        ("voltage_V", 1e6, "voltage_V reaches 4.2e[+]06; .*looks like uV"),
        ("current_A", 1e6, "current_A reaches 2e[+]06; .*looks like uA"),
        ("current_A", -1, "the voltage falls under charge .*--current-sign positive"),
        ("time_s", 1000, "time_s runs 2.36e[+]06 in one discharge; .*looks like ms"),
        ("time_s", 0.001, "time_s runs 2.36 in the longest discharge"),
        ("time_s", 1 / 60, "time_s runs 39.3333 in the longest discharge; .*looks like minutes.*'time .minutes.'"),
        ("time_s", 1 / 3600, "time_s runs 0.655556 in the longest discharge; .*looks like hours"),
        ("temperature_C", 1000, "temperature_C is 29000 in most samples; .*m°C"),
        ("capacity_Ah", 1000, "capacity_Ah of cycle 1 is 1300, the integral of the current 1.3 Ah"),
    ],
)
def test_a_channel_in_another_unit_is_named(column, factor, message):
    table = cell_table()
    table[column] *= factor
    with pytest.raises(MagBridgeError, match=f"cell mine: {message}"):
        segments_of(table)


def test_the_users_own_column_is_named(tmp_path):
    table = cell_table().rename(columns={"time_s": "Test Time", "voltage_V": "U"})
    table["Test Time"] /= 60
    table.to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "columns.yaml").write_text("columns: {voltage_V: {column: U}}\n")
    with pytest.raises(
        MagBridgeError, match=r"cell mine: 'Test Time' \(time_s\) runs 39.3.*'Test Time .minutes.', or in a"
    ):
        read_cells(tmp_path / "mine.csv", Reading(columns=tmp_path / "columns.yaml"))
    (tmp_path / "columns.yaml").write_text(
        "columns: {voltage_V: {column: U}, time_s: {column: Test Time, unit: min}}\n"
    )
    cells = read_cells(tmp_path / "mine.csv", Reading(columns=tmp_path / "columns.yaml"))
    assert feature_table(cells.segments)["t_total"].tolist() == pytest.approx([2360.0] * 3)
    assert "Columns: time_s from 'Test Time' in min; voltage_V from 'U' in V." in cells.notes


def test_kelvin_is_noticed_and_one_wild_sample_is_not_called_so():
    table = cell_table()
    table["temperature_C"] += 273.15
    with pytest.raises(MagBridgeError, match="looks like kelvin: name it"):
        segments_of(table)
    table = cell_table()
    table.loc[70, "temperature_C"] = -4000.0
    found = feature_table(segments_of(table))
    assert found["valid"].tolist() == [True, False, True]
    assert found["reason"][1] == "temperature_C is -4000 at sample 10 (1 such samples); expected -60 to 150 degC"


@pytest.mark.parametrize("column", ["time_s", "voltage_V", "current_A"])
def test_missing_columns_are_named(column, tmp_path):
    cell_table().drop(columns=column).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(MagBridgeError, match=f"no column for {column} among 'cell_id'"):
        read_cells(tmp_path / "mine.csv")


@pytest.mark.parametrize("column", ["time_s", "voltage_V", "current_A", "temperature_C"])
@pytest.mark.parametrize("value", ["n/a", np.nan, np.inf])
def test_one_bad_sample_is_one_invalid_cycle(column, value):
    table = cell_table().astype({column: object})
    table.loc[75, column] = value
    found = feature_table(segments_of(table))
    assert found["valid"].tolist() == [True, False, True] and column in found["reason"][1]
    assert found.loc[1, ["capacity", "capacity_raw", "v_min"]].isna().all()
    assert summary(found)[0].startswith("1 cell, 3 discharges, 2 valid; 1 dropped: 1 ")


@pytest.mark.parametrize("protocol", ["C", "P", "D"])
def test_no_protocol_takes_a_broken_cycle(protocol):
    table = cell_table()
    table.loc[75, "voltage_V"] = np.nan
    assert apply_protocol(feature_table(segments_of(table)), protocol)["cycle"].tolist() == [1, 3]


def test_a_column_of_words_is_named():
    with pytest.raises(MagBridgeError, match="column 'voltage_V' contains 'high' in row 0; expected numbers"):
        segments_of(cell_table().assign(voltage_V="high"))
    with pytest.raises(MagBridgeError, match="column 'voltage_V' has values that are not numbers"):
        segments_of(cell_table().assign(voltage_V=b"\xff\xfe"))


def test_cycles_that_are_no_numbers_and_empty_tables_are_named():
    with pytest.raises(MagBridgeError, match="cycle contains 1.5; expected whole numbers"):
        segments_of(cell_table().assign(cycle=1.5))
    with pytest.raises(MagBridgeError, match="it has columns cell_id, .* but no rows; expected samples"):
        segments_of(cell_table().iloc[:0])


def test_a_temperature_is_declared_or_left_out_by_name(tmp_path):
    cell_table().drop(columns="temperature_C").to_csv(tmp_path / "mine.csv", index=False)
    cells = read_cells(tmp_path / "mine.csv")
    found = feature_table(cells.segments)
    assert found["valid"].all() and found["temp_mean"].isna().all() and found["capacity"].notna().all()
    assert any("temp_mean has no value (give a temperature with --ambient)" in note for note in cells.notes)
    declared = read_cells(tmp_path / "mine.csv", Reading(ambient_C=21.5))
    assert (feature_table(declared.segments)["temp_mean"] == 21.5).all()
    with pytest.raises(MagBridgeError, match="ambient temperature 300: expected -60 to 150 degC"):
        Reading(ambient_C=300)


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(MagBridgeError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "wide.csv").write_text(",".join(f"x{i}" for i in range(5_000)) + "\n")
    with pytest.raises(MagBridgeError, match=r"has \d{4,} columns; expected a table of samples"):
        read_table(tmp_path / "wide.csv")
    with pytest.raises(MagBridgeError, match=r"has \d{4,} columns; expected a table of samples, at most 1000$"):
        read_cells(tmp_path / "wide.csv")  # and batterydf, which would take minutes, is not asked
    cell_table().assign(cell_id=["mine"] * 70 + [None] * 110).to_csv(tmp_path / "nameless.csv", index=False)
    with pytest.raises(MagBridgeError, match="row 72 has no cell_id"):
        read_table(tmp_path / "nameless.csv")
    pq.write_table(pa.table([[1.0], [2.0]], ["time_s", "time_s"]), tmp_path / "twice.parquet")
    with pytest.raises(MagBridgeError, match="twice.parquet has the column 'time_s' twice"):
        read_table(tmp_path / "twice.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(MagBridgeError, match="cannot be read as .parquet"):
        read_table(tmp_path / "bad.parquet")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(MagBridgeError, match="empty.csv: an empty file"):
        read_table(tmp_path / "empty.csv")


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path):
    path = tmp_path / "bomb.parquet"
    texts = pa.DictionaryArray.from_arrays(np.zeros(2000, dtype=np.int32), ["x" * 1_000_000])
    pq.write_table(pa.table({"cycle": texts}), path, store_schema=False)
    assert path.stat().st_size < 100_000
    with pytest.raises(
        MagBridgeError, match=r"bomb.parquet is damaged or too large \(it .* its reader\); split it by cell"
    ):
        read_table(path)


def test_a_page_that_claims_much_is_refused(tmp_path):
    """The page's header claims 2 GB for its thirty numbers: pyarrow sets them aside before it looks."""
    path = tmp_path / "forged.parquet"
    pq.write_table(pa.table({"time_s": range(30_000)}), path, use_dictionary=False)
    data, at = bytearray(path.read_bytes()), pq.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    assert data[at + 2] == 0x15  # field 2, the unpacked size: a zigzag number of three bytes
    data[at + 3 : at + 6] = b"\xfe\xff\xff\xff\x0f"
    path.write_bytes(data)
    with pytest.raises(
        MagBridgeError, match=r"forged.parquet is damaged or too large \(it takes over 900 MiB in its reader"
    ):
        read_table(path)


def test_a_room_in_fahrenheit_is_said_and_a_unit_that_is_not_known_is_named_as_it_stands(tmp_path):
    table = cell_table().drop(columns="temperature_C").assign(Temperature=77.0)
    table.to_csv(tmp_path / "mine.csv", index=False)
    assert "the temperature is 77 degC in most samples; if it is in another unit" in " ".join(
        read_cells(tmp_path / "mine.csv").notes
    )
    table.rename(columns={"Temperature": "Temperature [R]"}).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(MagBridgeError, match=r"column 'Temperature \[R\]' in 'R'; expected temperature_C in degC, C"):
        read_cells(tmp_path / "mine.csv")


def test_a_current_in_an_unstated_unit_is_shown_and_refused_beside_a_nominal_capacity(tmp_path):
    table = cell_table().drop(columns="capacity_Ah").rename(columns={"current_A": "I", "voltage_V": "Voltage (V)"})
    table["I"] *= 20
    table.to_csv(tmp_path / "mine.csv", index=False)
    assert read_cells(tmp_path / "mine.csv").notes[0] == (
        "Understood: time 0 to 0.6556 h ('time_s'), voltage 2.7 to 4.2 V ('Voltage (V)'), "
        "current -40 to 0 A ('I': no unit given, A assumed), temperature 24 to 34 degC ('temperature_C'); "
        "discharges of 26 to 26 Ah."
    )
    with pytest.raises(
        MagBridgeError, match=r"'I' \(current_A\) gives 26 Ah in the greatest discharge; .* 2 Ah nominal"
    ):
        read_cells(tmp_path / "mine.csv", Reading(nominal_Ah=2.0))
    (tmp_path / "columns.yaml").write_text("columns: {current_A: {column: I, unit: mA}}\n")
    with pytest.raises(MagBridgeError, match="gives 0.026 Ah"):
        read_cells(tmp_path / "mine.csv", Reading(columns=tmp_path / "columns.yaml", nominal_Ah=2.0))
    told = read_cells(tmp_path / "mine.csv", Reading(columns=tmp_path / "columns.yaml", nominal_Ah=0.03))
    assert "current -0.04 to 0 A ('I': unit mA)" in told.notes[0]
    with pytest.raises(MagBridgeError, match="nominal capacity -1: expected a positive number of Ah"):
        Reading(nominal_Ah=-1)


def test_an_anodes_half_cell_is_told_from_a_turned_sign():
    """The voltage of an anode rises while its cell is discharged: both causes are named, and the sign may be told."""
    table = cell_table().drop(columns="capacity_Ah")
    table["voltage_V"] = 4.3 - table["voltage_V"]
    with pytest.raises(
        MagBridgeError, match="--current-sign positive; if this is an anode half cell.*--current-sign negative"
    ):
        segments_of(table)
    assert feature_table(segments_of(table, Reading(current_sign="negative")))["valid"].all()
