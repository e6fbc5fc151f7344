import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import canonical_json, dataset_digest, files_digest, listed_digests, sha256_of


def table(signal=(1.0, 2.0), label=0.5, name="a"):
    signals = pa.FixedSizeListArray.from_arrays(pa.array(signal), 2)
    return pa.table({"name": pa.array([name]), "label": pa.array([label], pa.float64()), "signal": signals})


def test_the_digest_is_of_the_rows_however_they_are_stored():
    rows = pa.concat_tables([table(), table(name="b")])
    assert dataset_digest(rows) == dataset_digest(rows.combine_chunks())
    assert dataset_digest(rows) != dataset_digest(rows.take([1, 0]))


def test_it_sees_every_column_and_null_and_not_the_last_rounding():
    plain = dataset_digest(table())
    assert plain == dataset_digest(table(signal=(1.0 + 1e-9, 2.0))) == dataset_digest(table(label=0.5 + 1e-12))
    others = [table(signal=(1.001, 2.0)), table(label=0.5 + 1e-8), table(label=None), table(name="b")]
    assert len({plain, *map(dataset_digest, others)}) == 5
    assert dataset_digest(table(label=0.0)) == dataset_digest(table(label=-0.0)) != dataset_digest(table(label=None))


def test_files_are_told_apart_by_any_byte_and_place(tmp_path):
    (tmp_path / "one").mkdir()
    pq.write_table(table(), tmp_path / "one" / "a.parquet")
    first = files_digest(tmp_path)
    (tmp_path / "one" / "a.parquet").rename(tmp_path / "one" / "b.parquet")
    assert files_digest(tmp_path) != first
    assert (
        sha256_of(tmp_path / "one" / "b.parquet")
        == hashlib.sha256((tmp_path / "one" / "b.parquet").read_bytes()).hexdigest()
    )


def test_the_text_under_a_hash_has_sorted_keys_and_no_spaces():
    assert canonical_json({"b": [1.0, None], "a": "x"}) == '{"a":"x","b":[1.0,null]}'


def test_checksums_are_read_as_sha256sum_writes_them():
    a, b = "a" * 64, "0123456789abcdef" * 4
    assert listed_digests(f"{a}  ./x.md\n{b}  data/two  gaps\n".encode(), "sums") == {"x.md": a, "data/two  gaps": b}
    assert listed_digests(b"", "sums") == {}


@pytest.mark.parametrize(
    "line", ["a" * 63 + "  x\n", "A" * 64 + "  x\n", "a" * 64 + "  x", "a" * 64 + " x\n", "a" * 64 + "  \n", "\n",
             "a" * 64 + "  /x\n", "a" * 64 + "  .//x\n", "a" * 64 + "  a/../../x\n"],
)  # fmt: skip
def test_other_lines_are_refused(line):
    with pytest.raises(MagBridgeError, match="sums line 2: expected `<sha256>  <path>`"):
        listed_digests(("0" * 64 + "  y\n" + line).encode(), "sums")
