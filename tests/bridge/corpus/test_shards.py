import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bridge.corpus.plan import read_specification
from bridge.corpus.shards import audit_shard, build_shard, finished, marker_path
from bridge.corpus.storage import Folder
from bridge.release import folder as release
from bridge.release.splits import PRIMARY
from dataset_card.cards.corpus import arrow_schema, data_path
from dataset_card.contract.configs import SPLITS
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals
from dataset_card.storage.reading import read_manifest, read_table
from tests import corpora


@pytest.fixture(scope="module")
def first_release(lfp_cells, tmp_path_factory):
    out = tmp_path_factory.mktemp("release") / "release"
    release.build(out, lfp_cells, master_seed=corpora.FIRST_SEED, **corpora.COMPOSITION)
    return out


@pytest.fixture
def copy(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    return Folder.of(tmp_path / "corpus")


def rows_of(folder, shard, seed):
    parts = {s: pq.read_table(folder / data_path(s, shard)) for s in SPLITS}
    return {s: part.filter(pa.compute.equal(part["master_seed"], seed)) for s, part in parts.items()}


def test_the_first_seeds_rows_are_that_release_table_and_digest_and_split(corpus, first_release):
    parts, expected = rows_of(corpus, 0, corpora.FIRST_SEED), read_table(first_release)
    table = pa.concat_tables(parts.values()).drop(["master_seed"])
    row_of = {sample_id: i for i, sample_id in enumerate(table["sample_id"].to_pylist())}
    assert table.take([row_of[i] for i in expected["sample_id"].to_pylist()]).equals(expected)

    marker = Folder.of(corpus).read_json(marker_path(0))
    assert marker["seeds"][str(corpora.FIRST_SEED)]["dataset_digest"] == read_manifest(first_release)["dataset_digest"]
    members = Folder.of(first_release).read_json(f"splits/{PRIMARY}.json")["sample_ids"]
    assert {s: part["sample_id"].to_pylist() for s, part in parts.items()} == {
        s: [i for i in expected["sample_id"].to_pylist() if i in set(members[s])] for s in SPLITS
    }


def test_the_key_is_unique_and_signals_differ_between_seeds(corpus):
    table = pa.concat_tables([pq.read_table(path) for path in sorted((corpus / "data").rglob("*.parquet"))])
    assert table.schema == arrow_schema("float64", "1.3") and table.num_rows == 5 * corpora.ROWS_A_SEED
    assert len(set(zip(table["master_seed"].to_pylist(), table["sample_id"].to_pylist()))) == table.num_rows
    assert len({signal.tobytes() for signal in signals(table)}) == table.num_rows


def test_float32_is_the_nearest_and_labels_keep_their_digits(corpus, lfp_cells, tmp_path):
    recipe = corpora.plan(tmp_path / "small", seeds=1, inputs=lfp_cells, dtype="float32")
    marker = build_shard(0, recipe)
    assert marker["seeds"] == {
        k: v for k, v in Folder.of(corpus).read_json(marker_path(0))["seeds"].items() if k == str(corpora.FIRST_SEED)
    }
    small, full = rows_of(tmp_path / "small", 0, corpora.FIRST_SEED), rows_of(corpus, 0, corpora.FIRST_SEED)
    for split in SPLITS:
        assert small[split]["soh"].equals(full[split]["soh"])
        assert np.array_equal(signals(small[split]), signals(full[split]).astype("float32"))
    assert sum(f["bytes"] for f in marker["files"].values()) < 2600 * corpora.ROWS_A_SEED
    assert audit_shard(0, (recipe.out, recipe.specification))[1] == []


def test_a_whole_shard_is_left_as_it_is(copy, lfp_cells):
    recipe = corpora.plan(copy.url, inputs=lfp_cells)
    paths = [recipe.out._path(data_path(s, 1)) for s in SPLITS]
    before = [(path, os.stat(path).st_ino) for path in paths]
    build_shard(1, recipe)
    assert [(path, os.stat(path).st_ino) for path in paths] == before


@pytest.mark.parametrize("damage", ["truncated", "changed", "removed", "no marker", "half a marker", "another corpus"])
def test_a_shard_that_is_not_whole_is_made_again_to_the_same_bytes(copy, corpus, lfp_cells, damage, tmp_path):
    path, marker = tmp_path / "corpus" / data_path("test", 1), tmp_path / "corpus" / marker_path(1)
    whole = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(whole[:-1])
    elif damage == "changed":
        path.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    elif damage == "removed":
        path.unlink()
    elif damage == "no marker":
        marker.unlink()
    elif damage == "half a marker":
        marker.write_bytes(marker.read_bytes()[:100])
    else:
        marker.write_text(marker.read_text().replace('"specification": "', '"specification": "0'))
    recipe = corpora.plan(copy.url, inputs=lfp_cells)
    assert finished(1, (copy, recipe.specification)) is None
    build_shard(1, recipe)
    assert corpora.files_of(tmp_path / "corpus") == corpora.files_of(corpus)


def test_other_packages_are_refused(lfp_cells, tmp_path, monkeypatch):
    recipe = corpora.plan(tmp_path / "out", inputs=lfp_cells)
    monkeypatch.setattr(
        "bridge.corpus.shards.package_versions", lambda: {**recipe.specification.packages, "numpy": "9.9"}
    )
    with pytest.raises(MagBridgeError, match="numpy 9.9 is installed, the corpus was planned with"):
        build_shard(0, recipe)
    assert not (tmp_path / "out/data").exists()


def rewrite(folder, split, shard, change):
    """Changes a file's table and vouches for the new bytes in the marker, as nobody but an attacker would."""
    path, spec = f"{folder.url}/{data_path(split, shard)}", read_specification(folder)
    file = pq.ParquetFile(path)
    groups = [change(file.read_row_group(i)) for i in range(file.num_row_groups)]
    with pq.ParquetWriter(path, groups[0].schema) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, group.num_rows))
    marker = folder.read_json(marker_path(shard))
    entry = marker["files"][data_path(split, shard)]
    entry |= {"bytes": folder.size(data_path(split, shard)), "sha256": folder.sha256(data_path(split, shard))}
    folder.write_text(marker_path(shard), json.dumps(marker))
    return audit_shard(shard, (folder, spec))[1]


def replaced(table, name, values):
    column = pa.array(values, table.schema.field(name).type)
    return table.set_column(table.column_names.index(name), table.schema.field(name), column)


@pytest.mark.parametrize("change, checks", [
    (lambda t: replaced(t, "soh", [0.9] * t.num_rows), {"ids follow from rows"}),
    (lambda t: replaced(t, "master_seed", [99] * t.num_rows), {"master seed"}),
    (lambda t: t.slice(1), {"counts"}),
    (lambda t: t.take([0, *range(t.num_rows)]), {"unique ids", "unique signals"}),
    (lambda t: t.drop(["voltage"]), {"columns"}),
    (lambda t: replaced(t, "time_norm", [[0.0] * 100] * t.num_rows), {"time_norm"}),
    (lambda t: replaced(t, "bridge_version", ["v2.1-osf"] * t.num_rows), {"bridge"}),
])  # fmt: skip
def test_the_audit_sees(copy, change, checks):
    assert checks <= {finding.check for finding in rewrite(copy, "validation", 0, change)}


def test_the_audit_sees_a_cell_in_another_subset(copy, tmp_path):
    test, validation = (pq.ParquetFile(tmp_path / "corpus" / data_path(s, 2)).read() for s in ("test", "validation"))
    found = rewrite(copy, "validation", 2, lambda t: pa.concat_tables([t, test.slice(0, 1)]))
    assert "placement" in {finding.check for finding in found}
    assert validation.num_rows


def test_the_audit_of_a_sound_shard_finds_nothing(corpus):
    folder = Folder.of(corpus)
    for shard in range(3):
        assert audit_shard(shard, (folder, read_specification(folder)))[1] == []
