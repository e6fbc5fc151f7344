"""The audit of release folders and bundles: sound ones pass, every damage is named with its file."""

import json
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bridge.audit.promises import audit_release
from bridge.release import folder as release
from bridge.release.bundle import write_bundle
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import files_digest


def largest(folder):
    return max((folder / "data").rglob("*.parquet"), key=lambda path: path.stat().st_size)


def resealed(folder):
    """Makes the checksums hold again, so that only the content is wrong."""
    manifest = folder / "manifest.json"
    if "files_digest" in manifest.read_text():
        edit_json(manifest, lambda entries: entries.update(files_digest=files_digest(folder)))
    release.write_checksums(folder)
    return audit_release(folder)


def edit_json(path, change):
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def checks(findings):
    return {finding.check for finding in findings}


def test_a_sound_release_and_its_bundle(tiny_release, tmp_path):
    assert audit_release(tiny_release) == []
    bundle = write_bundle(tiny_release, tmp_path / "bundle.zip")
    assert audit_release(bundle) == []
    shutil.unpack_archive(bundle, tmp_path / "unpacked")
    assert audit_release(tmp_path / "unpacked") == []


def test_a_flipped_byte_anywhere_is_found(copy):
    files = sorted(p for p in copy.rglob("*") if p.is_file() and p.name != release.CHECKSUMS)
    for path in files:
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 1
        path.write_bytes(damaged)
    findings = audit_release(copy)
    named = " ".join(str(finding) for finding in findings if finding.check == "checksums")
    assert all(path.relative_to(copy).as_posix() in named for path in files)


@pytest.mark.parametrize("at", ["line end", "digit", "gap", "last"])
def test_a_flipped_bit_of_the_list_of_checksums_is_found(copy, at):
    """A list of other bytes that reads the same: a vertical tab for a line's end, a capital for a digit."""
    path = copy / release.CHECKSUMS
    data = bytearray(path.read_bytes())
    place, bit = {
        "line end": (data.index(b"\n"), 1),
        "digit": (re.search(rb"[a-f]", data).start(), 32),
        "gap": (64, 1),
        "last": (len(data) - 1, 1),
    }[at]
    data[place] ^= bit
    path.write_bytes(data)
    assert "checksums" in checks(audit_release(copy))


def test_a_missing_file(copy):
    path = largest(copy)
    path.unlink()
    findings = audit_release(copy)
    assert any(f.check == "checksums" and path.relative_to(copy).as_posix() in f.message for f in findings)
    findings = resealed(copy)
    assert checks(findings) == {"metadata", "splits", "parents", "manifest"}
    assert any("has no row in data/" in f.message for f in findings)


def test_a_missing_shard_of_a_bundle(families, tmp_path):
    shutil.unpack_archive(write_bundle(families, tmp_path / "bundle.zip"), tmp_path)
    root = next(p for p in tmp_path.iterdir() if p.is_dir())
    (root / "data" / "shard_0002.parquet").unlink()
    assert any(f.where == "data/shard_0002.parquet" and f.message == "missing" for f in audit_release(root))


def test_an_unreadable_file(copy):
    path = largest(copy)
    path.write_bytes(b"not parquet")
    assert any(f.where == path.relative_to(copy).as_posix() and f.check == "files" for f in audit_release(copy))


def edit_table(path, change):
    release.write_parquet(change(pq.ParquetFile(path).read()), path)


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda t: t.drop_columns(["soc"]), "no column 'soc'"),
        (lambda t: t.append_column("extra", pa.nulls(t.num_rows)), "unknown column 'extra'"),
        (lambda t: with_column(t, "soc", pa.array(["much"] * t.num_rows)), "column 'soc' is string, expected double"),
        (lambda t: with_column(t, "B_s1Y", pa.array([[1.0] * 99] * t.num_rows)), "B_s1Y has length 99, expected 100"),
        (lambda t: with_column(t, "cell_id", pa.array([None] * t.num_rows, pa.string())), "row 0: cell_id is null"),
        (lambda t: t.slice(0, 0), "contains no rows"),
    ],
)
def test_a_file_against_the_contract(copy, change, words):
    path = largest(copy)
    edit_table(path, change)
    findings = resealed(copy)
    assert any(f.where == path.relative_to(copy).as_posix() and words in f.message for f in findings)


def test_a_row_in_the_wrong_file(copy):
    first, second = sorted((copy / "data" / "clean" / "by-cell-train").iterdir())[:2]
    moved = pq.ParquetFile(first).read().slice(0, 1)
    edit_table(first, lambda t: t.slice(1))
    edit_table(second, lambda t: pa.concat_tables([t, moved]))
    findings = resealed(copy)
    assert checks(findings) == {"placement"} and len(findings) == 1
    assert findings[0].where.startswith(second.relative_to(copy).as_posix())
    assert first.relative_to(copy).as_posix() in findings[0].message


def nudge(copy, step_nT):
    def change(table):
        values = table["B_s1Y"].combine_chunks().flatten().to_numpy(zero_copy_only=False).copy()
        values[0] += step_nT
        return with_column(table, "B_s1Y", pa.FixedSizeListArray.from_arrays(pa.array(values), 100))

    edit_table(largest(copy), change)


def test_changed_signals_change_the_digest(copy):
    nudge(copy, 0.01)
    findings = resealed(copy)
    assert [(f.check, f.where) for f in findings] == [("manifest", "manifest.json")]
    assert "dataset_digest" in findings[0].message


def test_the_slightest_change_of_the_files_is_found(copy):
    nudge(copy, 1e-12)
    release.write_checksums(copy)
    findings = audit_release(copy)
    assert [(f.check, f.where) for f in findings] == [("manifest", "manifest.json")]
    assert "files_digest" in findings[0].message


def test_a_changed_time_axis(copy):
    path = largest(copy)

    def shift(table):
        values = table["time_norm"].combine_chunks().flatten().to_numpy(zero_copy_only=False).copy()
        values[150] += 1e-6
        return with_column(table, "time_norm", pa.FixedSizeListArray.from_arrays(pa.array(values), 100))

    edit_table(path, shift)
    assert ("time_norm", f"{path.relative_to(copy).as_posix()}, row 1") in {(f.check, f.where) for f in resealed(copy)}


def test_metadata_that_says_otherwise(copy):
    def change(table):
        soc = table["soc"].to_pylist()
        return with_column(table, "soc", pa.array([soc[0] + 5, *soc[1:]]))

    edit_table(copy / "metadata.parquet", change)
    findings = resealed(copy)
    assert [(f.check, f.where) for f in findings] == [("metadata", "metadata.parquet, row 0")]


def test_a_metadata_column_of_lists(copy):
    edit_table(copy / "metadata.parquet", lambda t: with_column(t, "soc", pa.array([[1.0, 2.0]] * t.num_rows)))
    assert ("files", "metadata.parquet") in [(f.check, f.where) for f in resealed(copy)]


def move_between_subsets(document):
    ids = document["sample_ids"]
    ids["test"].append(ids["train"].pop(0))
    document["counts"]["train"] -= 1
    document["counts"]["test"] += 1


@pytest.mark.parametrize(
    "name, change, expected, words",
    [
        ("by_cell_primary", move_between_subsets, "split guarantee", "is in test and train"),
        ("by_cell_primary", lambda d: d["sample_ids"]["train"].pop(), "splits", "is in no subset"),
        (
            "by_cell_primary",
            lambda d: d["sample_ids"]["test"].append(d["sample_ids"]["train"][0]),
            "splits",
            "and again",
        ),
        ("by_cell_primary", lambda d: d["sample_ids"]["test"].append("lfp_none"), "splits", "lfp_none of test is not"),
        ("by_cell_primary", lambda d: d["counts"].update(test=1), "splits", "counts of test is 1"),
        ("by_cell_primary", lambda d: d["cells"]["test"].append("99"), "splits", "cells of test do not match its rows"),
        ("by_cell_primary", lambda d: d.pop("sample_ids"), "splits", "sample_ids is not an object"),
        ("by_cell_primary", lambda d: d["sample_ids"].update(test=[["a"]]), "splits", "sample_ids is not an object"),
        ("by_cell_primary", lambda d: d.update(counts=[1]), "splits", "counts is not an object"),
        (
            "by_record_optimistic_baseline",
            lambda d: d.update(warning=None),
            "splits",
            "no warning that the split leaks",
        ),
    ],
)
def test_a_broken_split(copy, name, change, expected, words):
    edit_json(copy / "splits" / f"{name}.json", change)
    findings = resealed(copy)
    assert any(f.check == expected and words in f.message for f in findings)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda d: d.update(dataset_digest="0" * 64), "dataset_digest"),
        (lambda d: d.pop("dataset_digest"), "dataset_digest is None"),
        (lambda d: d.update(bridge_version="v1.3"), "bridge_version is 'v1.3'"),
        (lambda d: d.update(bridge_config_hash="0" * 12), "bridge_config_hash"),
        (lambda d: d["config"].update(decode_k=9), "hash of config"),
        (lambda d: d["config"].update(unknown=1), "not a bridge configuration"),
        (lambda d: d["counts"].update(rows=1), "counts.rows is 1"),
        (lambda d: d["upstream"].update(name="published"), "upstream is 'published', but the rows have"),
        (lambda d: d["splits"]["by_cell_primary"]["leakage"].update(cells_in_more_than_one_subset=3), "leakage of"),
    ],
)
def test_a_manifest_that_says_otherwise(copy, change, words):
    edit_json(copy / "manifest.json", change)
    findings = resealed(copy)
    assert checks(findings) == {"manifest"} and len(findings) == 1 and words in findings[0].message


def test_damaged_json_is_a_finding(copy):
    (copy / "splits" / "by_cell_primary.json").write_text("{", encoding="utf-8")
    (copy / "manifest.json").write_text("[]", encoding="utf-8")
    findings = resealed(copy)
    assert {f.where for f in findings if f.check == "files"} == {"splits/by_cell_primary.json", "manifest.json"}


def test_texts_in_place_of_a_release_are_findings(tmp_path):
    for name in ("manifest.json", "metadata.parquet", "checksums.sha256"):
        (tmp_path / name).write_text('{"name": 3}')
    assert {"checksums", "files"} <= {finding.check for finding in audit_release(tmp_path)}


def test_nothing_there(tmp_path):
    with pytest.raises(MagBridgeError, match="no such release"):
        audit_release(tmp_path / "none")
    with pytest.raises(MagBridgeError, match="no data/ folder"):
        audit_release(tmp_path)
