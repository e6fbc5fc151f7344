"""Reading a release: the digest is the rows', and damage is one error."""

import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.storage import reading
from dataset_card.storage.reading import checked_digest, one_release, read_manifest, read_table


@pytest.fixture
def copy(tiny_release, tmp_path):
    return shutil.copytree(tiny_release, tmp_path / "magbridge-battery")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path / "cache"))
    reading._digest.cache_clear()
    return tmp_path / "cache"


def edit(path, change):
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def halved(table):
    column = pa.array([None if v is None else v / 2 for v in table["soh"].to_pylist()], pa.float64())
    return table.set_column(table.schema.get_field_index("soh"), table.schema.field("soh"), column)


def test_the_digest_is_the_rows_and_is_remembered(copy, cache, monkeypatch):
    digest = read_manifest(copy)["dataset_digest"]
    assert checked_digest(copy) == digest
    assert not (cache / "digests").exists(), "what was written a moment ago may be written again unseen"
    monkeypatch.setattr(reading, "SETTLED_NS", 0)
    reading._digest.cache_clear()
    assert checked_digest(copy) == digest
    (memory,) = (cache / "digests").iterdir()
    assert memory.read_text() == digest
    reading._digest.cache_clear()
    monkeypatch.setattr(reading, "read_table", None)  # the next run does not read the rows again
    assert checked_digest(copy) == digest


def test_rows_under_a_digest_that_is_not_theirs_are_refused(copy, cache, monkeypatch):
    monkeypatch.setattr(reading, "SETTLED_NS", 0)
    checked_digest(copy)
    edit(next((copy / "data" / "clean" / "by-cell-test").iterdir()), halved)
    with pytest.raises(MagBridgeError, match="its rows have the digest .* its manifest.json states"):
        checked_digest(copy)


def test_a_digest_that_is_not_the_rows_is_refused(copy, cache):
    manifest = read_manifest(copy) | {"dataset_digest": "f" * 64}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(MagBridgeError, match="states ffffffffffff"):
        checked_digest(copy)


def test_a_cache_that_cannot_be_written_only_costs_time(copy, monkeypatch):
    monkeypatch.setenv("MAGBRIDGE_CACHE", "/proc/nowhere")
    reading._digest.cache_clear()
    assert checked_digest(copy) == read_manifest(copy)["dataset_digest"]


def test_a_kept_copy_is_read_where_a_replacement_was_cut_off(copy, cache):
    digest = read_manifest(copy)["dataset_digest"]
    copy.rename(copy.with_name(f".{copy.name}.elsewhere.17.0.replaced"))
    assert read_manifest(copy)["dataset_digest"] == checked_digest(copy) == digest
    assert read_table(copy).num_rows == 2280


def test_missing_and_odd_columns(copy):
    path = next((copy / "data").rglob("*.parquet"))
    edit(path, lambda table: table.drop_columns(["soh"]))
    with pytest.raises(MagBridgeError, match=f"{path.name}: no column 'soh'"):
        read_table(copy)


def test_a_bit_flipped_in_place_is_seen_though_size_and_time_are_put_back(copy, cache, monkeypatch):
    monkeypatch.setattr(reading, "SETTLED_NS", 0)
    checked_digest(copy)
    path = next((copy / "data" / "clean" / "by-cell-test").iterdir())
    data, times = bytearray(path.read_bytes()), path.stat()
    data[len(data) // 2] ^= 1
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    reading._digest.cache_clear()
    with pytest.raises(MagBridgeError):
        checked_digest(copy)


@pytest.mark.parametrize("way", ["renamed", "a link turned", "removed"])
def test_a_release_that_is_replaced_while_it_is_read_is_told(copy, tiny_release, tmp_path, way):
    """A link that is turned is followed once: the reader stays with what it began on."""
    name = copy
    if way == "a link turned":
        name = tmp_path / "latest"
        name.symlink_to(copy)

    def read():
        with one_release(name) as folder:
            first = read_manifest(folder)["dataset_digest"]
            if way == "a link turned":
                name.unlink()
                name.symlink_to(tiny_release)
            else:
                shutil.rmtree(copy)
            if way == "renamed":
                shutil.copytree(tiny_release, copy)
            return first, read_table(folder).num_rows

    if way == "a link turned":
        assert read() == (read_manifest(copy)["dataset_digest"], read_table(copy).num_rows)
    else:
        with pytest.raises(MagBridgeError, match="was replaced while it was read: read it again"):
            read()
