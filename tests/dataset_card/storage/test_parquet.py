"""The boundary of Parquet files: what footer, pages and dictionaries claim is bounded, and damage is one error."""

import contextlib
import multiprocessing

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_card.errors import MagBridgeError
from dataset_card.storage.parquet import _structure, opened_parquet, read_parquet
from dataset_card.storage.reading import by_contract
from tests.mutations import mutated


@pytest.mark.parametrize(
    "bomb",
    [
        pa.DictionaryArray.from_arrays([0] * 2000, ["x" * 1_000_000]),
        pa.array([1.0] * 200_000),
    ],
    ids=["texts", "numbers"],
)
def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path, bomb):
    pq.write_table(pa.table({"column": bomb}), tmp_path / "bomb.parquet", store_schema=False)  # texts, not a dictionary
    assert (tmp_path / "bomb.parquet").stat().st_size < 10**6
    before = pa.total_allocated_bytes()
    with pytest.raises(MagBridgeError, match="unpacks to .* GB: expected a file of at most"):
        read_parquet(tmp_path / "bomb.parquet", limit=10**6)
    assert pa.total_allocated_bytes() - before < 10**7


def test_texts_that_fit_are_read_as_they_are(tmp_path):
    table = pa.table({"text": ["a", "b", None] * 1000, "number": range(3000)})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet").equals(table)
    # With less room each text is read once, and counted.
    assert read_parquet(tmp_path / "t.parquet", limit=60_000).equals(table)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_one_error(tiny_release, tmp_path, data):
    source = next((tiny_release / "data" / "regime_b").rglob("*.parquet")).read_bytes()
    (tmp_path / "d.parquet").write_bytes(data.draw(mutated(source)))
    try:
        by_contract(read_parquet(tmp_path / "d.parquet"), "d.parquet")
    except MagBridgeError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_of_every_kind_are_counted(tmp_path, compression, version):
    path = tmp_path / "t.parquet"
    columns = {"text": ["a", "bb", None] * 20_000, "list": [[1.0, 2.0], None, []] * 20_000, "n": range(60_000)}
    pq.write_table(
        pa.table(columns), path, compression=compression, data_page_version=version, data_page_size=4096,
        row_group_size=25_000, write_page_index=True,
    )  # fmt: skip
    with opened_parquet(path) as file:
        assert file.metadata.num_row_groups == 3
    assert read_parquet(path, ["n"])["n"].to_pylist() == list(range(60_000))


def test_a_page_that_claims_more_than_the_footer_is_believed(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table({"n": pa.array(range(10**6), pa.float64())})
    pq.write_table(table, path, use_dictionary=False)
    with opened_parquet(path, limit=84 * 10**5) as file:
        at = file.metadata.row_group(0).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    assert data[at + 2] == 0x15  # field 2, the unpacked size: a zigzag number of several bytes, the last below 128
    end = next(i for i in range(at + 3, at + 9) if data[i] < 128)
    data[at + 3 : end] = b"\xfe" + b"\xff" * (end - at - 4)
    data[end] = 127
    assert _structure(bytes(data), at)[0][2,] > 10**6
    path.write_bytes(data)
    with pytest.raises(MagBridgeError, match="unpacks to .* GB: expected a file of at most"):
        read_parquet(path, limit=84 * 10**5)


def test_texts_that_share_prefixes_are_refused_where_they_could_be_long(tmp_path):
    path = tmp_path / "t.parquet"
    texts = ["x" * n for n in range(2000)]
    pq.write_table(pa.table({"t": texts}), path, use_dictionary=False, column_encoding={"t": "DELTA_BYTE_ARRAY"})
    assert path.stat().st_size < 40_000
    with pytest.raises(MagBridgeError, match="shared prefixes"):
        read_parquet(path, limit=10**6)
    assert read_parquet(path)["t"].to_pylist() == texts


def _read_all(files):
    for file in files:
        with contextlib.suppress(MagBridgeError):
            read_parquet(file)


def test_no_bit_of_a_footer_ends_the_process(tmp_path):
    table = pa.table({"name": ["a", "b"], "value": [1.0, None], "list": [[1], [2, 3]]})
    pq.write_table(table, tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little")
    flipped = []
    for bit in range(8 * (len(whole) - 8 - footer), 8 * (len(whole) - 8), 11):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        flipped.append(tmp_path / f"{bit}.parquet")
        flipped[-1].write_bytes(damaged)
    child = multiprocessing.get_context("fork").Process(target=_read_all, args=(flipped,))
    child.start()
    child.join(60)
    assert len(flipped) > 500 and child.exitcode == 0


def test_text_that_is_not_utf8_is_damage(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"name": ["calibration_drift", None]}), path, use_dictionary=False, compression="none")
    path.write_bytes(path.read_bytes().replace(b"calibration_drift", b"calibratio\xe9_drift"))
    with pytest.raises(MagBridgeError, match="t.parquet: not a readable Parquet file"):
        read_parquet(path)


def test_a_list_that_claims_more_bytes_than_there_are_ends_at_once():
    length = bytes([0x80] * 9 + [0x01])  # 2**63
    with pytest.raises(IndexError):
        _structure(bytes([0x19, 0xF3]) + length + b"\x00", 0)
