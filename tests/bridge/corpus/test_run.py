import json
import shutil
import subprocess
import sys

import pytest
from datasets import load_dataset
from datasets.distributed import split_dataset_by_node

from bridge.corpus import run
from bridge.corpus.shards import build_shard
from bridge.corpus.storage import Folder
from bridge.v3.config import PhysicsConfig
from bridge.v3.release import InputsV3
from dataset_card.contract.configs import SPLITS
from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine
from dataset_card.storage.digests import files_digest
from tests import corpora

ONE = Engine(jobs=1)
ROWS = 5 * corpora.ROWS_A_SEED


@pytest.fixture
def copy(corpus, tmp_path):
    return shutil.copytree(corpus, tmp_path / "corpus")


def test_two_processes_make_the_same_bytes(corpus, lfp_cells, tmp_path):
    run.build(corpora.plan(tmp_path / "out", inputs=lfp_cells), Engine(jobs=2))
    assert corpora.files_of(tmp_path / "out") == corpora.files_of(corpus)
    assert not list((tmp_path / "out").rglob(".*"))


def test_it_loads_and_streams_as_what_the_manifest_says(corpus):
    manifest = json.loads((corpus / "manifest.json").read_text())
    assert manifest["counts"]["rows"] == ROWS and manifest["counts"]["cells"] == 56
    assert manifest["counts"]["provenance"] == {"anomaly": 40, "clean": 5 * 560, "regime_b": 500}
    assert manifest["splits"]["by_cell_primary"]["leakage"] == {
        "cells_in_more_than_one_subset": 0,
        "parent_child_pairs_across_subsets": 0,
    }
    assert manifest["files_digest"] == files_digest(corpus)
    loaded = load_dataset(str(corpus))
    streamed = load_dataset(str(corpus), streaming=True)
    for split in SPLITS:
        rows = manifest["splits"]["by_cell_primary"]["subsets"][split]["rows"]
        assert loaded[split].num_rows == rows
        keys = [(row["master_seed"], row["sample_id"]) for row in streamed[split]]
        assert keys == list(zip(loaded[split]["master_seed"], loaded[split]["sample_id"])) and len(set(keys)) == rows
    assert sum(loaded.num_rows.values()) == ROWS


def test_nodes_share_the_rows_and_a_stream_goes_on_where_it_stood(corpus):
    train = load_dataset(str(corpus), split="train", streaming=True).select_columns(["master_seed", "sample_id"])
    rows = [tuple(row.values()) for row in train]
    for nodes in (2, 3):  # shards that do not divide by the nodes, and that do
        shares = [[tuple(r.values()) for r in split_dataset_by_node(train, i, nodes)] for i in range(nodes)]
        assert sorted(sum(shares, [])) == sorted(rows) and min(map(len, shares)) > 0
    shuffled = train.shuffle(seed=3, buffer_size=50)
    order = [tuple(row.values()) for row in shuffled]
    assert order != rows and sorted(order) == sorted(rows)

    begun = iter(train)
    first = [tuple(next(begun).values()) for _ in range(700)]
    state = train.state_dict()
    train.load_state_dict(state)
    assert first + [tuple(row.values()) for row in train] == rows


def test_an_unfinished_corpus_is_refused_until_it_is_finished(corpus, lfp_cells, tmp_path):
    out = tmp_path / "out"
    recipe = corpora.plan(out, inputs=lfp_cells)
    for shard in (0, 1):
        build_shard(shard, recipe)
        for streaming in (False, True):
            with pytest.raises(FileNotFoundError, match="UNFINISHED-CORPUS"):
                load_dataset(str(out), streaming=streaming)
    with pytest.raises(MagBridgeError, match="1 of 3 shards are missing or damaged, shard 000002 first; run .*build"):
        run.finish(out, ONE)
    assert [str(finding) for finding in run.verify(out, ONE)] == [
        "_shards/000002.json: missing, of another corpus, or does not match its files [shards]",
        "manifest.json: missing: the corpus is not finished [manifest]",
    ]
    build_shard(2, recipe)
    run.finish(out, ONE)
    assert corpora.files_of(out) == corpora.files_of(corpus)


def test_the_same_command_again_changes_nothing(copy, corpus, lfp_cells):
    before = {p: p.stat().st_ino for p in (copy / "data").rglob("*.parquet")}
    run.build(corpora.plan(copy, inputs=lfp_cells), ONE)
    assert {p: p.stat().st_ino for p in (copy / "data").rglob("*.parquet")} == before
    assert corpora.files_of(copy) == corpora.files_of(corpus)


@pytest.mark.parametrize("changes, words", [
    ({"seeds": 6}, "its seeds is 5, but 6 was requested"),
    ({"first_seed": 12}, "first_seed is 11"),
    ({"dtype": "float32"}, "dtype is 'float64'"),
    ({"variants": 2}, "composition is"),
])  # fmt: skip
def test_other_wishes_are_refused_and_change_nothing(copy, corpus, lfp_cells, changes, words):
    with pytest.raises(MagBridgeError, match=words):
        corpora.plan(copy, inputs=lfp_cells, **changes)
    assert corpora.files_of(copy) == corpora.files_of(corpus)


def test_a_folder_of_something_else_is_left_as_it_was(lfp_cells, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(MagBridgeError, match="something other than a corpus"):
        corpora.plan(tmp_path, inputs=lfp_cells)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_that_readers_would_take_for_rows_is_refused(copy, lfp_cells):
    shutil.copy(copy / "data/train/000000.parquet", copy / "data/train/copy.parquet")
    with pytest.raises(MagBridgeError, match="data/train/copy.parquet: not a file of this corpus"):
        run.finish(copy, ONE)


@pytest.mark.parametrize("name", ["README.md", "manifest.json"])
def test_a_file_of_the_users_is_kept(copy, lfp_cells, name):
    (copy / "notes.txt").write_text("mine")
    assert run.build(corpora.plan(copy, inputs=lfp_cells), ONE) and (copy / "notes.txt").read_text() == "mine"
    (copy / name).write_text("mine")
    with pytest.raises(MagBridgeError, match=f"{name} is not as this corpus wrote it and was kept: move it elsewhere"):
        run.build(corpora.plan(copy, inputs=lfp_cells), ONE)
    assert (copy / name).read_text() == "mine"
    (copy / name).unlink()
    run.build(corpora.plan(copy, inputs=lfp_cells), ONE)
    assert run.verify(copy, ONE) == []


def test_the_map_in_the_folder_is_used_and_a_lost_one_is_fitted_again(copy, corpus, lfp_cells):
    (copy / "scan_map.npz").unlink()
    recipe = corpora.plan(copy, inputs=lfp_cells)
    assert recipe.scan_map.sha256 == recipe.specification.scan_map
    assert corpora.files_of(copy) == corpora.files_of(corpus)


@pytest.mark.parametrize("name, check", [
    ("manifest.json", "manifest"), ("README.md", "checksums"), ("checksums.sha256", "checksums"),
    ("data/test/000001.parquet", "shards"), ("scan_map.npz", "checksums"),
])  # fmt: skip
def test_verify_sees_damage(copy, name, check):
    path = copy / name
    data = path.read_bytes()
    path.write_bytes(data.replace(b"3340", b"3341") if name == "manifest.json" else data[: len(data) // 2])
    assert check in {finding.check for finding in run.verify(copy, ONE)}


def test_verify_of_a_sound_corpus_on_two_processes(corpus):
    assert run.verify(corpus, Engine(jobs=2)) == []


def test_in_an_object_store_it_has_the_same_bytes(corpus, lfp_cells, bucket, tmp_path):
    out = f"{bucket}/corpus"
    run.build(corpora.plan(out, inputs=lfp_cells), Engine(jobs=2))
    files, path = Folder.of(out)._place
    files.get(path, str(tmp_path / "copy"), recursive=True)
    assert corpora.files_of(tmp_path / "copy") == corpora.files_of(corpus)
    assert run.verify(out, ONE) == []


def test_in_memory_it_takes_one_process(corpus, lfp_cells):
    recipe = corpora.plan("memory://corpora/one", inputs=lfp_cells)
    with pytest.raises(MagBridgeError, match="in the memory of one process"):
        run.build(recipe, Engine(jobs=2))
    run.build(recipe, ONE)
    assert run.verify("memory://corpora/one", ONE) == []
    found = Folder.of("memory://corpora/one").read_json("manifest.json")
    assert found == json.loads((corpus / "manifest.json").read_text())


def test_v1_has_corpora_too(tmp_path):
    from bridge.generate import resolve

    options = {"variants": 1, "anomalies": 4, "regime_b": 60, "shard_rows": 1}
    manifest = run.build(run.plan(tmp_path / "v1", resolve("v1", "simulated"), 1000, **options), ONE)
    assert manifest["name"] == "magbridge-battery-corpus-simulated" and manifest["counts"]["rows"] == 1248
    assert run.verify(tmp_path / "v1", ONE) == []
    assert load_dataset(str(tmp_path / "v1")).num_rows == {
        name: subset["rows"] for name, subset in manifest["splits"]["by_cell_primary"]["subsets"].items()
    }


def test_too_few_rows_for_every_pseudo_cell_are_an_error_not_a_leak(tmp_path):
    from bridge.generate import resolve

    options = {"variants": 1, "anomalies": 0, "regime_b": 2, "shard_rows": 10**6}
    recipe = run.plan(tmp_path / "v1", resolve("v1", "simulated"), 3000, **options)
    with pytest.raises(MagBridgeError, match="expected enough Regime-B rows"):
        run.build(recipe, ONE)


def bridge(*arguments):
    return subprocess.run([sys.executable, "-m", "bridge", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.gate
def test_the_commands(tmp_path):
    out = tmp_path / "corpus"
    options = ["--rows", 700, "--upstream", "simulated", "--variants", 1, "--anomalies", 8, "--regime-b", 60]
    planned = bridge("corpus", "plan", out, *options)
    assert planned.returncode == 0 and "1256 rows of v1.3-simulated, the releases of master seeds" in planned.stdout
    built = bridge("corpus", "build", out, *options, "--jobs", 1, "--json")
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["counts"]["rows"] == 1256
    assert json.loads(built.stdout)["rebuild"].startswith(
        "python -m bridge corpus build magbridge-battery-corpus --rows 1256"
    )
    other = bridge("corpus", "build", out, *options, "--seed", 5)
    assert other.returncode == 1 and "is another corpus: its first_seed" in other.stderr.splitlines()[-1]
    (out / "CITING.md").write_text("")
    broken = bridge("corpus", "verify", out, "--jobs", 1)
    assert broken.returncode == 1 and broken.stdout.endswith("1 broken promises\n")


def test_a_corpus_of_v3_has_new_cells_in_every_seed(tmp_path):
    config = PhysicsConfig(mesh=(9, 7))
    options = {"config": config, "virtual_cells": 40, "first_seed": 1, "shard_rows": 160}
    recipe = run.plan(tmp_path / "out", InputsV3(), 320, **options)
    manifest = run.build(recipe, ONE)
    assert recipe.specification.shards == 2 and manifest["counts"]["rows"] == 320 and manifest["counts"]["cells"] == 80
    assert not run.verify(tmp_path / "out", ONE)
    rows = load_dataset(str(tmp_path / "out"), split="train")
    assert rows.features["rest"].feature.dtype == "float32" and set(rows["master_seed"]) == {1, 2}
    run.build(run.plan(tmp_path / "again", InputsV3(), 320, **options), Engine(jobs=2))
    assert corpora.files_of(tmp_path / "again") == corpora.files_of(tmp_path / "out")
