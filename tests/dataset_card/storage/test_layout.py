"""Layouts of text tables: what separates, which sign is the decimal one, where the names are."""

import pytest

from dataset_card.contract.measured import CELL_FIELDS
from dataset_card.storage.columns import ColumnMap
from dataset_card.storage.faults import FaultyInput, faults_in
from dataset_card.storage.layout import read_table, text_layout, text_table


def layout(tmp_path, data, **options):
    (tmp_path / "t.csv").write_bytes(data)
    return text_layout(tmp_path / "t.csv", CELL_FIELDS, ColumnMap(**options))


def test_semicolons_with_decimal_commas(tmp_path):
    found = layout(tmp_path, b"soh;soc;voltage\n0,9;50;3,2\n")
    assert (found.separator, found.decimal, found.header) == (";", ",", 0)
    table = text_table(tmp_path / "t.csv", CELL_FIELDS, ColumnMap())
    assert table.rows.values.tolist() == [["0.9", "50", "3.2"]] and table.rows.index.tolist() == [2]
    assert found.notes == ("Read with semicolons between columns, decimal commas.",)


def test_a_comma_between_points_is_no_decimal_sign(tmp_path):
    assert layout(tmp_path, b"soh;soc;note\n0.9;50;1,2\n").decimal == "."


def test_names_below_a_preamble_and_behind_a_hash(tmp_path):
    found = layout(tmp_path, b"Project: x, y\n\n# soh, soc, voltage\n0.9,50,3.2\n")
    assert found.header == 2 and found.names == ("soh", "soc", "voltage")


def test_the_map_says_the_row(tmp_path):
    assert layout(tmp_path, b"soh,soc\na,b\n1,2\n", header=2).names == ("a", "b")
    with pytest.raises(FaultyInput, match="header: row 4 of 3; expected the row of the column names"):
        layout(tmp_path, b"soh,soc\na,b\n1,2\n", header=4)


def test_empty_columns_beside_the_table_are_left_out(tmp_path):
    layout(tmp_path, b"soh,soc,,\n0.9,50,,\n0.8,50,,\n")
    assert text_table(tmp_path / "t.csv", CELL_FIELDS, ColumnMap()).rows.columns.tolist() == ["soh", "soc"]
    layout(tmp_path, b"soh,soc,,\n0.9,50,,\n0.8,50,,seen\n")
    assert text_table(tmp_path / "t.csv", CELL_FIELDS, ColumnMap()).rows.columns.tolist() == ["soh", "soc", ""]


@pytest.mark.parametrize("row, words", [("0.9,50", "complete the row"), ("0,9,50,3.2", "export with decimal points")])
def test_a_row_of_another_width_is_told_why(tmp_path, row, words):
    layout(tmp_path, f"soh,soc,voltage\n0.8,50,3.2\n{row}\n".encode())
    with pytest.raises(FaultyInput, match=f"row 3: . values '{row}'; expected 3; .*{words}"):
        text_table(tmp_path / "t.csv", CELL_FIELDS, ColumnMap())


def test_windows_text_is_named_or_taken(tmp_path):
    with pytest.raises(FaultyInput, match="not UTF-8 text"):
        layout(tmp_path, b"soh,soc,T \xb0C\n1,2,3\n")
    assert text_layout(tmp_path / "t.csv", CELL_FIELDS, ColumnMap(), strict=False).names[2] == "T °C"


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le"])
def test_text_with_nul_characters_is_one_short_line(tmp_path, encoding):
    with pytest.raises(FaultyInput, match="row 1: NUL characters in the text; expected UTF-8; save it as") as error:
        layout(tmp_path, "soh,soc,voltage\n0.9,50,3.2\n".encode(encoding))
    assert len(str(error.value)) < 100


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("t.csv", None, "no such file, or not a regular file; expected a CSV, Parquet or XLSX table; check the path"),
        ("t.doc", b"soh,soc\n", r"suffix '\.doc'; expected \.csv, \.parquet or \.xlsx"),
        ("t.csv", b"soh,soc,soc\n1,2,3\n", "row 1: column 'soc' twice; expected each column once"),
        ("t.csv", b"soh," * 2001 + b"soc\n", "row 1: column 'soh' twice"),
        ("t.xlsx", b"PK", r"not readable \(.*\); expected a valid .xlsx table; export it again"),
        ("t.parquet", b"PAR1", r"not readable \(.*\); expected a valid .parquet table; export it again"),
    ],
)
def test_files_that_are_not_tables_are_named(tmp_path, name, data, words):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with faults_in(name), pytest.raises(FaultyInput, match=words) as error:
        read_table(tmp_path / name, CELL_FIELDS, ColumnMap())
    assert str(tmp_path) not in str(error.value)


def test_a_folder_named_like_a_table_is_not_one(tmp_path):
    with pytest.raises(
        FaultyInput, match="or not a regular file; expected a CSV, Parquet or XLSX table; check the path"
    ):
        read_table((tmp_path / "t.csv").mkdir() or tmp_path / "t.csv", CELL_FIELDS, ColumnMap())


def test_an_empty_file_is_named(tmp_path):
    with pytest.raises(FaultyInput, match="an empty file"):
        layout(tmp_path, b"\n\n")


def test_lines_too_long_for_a_table_are_named(tmp_path):
    with pytest.raises(FaultyInput, match="a line of 262,144 characters; expected at most 50,000"):
        layout(tmp_path, b"soh,soc," * 400_000)
    (tmp_path / "t.csv").write_bytes(
        b"soh,soc,voltage\n" + b"0.9,50,3.2\n" * 30_000 + b"0.9,50," + b"3" * 200_000 + b"\n"
    )
    with pytest.raises(FaultyInput, match="row 30002 or later: field larger than field limit"):
        text_table(tmp_path / "t.csv", CELL_FIELDS, ColumnMap())


@pytest.mark.parametrize(
    "above, header",
    [
        ('Comment,"two\nlines"\nsoh,soc,voltage\n', 1),
        ("report\u2028of us\nsoh,soc,voltage\n", 1),
        ('Width: 5" cell\nsoh,soc,voltage\n', 1),
        ('"Test\nno",soh,soc,voltage\n', 0),
        ('soh,"soc\n(%)",voltage\n', 0),
    ],
)
def test_no_row_is_lost_below_names_or_a_preamble_of_several_lines(tmp_path, above, header):
    width = 2 + above.startswith('"')
    assert layout(tmp_path, (above + "1," * width + "3.2\n" + "0.9," * width + "3.3\n").encode()).header == header
    table = text_table(tmp_path / "t.csv", CELL_FIELDS, ColumnMap()).rows
    assert table["voltage"].tolist() == ["3.2", "3.3"] and table.index.tolist() == [header + 2, header + 3]
