"""Reading a release: rows by the contract, in release order, from folder, datasets and Hub."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmark.data import Subset, TaskData, as_task_data, dataset_info, load_task, load_truth, metadata_by_id
from benchmark.features import static_features
from benchmark.tasks import OPTIMISTIC_SPLIT, PRIMARY_SPLIT, TASKS, get_task
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError
from tests.hub import LoopbackHub


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
@pytest.mark.parametrize("split", [PRIMARY_SPLIT, OPTIMISTIC_SPLIT])
def test_holds_every_row_once_in_release_order(release, task, split):
    data = load_task(task, release, split)
    order = pq.read_table(release / "metadata.parquet").to_pylist()
    provenance = {"none": "clean", "synthetic_sensor_perturbation": "anomaly", "bridge_extrapolation": "regime_b"}
    expected = [row for row in order if provenance[row["anomaly_origin"]] in task.rows]
    ids = np.concatenate([s.sample_ids for s in data.subsets()])
    assert sorted(ids) == sorted(row["sample_id"] for row in expected)
    position = {row["sample_id"]: i for i, row in enumerate(order)}
    target = {row["sample_id"]: row[task.target] for row in order}
    for subset in data.subsets():
        assert (np.diff([position[i] for i in subset.sample_ids]) > 0).all()
        assert subset.target.tolist() == [target[i] for i in subset.sample_ids]
    truth = load_truth(task, release, split)
    assert set(truth.release_ids) == position.keys()
    for name in ("sample_ids", "cell_ids", "battery_ids", "parents", "target"):
        assert getattr(truth, name).tolist() == getattr(data.test, name).tolist()
    has_children = {row["parent_sample_id"] for row in order}
    assert truth.parents.tolist() == [i in has_children for i in truth.sample_ids.tolist()]


def test_primary_split_shares_no_cell_and_the_optimistic_one_does(release):
    def shared(split):
        data = load_task("t3", release, split)
        return set(data.train.cell_ids) & set(data.test.cell_ids)

    assert not shared(PRIMARY_SPLIT)
    assert shared(OPTIMISTIC_SPLIT)


def test_signals_are_those_of_the_row(release):
    data = load_task("t4", release)
    path = next(release.glob("data/anomaly/by-cell-train/*.parquet"))
    row = pq.read_table(path).slice(2, 1).to_pylist()[0]
    i = data.train.sample_ids.tolist().index(row["sample_id"])
    np.testing.assert_array_equal(data.train.signals[i], np.array([row[c] for c in CHANNELS]).T)


@pytest.mark.parametrize("task", ["t1", "t4"])
def test_clean_rows_come_with_soh(release, task):
    clean = load_task(task, release).clean()
    t1 = load_task("t1", release)
    for name in ("train", "validation", "test"):
        assert clean[name].sample_ids.tolist() == getattr(t1, name).sample_ids.tolist()
        assert clean[name].target.tolist() == getattr(t1, name).target.tolist()


def test_metadata_come_by_id_with_nan_for_null(v3_release):
    rows = pq.read_table(v3_release / "metadata.parquet", columns=["sample_id", "share", "defect"]).to_pylist()[::-7]
    found = metadata_by_id(v3_release, [row["sample_id"] for row in rows], "share", "defect")
    assert found["share"].dtype == float and found["defect"].tolist() == [row["defect"] for row in rows]
    assert np.isnan(found["share"]).tolist() == [row["share"] is None for row in rows]
    assert 0 < np.isnan(found["share"]).sum() < len(rows)


def test_reads_a_dataset_dict(release, tmp_path):
    import datasets

    files = {s: [str(p) for p in sorted(release.glob(f"data/clean/by-cell-{s}/*.parquet"))] for s in ("train", "test")}
    dataset = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path))
    data = as_task_data("t1", dataset)
    np.testing.assert_array_equal(as_task_data("t1", dataset.with_format("torch")).test.target, data.test.target)
    with pytest.raises(MagBridgeError, match="cannot read rows from IterableDatasetDict: .*not streamed"):
        as_task_data("t1", datasets.load_dataset("parquet", data_files=files, streaming=True))
    whole = load_task("t1", release)
    assert data.validation is None and data.dataset.digest is None
    order = np.argsort(data.test.sample_ids)
    np.testing.assert_array_equal(data.test.signals[order], whole.test.signals[np.argsort(whole.test.sample_ids)])


def test_inputs_are_computed_once(release):
    data, calls = load_task("t4", release), []

    def features(signals):
        calls.append(len(signals))
        return static_features(signals)

    assert data.inputs(features, "test") is data.inputs(features, "test")
    assert data.inputs(None, "test") is data.test.signals
    assert calls == [len(data.test)]


def test_errors_name_what_is_wrong(release, tmp_path):
    with pytest.raises(MagBridgeError, match="no release at nowhere: expected a folder with manifest.json or a Hub id"):
        load_task("t1", "nowhere")
    with pytest.raises(MagBridgeError, match="unknown split 'by_row'"):
        load_task("t1", release, "by_row")
    with pytest.raises(MagBridgeError, match="data of task t1 given for task t2"):
        as_task_data("t2", load_task("t1", release))
    with pytest.raises(MagBridgeError, match="cannot read rows from list"):
        as_task_data("t1", [])
    with pytest.raises(MagBridgeError, match="expected one of each per row"):
        Subset(np.array(["a"]), np.array(["1"]), np.zeros((2, 100, 6)), np.zeros(1))
    broken = tmp_path / "broken"
    shutil.copytree(release, broken)
    shutil.rmtree(broken / "data" / "regime_b" / "by-cell-test")
    with pytest.raises(MagBridgeError, match="metadata.parquet and data/ disagree: .* has no row in data/"):
        load_task("t3", broken)
    with pytest.raises(MagBridgeError, match="has no regime_b rows in the test subset of by_cell_primary"):
        load_truth(get_task("t3"), broken, "by_cell_primary")
    manifest = json.loads((broken / "manifest.json").read_text())
    del manifest["dataset_digest"]
    (broken / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(MagBridgeError, match="dataset_digest"):
        load_task("t1", broken)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"name": "x"}', '{"upstream": 3}'])
def test_odd_manifests_are_named(release, tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(MagBridgeError, match="manifest.json"):
        dataset_info(tmp_path)


def test_broken_files_of_a_release_are_named(release, tmp_path):
    folder = shutil.copytree(release, tmp_path / "release")
    (folder / "metadata.parquet").write_bytes(b"PAR1")
    with pytest.raises(MagBridgeError, match="metadata.parquet"):
        load_task("t1", folder)


def test_rows_outside_the_metadata_are_an_error(release, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(release, broken)
    metadata = pq.read_table(broken / "metadata.parquet")
    pq.write_table(metadata.slice(1), broken / "metadata.parquet")
    with pytest.raises(MagBridgeError, match=r"metadata.parquet and data/ disagree: \d+ rows in data/, \d+ expected"):
        load_task("t1", broken)


def test_data_without_clean_rows_says_so(release):
    data = load_task("t4", release)
    bare = TaskData(data.task, data.train, data.validation, data.test)
    with pytest.raises(MagBridgeError, match="pass TaskData"):
        bare.clean()


def test_hub_id_gives_the_rows_of_the_folder(release, tmp_path):
    """The same rows, in the same order, and a clear line for a dataset that is not there."""
    upload = (
        "from huggingface_hub import HfApi\nHfApi().create_repo('user/tiny', repo_type='dataset')\n"
        f"HfApi().upload_folder(repo_id='user/tiny', repo_type='dataset', folder_path={str(release)!r})"
    )
    read = (
        "import json\nfrom benchmark import load_task\ndata = load_task('t3', 'user/tiny')\n"
        "print(json.dumps([data.dataset.digest, data.train.sample_ids.tolist(), float(data.test.signals.sum())]))"
    )
    with LoopbackHub() as hub:
        environment = hub.env(tmp_path)
        for code in (upload, read):
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stderr
        missing = subprocess.run(
            [sys.executable, "-m", "benchmark", "run", "--data", "user/nothing", "--task", "t1"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
    data = load_task("t3", release)
    digest, ids, total = json.loads(done.stdout.splitlines()[-1])
    assert (digest, ids) == (data.dataset.digest, data.train.sample_ids.tolist())
    assert total == pytest.approx(data.test.signals.sum(), rel=1e-12)
    assert missing.returncode == 1 and missing.stderr.startswith("error: cannot download the dataset user/nothing")


def test_without_a_release_named_the_one_built_here_is_read(release, tmp_path, monkeypatch):
    (tmp_path / "magbridge-battery").symlink_to(release)
    monkeypatch.chdir(tmp_path)
    assert len(load_task("t1").test) == len(load_task("t1", release).test)
    (tmp_path / "magbridge-battery").unlink()
    with pytest.raises(
        MagBridgeError, match="no release at magbridge-battery: .* build one with `python -m bridge build`"
    ):
        load_task("t1")


def test_a_task_of_another_edition_is_answered_with_the_releases_own(v3_release):
    with pytest.raises(MagBridgeError, match="no clean rows in .* one of its tasks .t5, t6, t7, t8, t9.;"):
        load_truth(get_task("t1"), v3_release, PRIMARY_SPLIT)
