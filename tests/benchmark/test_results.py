"""Result and predictions files: round trips, the schema, recomputed scores, named errors."""

import dataclasses
import hashlib
import json

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import cross_validate, evaluate_model, few_shot, load_task
from benchmark.baselines import get_model
from benchmark.predictions import DIGEST_KEY, score_predictions, write_predictions
from benchmark.results import SCHEMA_FILE, SHIPPED, check, read_result, read_results, to_json, write_result
from benchmark.tasks import BY_ID, OPTIMISTIC_SPLIT
from dataset_card.errors import MagBridgeError
from dataset_card.schema import MASTER_SEED


@pytest.fixture(scope="module")
def ridge(release):
    return evaluate_model("t1", get_model("ridge"), release)


@pytest.mark.parametrize(
    "task, name", [("t1", "ridge"), ("t2", "linear-svc"), ("t3", "logistic-regression"), ("t4", "constant")]
)
def test_files_round_trip_and_scores_recompute(release, tmp_path, task, name):
    result = evaluate_model(task, get_model(name), release)
    path = write_result(result, tmp_path)
    back = read_result(path)
    assert back.runs == result.runs and back.dataset == result.dataset and back.interval() == result.interval()
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{result.file_stem()}.json", f"{result.file_stem()}.parquet"]
    outcome = score_predictions(tmp_path / back.predictions["file"], task, release)
    assert outcome["scores"] == [run.scores for run in result.runs]
    assert (outcome["interval"]["low"], outcome["interval"]["high"]) == pytest.approx(result.interval(), rel=1e-12)
    document = json.loads(path.read_text())
    assert document["headline"]["mean"] == outcome["mean"][document["headline"]["metric"]]


def test_every_protocol_and_split_files(release, tmp_path):
    model = get_model("ridge")
    results = [evaluate_model("t1", model, release, sampling=s) for s in ("rows", "cells", "full")]
    results += [
        evaluate_model("t1", model, release, split=OPTIMISTIC_SPLIT),
        few_shot("t1", model, release, shots=(2, 5)),
        cross_validate("t1", model, release, folds=3),
    ]
    for result in results:
        write_result(result, tmp_path)
    back = read_results(tmp_path)
    assert len(back) == len(results)
    assert {(r.protocol, r.split, r.runs) for r in map(_hashable, back)} == {
        (r.protocol, r.split, r.runs) for r in map(_hashable, results)
    }
    assert json.loads((tmp_path / f"{results[4].file_stem()}.json").read_text())["headline"] is None


def _hashable(result):
    return dataclasses.replace(
        result, runs=tuple((r.seed, r.k, r.fold, r.n_train, r.scores["r2"]) for r in result.runs)
    )


def test_written_scores_are_unrounded(ridge, tmp_path):
    document = json.loads(write_result(ridge, tmp_path, predictions=False).read_text())
    assert document["predictions"] is None
    assert [run["scores"]["r2"] for run in document["runs"]] == ridge.values().tolist()
    assert any(len(repr(run["scores"]["r2"])) > 15 for run in document["runs"])


def test_rows_without_a_digest_cannot_be_filed(release, tmp_path):
    data = load_task("t1", release)
    loose = dataclasses.replace(data, dataset=dataclasses.replace(data.dataset, digest=None))
    with pytest.raises(MagBridgeError, match="without a dataset digest"):
        write_result(evaluate_model("t1", get_model("constant"), loose), tmp_path)
    assert not list(tmp_path.iterdir())


def test_names_that_are_no_file_names_are_refused(ridge, tmp_path):
    with pytest.raises(MagBridgeError, match=r"model: '\.\./evil' does not match"):
        write_result(dataclasses.replace(ridge, model="../evil"), tmp_path / "results")
    assert not list(tmp_path.iterdir())


def test_schema_is_valid_and_names_the_broken_field(ridge, tmp_path):
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA_FILE.read_text()))
    good = to_json(ridge)
    check(json.loads(json.dumps(good)), "good")
    for change, message in (
        ({"task": "t9"}, "task: 't9'"),
        ({"extra": 1}, "the document: .*extra"),
        ({"seconds": -1.0}, "seconds: -1.0"),
        ({"runs": []}, "runs"),
        ({"dataset": {**good["dataset"], "digest": "abc"}}, "dataset/digest: 'abc'"),
    ):
        with pytest.raises(MagBridgeError, match=f"^bad: {message}"):
            check(json.loads(json.dumps({**good, **change})), "bad")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(MagBridgeError, match="is not JSON"):
        read_result(tmp_path / "x.json")
    with pytest.raises(MagBridgeError, match="no result file"):
        read_result(tmp_path / "y.json")
    with pytest.raises(MagBridgeError, match="no result files in"):
        read_results(tmp_path / "empty")


def test_missing_metric_is_named(ridge):
    with pytest.raises(MagBridgeError, match="ridge on t1 has no f1: it has r2, mae"):
        ridge.mean("f1")


def test_shipped_results_obey_the_schema_and_their_own_statistics():
    """Headlines recompute from the per-cell statistics that each shipped file carries."""
    from benchmark.scoring import headline

    results, everywhere = read_results(SHIPPED), read_results(SHIPPED, other_releases=True)
    assert {r.dataset.seed for r in results} == {MASTER_SEED}
    seeds = {r.dataset.digest: r.dataset.seed for r in everywhere}
    assert sorted(seeds.values()) == [1, 2, 3, MASTER_SEED], "one release a seed"
    assert not any(r.predictions for r in everywhere if r.dataset.seed != MASTER_SEED)
    for result in everywhere:
        if result.cell_ids:
            per_run = headline(BY_ID[result.task], np.sum([run.cells for run in result.runs], axis=1))
            np.testing.assert_allclose(per_run, result.values(), rtol=1e-9, atol=1e-12)
        if result.predictions:
            content = (SHIPPED / result.predictions["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == result.predictions["sha256"]


def predictions(release, task="t1", **changes):
    """A right predictions table of a task, with columns replaced."""
    data = load_task(task, release)
    columns = {"sample_id": data.test.sample_ids.tolist(), "prediction": data.test.target.tolist(), **changes}
    return pa.table({name: column for name, column in columns.items() if column is not None})


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda t: t.slice(1), "samples lfp_14_00313 are missing: expected each of the 96 test samples of t1"),
        (lambda t: pa.concat_tables([t, t.slice(0, 5)]), "and 2 more are there twice"),
        (
            lambda t: t.set_column(0, "sample_id", pa.array(["x"] + t["sample_id"].to_pylist()[1:])),
            "samples x are no test sample",
        ),
        (lambda t: t.drop_columns("prediction"), "has the columns sample_id: expected sample_id and prediction"),
        (lambda t: t.append_column("extra", t["prediction"]), "has the columns sample_id, prediction, extra"),
        (
            lambda t: t.set_column(1, "prediction", pa.array([None] + t["prediction"].to_pylist()[1:])),
            "prediction has 1 nulls",
        ),
        (
            lambda t: t.set_column(1, "prediction", pa.array([float("nan")] + t["prediction"].to_pylist()[1:])),
            "1 predictions are NaN or infinite",
        ),
        (lambda t: t.slice(0, 0), "is empty"),
    ],
)
def test_bad_predictions_are_named(release, tmp_path, damage, message):
    digest = load_task("t1", release).dataset.digest
    write_predictions(tmp_path / "p.parquet", damage(predictions(release)), digest)
    with pytest.raises(MagBridgeError, match=message):
        score_predictions(tmp_path / "p.parquet", "t1", release)


def test_predictions_of_another_release_are_refused(release, tmp_path):
    write_predictions(tmp_path / "p.parquet", predictions(release), "f" * 64)
    with pytest.raises(MagBridgeError, match="was predicted on the dataset ffffffffffff, the release has the digest"):
        score_predictions(tmp_path / "p.parquet", "t1", release)
    (tmp_path / "p.parquet").write_text("no Parquet")
    with pytest.raises(MagBridgeError, match="is not Parquet"):
        score_predictions(tmp_path / "p.parquet", "t1", release)
    with pytest.raises(MagBridgeError, match="no predictions file"):
        score_predictions(tmp_path / "q.parquet", "t1", release)


def test_predictions_from_pandas_in_any_order(release, tmp_path):
    frame = predictions(release, "t2").to_pandas().sample(frac=1, random_state=0)
    frame["prediction"] = frame["prediction"].astype("category")
    frame["score"] = (frame["prediction"] == "reuse").astype(float)
    frame.to_parquet(tmp_path / "p.parquet", index=False)
    outcome = score_predictions(tmp_path / "p.parquet", "t2", release)
    assert outcome["mean"] == {
        "balanced_accuracy": 1.0,
        "f1": 1.0,
        "roc_auc": 1.0,
        "recall_reuse": 1.0,
        "recall_recondition": 1.0,
    }
    assert DIGEST_KEY not in pq.read_schema(tmp_path / "p.parquet").metadata


def test_each_seed_must_be_whole(release, tmp_path):
    one = predictions(release)
    both = pa.concat_tables([one.append_column("seed", pa.array([s] * n)) for s, n in ((0, 96), (1, 96))])
    write_predictions(tmp_path / "p.parquet", both.slice(0, 191), load_task("t1", release).dataset.digest)
    with pytest.raises(MagBridgeError, match="seed 1: samples .* are missing"):
        score_predictions(tmp_path / "p.parquet", "t1", release)
