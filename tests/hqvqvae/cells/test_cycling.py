"""A user's own table: columns and units are checked, and what is wrong is named."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.cells.cycling import read_table, segments_of
from hqvqvae.cells.features import feature_table
from tests.hqvqvae.small import cell_table


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
        ("voltage_V", 1000, "voltage_V reaches 4200; .*looks like mV"),
        ("voltage_V", 0.001, "voltage_V stays below 0.0042; .*looks like kV"),
        ("current_A", 1000, "current_A reaches 2000; .*looks like mA"),
        ("current_A", 0.001, r"current_A is never below -0.1 \(least -0.002\)"),
        ("current_A", -1, ".*the sign is that of charge"),
        ("time_s", 1000, "time_s runs 2.36e[+]06 in one discharge; .*looks like ms"),
        ("time_s", 0.001, "time_s runs 2.36 in the longest discharge"),
        ("time_s", 1 / 60, "time_s runs 39.3333 in the longest discharge; .*looks like minutes"),
        ("time_s", 1 / 3600, "time_s runs 0.655556 in the longest discharge; .*looks like hours"),
        ("temperature_C", 1000, "temperature_C spans 24000 to 34000"),
        ("temperature_C", 0.001, "temperature_C stays within 0.034 of 0"),
        ("capacity_Ah", 1000, "capacity_Ah of cycle 1 is 1300, the integral of the current 1.3 Ah"),
    ],
)
def test_a_channel_in_another_unit_is_named(column, factor, message):
    table = cell_table()
    table[column] *= factor
    with pytest.raises(MagBridgeError, match=f"cell mine: {message}"):
        segments_of(table)


def test_kelvin_is_noticed():
    table = cell_table()
    table["temperature_C"] += 273.15
    with pytest.raises(MagBridgeError, match="looks like kelvin"):
        segments_of(table)


@pytest.mark.parametrize("column", ["cycle", "time_s", "voltage_V", "current_A", "temperature_C"])
def test_missing_columns_and_text_are_named(column):
    with pytest.raises(MagBridgeError, match=rf"lacks \['{column}'\]"):
        segments_of(cell_table().drop(columns=column))
    table = cell_table().astype({column: object})
    table.loc[5, column] = "n/a"
    with pytest.raises(MagBridgeError, match=f"column {column} holds 'n/a' in row 5"):
        segments_of(table)


def test_nan_fractions_and_empty_tables_are_named():
    table = cell_table()
    table.loc[70, "voltage_V"] = np.nan
    with pytest.raises(MagBridgeError, match="cell mine cycle 2: voltage_V is nan at sample 10"):
        segments_of(table)
    with pytest.raises(MagBridgeError, match="cycle holds 1.5; expected whole numbers"):
        segments_of(cell_table().assign(cycle=1.5))
    with pytest.raises(MagBridgeError, match="cycle holds inf; expected whole numbers"):
        segments_of(cell_table().assign(cycle=np.inf))
    with pytest.raises(MagBridgeError, match="no rows"):
        segments_of(cell_table().iloc[:0])


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(MagBridgeError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "wide.csv").write_text(",".join(f"x{i}" for i in range(100_000)) + "\n")
    with pytest.raises(MagBridgeError, match=r"has \d{4,} columns; expected a table of samples"):
        read_table(tmp_path / "wide.csv")
    cell_table().assign(cell_id=["mine"] * 70 + [None] * 110).to_csv(tmp_path / "nameless.csv", index=False)
    with pytest.raises(MagBridgeError, match="row 70 has no cell_id"):
        read_table(tmp_path / "nameless.csv")
    pq.write_table(pa.table([[1.0], [2.0]], ["time_s", "time_s"]), tmp_path / "twice.parquet")
    with pytest.raises(MagBridgeError, match="twice.parquet has the column 'time_s' twice"):
        read_table(tmp_path / "twice.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(MagBridgeError, match="cannot be read as .parquet"):
        read_table(tmp_path / "bad.parquet")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(MagBridgeError, match="cannot be read as .csv"):
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
