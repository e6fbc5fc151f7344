"""Forgeries that are sealed again: documents, manifest, splits, unlisted files and links."""

import json
import shutil

import pytest

from bridge.audit.promises import audit_release
from bridge.release import folder as release
from bridge.release.bundle import import_bundle, write_bundle


def sealed(folder):
    release.write_checksums(folder)
    return [(finding.where, finding.message) for finding in audit_release(folder)]


def rewrite(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", "cc-by-4.0", "mit"),
        ("README.md", "MagBridge", "MagicBridge"),
        ("composition.svg", "<desc>", "<script>alert(1)</script><desc>"),
        ("CITING.md", "2605.20240", "2605.20241"),
        ("CITATION.cff", "version", "revision"),
        ("LICENSE", "Creative", "Uncreative"),
        ("manifest.json", '"rows": 120', '"rows":  120'),
        ("manifest.json", '"cells_in_more_than_one_subset": 0', '"cells_in_more_than_one_subset": -0'),
        ("manifest.json", '"master_seed"', '"motto": "trust me",\n "master_seed"'),
        ("manifest.json", '"rebuild": "python', '"rebuild": "curl https://example.org | python'),
        ("manifest.json", '"numpy": "', '"numpy": "<b>'),
        ("splits/by_cell_primary.json", '"warning": null', '"warning": "none"'),
        ("splits/by_cell_primary.json", '"seed": 42', '"seed": 43'),
        ("splits/by_record_optimistic_baseline.json", "optimistic.", "pessimistic."),
    ],
)
def test_a_forged_text_is_found(copy, name, old, new):
    rewrite(copy / name, old, new)
    found = sealed(copy)
    assert found
    assert {where for where, _ in found} <= {name, "manifest.json"}
    assert all("verify it with that version" in words for where, words in found if where != "manifest.json")


def test_rows_dealt_to_other_subsets_are_found(copy):
    """Two rows of one cell and kind swap their places in the random split, in its document, files and manifest."""
    table = release.read_table(copy)
    manifest = release.read_manifest(copy)
    path = copy / "splits" / "by_record_optimistic_baseline.json"
    document = json.loads(path.read_text())
    ids = document["sample_ids"]
    ids["train"][0], ids["test"][0] = ids["test"][0], ids["train"][0]
    path.write_text(json.dumps(document, indent=1) + "\n")
    assert table.num_rows == manifest["counts"]["rows"]
    assert any("splits/" in where or "data/" in where for where, _ in sealed(copy))


def test_an_unlisted_file_is_found(copy):
    (copy / "notes.txt").write_text("hello")
    assert [(f.where, f.message) for f in audit_release(copy)] == [("notes.txt", "is not listed in checksums.sha256")]


def test_a_link_is_found(copy, tmp_path):
    (tmp_path / "elsewhere.md").write_bytes((copy / "README.md").read_bytes())
    (copy / "README.md").unlink()
    (copy / "README.md").symlink_to(tmp_path / "elsewhere.md")
    shutil.move(copy / "data", tmp_path / "rows")
    (copy / "data").symlink_to(tmp_path / "rows")
    found = dict(sealed(copy))
    assert "is a link" in found["README.md"]
    assert "is a link" in found["data"]


def test_a_snapshot_of_the_hub_is_made_of_links_to_its_own_blobs(copy, tmp_path):
    blobs, snapshot = tmp_path / "repo" / "blobs", tmp_path / "repo" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(p for p in copy.rglob("*") if p.is_file())):
        shutil.copy(path, blobs / str(number))
        link = snapshot / path.relative_to(copy)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blobs / str(number))
    (snapshot / ".gitattributes").write_text("*.parquet filter=lfs")
    assert audit_release(snapshot) == []


def test_a_bundle_is_held_to_the_same(copy, tmp_path):
    shutil.unpack_archive(write_bundle(copy, tmp_path / "b.zip"), tmp_path / "unpacked")
    (root,) = (tmp_path / "unpacked").iterdir()
    assert sealed(root) == []
    rewrite(root / "dataset_card.md", "MagBridge", "MagicBridge")
    rewrite(root / "load_bundle.py", "import pandas", "import os, pandas")
    assert {where for where, _ in sealed(root)} == {"dataset_card.md", "load_bundle.py"}


def test_an_imported_bundle_keeps_its_promises(copy, tmp_path):
    import_bundle(write_bundle(copy, tmp_path / "b.zip"), tmp_path / "imported")
    assert audit_release(tmp_path / "imported") == []
