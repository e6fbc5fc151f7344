"""Results files: round trips, neighbours, damage, and the shipped ones rescored."""

import dataclasses
import functools
import json
import multiprocessing

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmark import cross_validate, evaluate_model, few_shot, load_task
from benchmark.baselines import get_model
from benchmark.data import load_truth
from benchmark.predictions.scored import score_table
from benchmark.results import (
    OFFICIAL_TEST,
    SHIPPED,
    read_predictions,
    read_results,
    result_files,
    write_result,
    write_results,
)
from benchmark.scoring import score
from benchmark.tasks import BY_ID, OPTIMISTIC_SPLIT
from bridge.generate import resolve
from bridge.release.folder import build
from bridge.v3.config import PhysicsConfig
from bridge.v3.release import InputsV3
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def every_kind(release):
    """A result of every protocol, split and kind of prediction."""
    model = get_model("ridge")
    return [
        *(evaluate_model("t1", model, release, sampling=s) for s in ("rows", "cells", "full")),
        evaluate_model("t1", model, release, split=OPTIMISTIC_SPLIT),
        few_shot("t1", model, release, shots=(2, 5)),
        cross_validate("t1", model, release, folds=3),
        evaluate_model("t2", get_model("linear-svc"), release),
        cross_validate("t3", get_model("logistic-regression"), release, folds=3),
        evaluate_model("t4", get_model("constant"), release),
    ]


def test_files_round_trip(every_kind, tmp_path):
    (path,) = write_results(every_kind, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, path.with_suffix(".parquet").name]
    back = {result.key: result for result in read_results(tmp_path)}
    assert list(back) == sorted(result.key for result in every_kind) and len(path.read_text().splitlines()) == 9
    for result in every_kind:
        read = back[result.key]
        assert dataclasses.replace(read, predictions=None) == result and read.interval() == result.interval()
        if result.table is None:
            with pytest.raises(MagBridgeError, match="was filed without predictions"):
                read_predictions(path, [read])
        else:
            assert read_predictions(path, [read])[read.key].equals(result.table)
            assert read.predictions["rows"] == result.table.num_rows


def test_a_new_result_changes_its_own_line_alone(every_kind, tmp_path):
    (path,) = write_results(every_kind[1:], tmp_path)
    before = path.read_text().splitlines()
    assert write_result(every_kind[0], tmp_path) == path
    assert write_result(every_kind[0], tmp_path) == path, "in place of itself"
    after = path.read_text().splitlines()
    assert len(after) == len(before) + 1 and [line for line in after if line in before] == before
    rows = pq.read_table(path.with_suffix(".parquet")).num_rows
    assert rows == sum(r.table.num_rows for r in every_kind if r.table is not None)


def _write(result, folder):
    write_result(result, folder)


def test_two_processes_may_add_to_one_folder(every_kind, tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(result, tmp_path)) for result in every_kind]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert {r.key for r in read_results(tmp_path)} == {r.key for r in every_kind}


def test_fold_predictions_give_the_fold_scores(every_kind, release):
    result = every_kind[5]
    data = load_task("t1", release)
    truth = {i: t for s in data.subsets() for i, t in zip(s.sample_ids, s.target)}
    assert sorted(result.table["sample_id"].to_pylist()) == sorted(truth), "every row once"
    for run in result.runs:
        rows = result.table.filter(pc.equal(result.table["fold"], run.fold))
        target = np.array([truth[i] for i in rows["sample_id"].to_pylist()])
        assert score(data.task, target, rows["prediction"].to_numpy()) == run.scores


def test_written_scores_are_unrounded(ridge, tmp_path):
    (line,) = write_result(ridge, tmp_path, predictions=False).read_text().splitlines()
    document = json.loads(line)
    assert document["predictions"] is None and len(list(tmp_path.iterdir())) == 1
    assert [run["scores"]["r2"] for run in document["runs"]] == ridge.values().tolist()
    assert any(len(repr(run["scores"]["r2"])) > 15 for run in document["runs"])


def test_rows_without_a_digest_cannot_be_filed(release, tmp_path):
    data = load_task("t1", release)
    loose = dataclasses.replace(data, dataset=dataclasses.replace(data.dataset, digest=None))
    with pytest.raises(MagBridgeError, match="without a dataset digest|digest: None"):
        write_result(evaluate_model("t1", get_model("constant"), loose), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../evil", "trailing\n", "a b", ""])
def test_names_that_are_no_file_names_are_refused(ridge, tmp_path, name):
    with pytest.raises(MagBridgeError, match="model: .* does not match|model: .*non-empty"):
        write_result(dataclasses.replace(ridge, model=name), tmp_path / "results")
    rows = dataclasses.replace(ridge.dataset, name=name)
    with pytest.raises(MagBridgeError, match="dataset/name: .* does not match"):
        write_result(dataclasses.replace(ridge, dataset=rows), tmp_path / "results")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "1 is not JSON"),
        (b'{"r2": NaN}', "NaN is not a JSON number"),
        (b"[" * 100_000, "1 is not JSON"),
        (b'{"model": "\\udfff"}', "1 is not JSON .*surrogates"),
        (b"\xff\xfe", "is not text"),
        (b"[]", "1: the document: .* is not of type 'object'"),
    ],
)
def test_files_that_are_no_results_are_named(tmp_path, content, message):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(MagBridgeError, match=f"x.jsonl.*{message}"):
        read_results(tmp_path)
    with pytest.raises(MagBridgeError, match="no results at"):
        read_results(tmp_path / "y.jsonl")


def test_predictions_that_are_not_the_results_own_are_named(ridge, tmp_path):
    path = write_result(ridge, tmp_path)
    (result,) = read_results(path)
    beside = path.with_suffix(".parquet")
    table = pq.read_table(beside)
    pq.write_table(table.set_column(7, "value", pc.add(table["value"], 1e-12)), beside)
    with pytest.raises(MagBridgeError, match="holds other predictions of t1 ridge"):
        read_predictions(path, [result])
    for damage in (b"", b"no Parquet"):
        beside.write_bytes(damage)
        with pytest.raises(MagBridgeError, match="not a readable Parquet file"):
            read_predictions(path, [result])
    pq.write_table(table.drop_columns("score"), beside)
    with pytest.raises(MagBridgeError, match="cannot be read"):
        read_predictions(path, [result])


def test_shipped_results_are_one_file_a_release():
    """Reading them checks each against the schema and its own statistics by cell."""
    results = read_results(SHIPPED)
    seeds = {r.dataset.digest: r.dataset.seed for r in results}
    assert sorted(seeds.values()) == [1, 2, 3, MASTER_SEED] and len(results) == 360
    assert len(list(SHIPPED.glob("*.jsonl"))) == 4 and len(list(SHIPPED.glob("*.parquet"))) == 1


@pytest.fixture(scope="module", params=["v1", "v2", pytest.param("v3", marks=pytest.mark.slow)])
def shipped(request, upstream_dir, tmp_path_factory):
    """The release that shipped results with predictions are of, and their file."""
    edition = request.param
    place = SHIPPED if edition == "v1" else SHIPPED / edition
    folder = tmp_path_factory.mktemp(edition) / f"magbridge-battery-{edition}"
    if edition == "v1":
        folder = request.getfixturevalue("published_release")
    elif edition == "v2":
        build(folder, resolve("v2", "published", upstream_dir))
    else:
        build(folder, InputsV3(), PhysicsConfig())
    (path,) = (p for p in place.glob("*.jsonl") if p.with_suffix(".parquet").is_file())
    return folder, path


@pytest.mark.gate
def test_shipped_predictions_give_the_shipped_figures(shipped):
    """To the last digit: labels and formulas are the same on every machine."""
    folder, path = shipped
    truth = functools.cache(lambda task, split: load_truth(BY_ID[task], folder, split))
    filed = [r for r in read_results(path) if r.predictions and r.protocol in OFFICIAL_TEST]
    assert len(filed) >= (25 if "-v" in path.name else 97)
    tables = read_predictions(path, filed)
    for result in filed:
        table, task = tables[result.key], BY_ID[result.task]
        runs = score_table(table, task, truth(result.task, result.split), "shipped", result.split)
        assert [run.seed for run in runs] == [run.seed for run in result.runs]
        assert [run.scores for run in runs] == [run.scores for run in result.runs]
        assert [run.batteries for run in runs] == [run.batteries for run in result.runs]


@pytest.mark.gate
def test_shipped_fold_predictions_give_the_shipped_figures(shipped):
    folder, path = shipped
    filed = [r for r in read_results(path) if r.predictions and r.protocol == "cross_validation"]
    assert {r.task for r in filed} == (
        {"t5", "t6", "t7", "t8", "t9"} if "v3" in path.name else {"t1", "t2", "t3", "t4"}
    )
    tables = read_predictions(path, filed)
    for result in filed:
        table, data = tables[result.key], load_task(result.task, folder)
        truth = {i: t for s in data.subsets() for i, t in zip(s.sample_ids, s.target)}
        assert truth.keys() == set(table["sample_id"].to_pylist())
        for run in result.runs:
            rows = table.filter(pc.equal(table["fold"], run.fold))
            target = np.array([truth[i] for i in rows["sample_id"].to_pylist()])
            scores = rows["score"].to_numpy() if "score" in rows.column_names else None
            assert score(data.task, target, np.array(rows["prediction"].to_pylist()), scores) == run.scores


@pytest.mark.gate
def test_shipped_results_on_v2_hold_r2_by_table_and_their_predictions():
    results = read_results(SHIPPED / "v2")
    assert {(r.dataset.name, r.dataset.bridge_version) for r in results} == {("magbridge-battery-v2", "v2.1-hybrid")}
    assert {r.dataset.seed for r in results} == {1, 2, 3, MASTER_SEED}
    assert all((r.dataset.remark is None) == (r.dataset.seed == MASTER_SEED) for r in results)
    (path,) = (p for p in result_files(SHIPPED / "v2") if str(MASTER_SEED) in p.name)
    for result in (r for r in results if r.dataset.seed == MASTER_SEED):
        if result.protocol not in ("null", "law_transfer", "ceiling", "few_shot"):
            assert result.predictions["rows"] == read_predictions(path, [result])[result.key].num_rows
        by_table = all("r2_by_table" in run.scores for run in result.runs)
        assert by_table == (result.task == "t1" and result.protocol != "cross_validation")
        assert (result.by_visit() is not None) == (
            result.task in ("t1", "t2") and result.protocol not in ("cross_validation", "law_transfer", "few_shot")
        )
