"""Predictions files as people make them, and every mistake in one with its own line."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark import load_task
from benchmark.data import dataset_info, load_truth
from benchmark.predictions.reading import MAX_BYTES, MAX_ROWS, MAX_SEEDS, read_file
from benchmark.predictions.scored import score_file, score_predictions
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def frames(release):
    """Right predictions by task, as a data frame."""
    tests = {task: load_task(task, release).test for task in ("t1", "t2", "t4")}
    return {
        task: pd.DataFrame({"sample_id": test.sample_ids.astype(object), "prediction": test.target})
        for task, test in tests.items()
    }


WAYS = {
    "parquet": lambda f, p: f.to_parquet(p),
    "parquet with a named index": lambda f, p: f.set_index("sample_id").to_parquet(p),
    "parquet of a shuffled frame": lambda f, p: f.sample(frac=1, random_state=1).to_parquet(p),
    "parquet of categories": lambda f, p: f.astype({"sample_id": "category"}).to_parquet(p),
    "csv": lambda f, p: f.to_csv(p, index=False),
    "csv with an index": lambda f, p: f.to_csv(p),
    "csv with semicolons": lambda f, p: f.to_csv(p, index=False, sep=";"),
    "csv with tabs and a mark": lambda f, p: f.to_csv(p, index=False, sep="\t", encoding="utf-8-sig"),
    "json lines": lambda f, p: f.to_json(p, orient="records", lines=True, double_precision=15),
}


@pytest.mark.parametrize("task", ["t1", "t2"])
@pytest.mark.parametrize("way", WAYS)
def test_takes_what_people_write(release, frames, tmp_path, task, way):
    path = tmp_path / f"p.{way.split()[0]}"
    WAYS[way](frames[task], path)
    outcome = score_predictions(path, task, release)
    headline = get_task(task).headline.name
    assert outcome["mean"][headline] == pytest.approx(1.0, abs=1e-12)
    assert [r for r in outcome["remarks"] if r.startswith("columns")] == []


def test_extra_columns_are_ignored_and_named(release, frames, tmp_path):
    frame = frames["t4"].assign(score=0.5, note="x", truth=1)
    frame.to_csv(tmp_path / "p.csv")
    remarks = score_predictions(tmp_path / "p.csv", "t4", release)["remarks"]
    assert remarks[0] == "columns ignored: note, truth, score"
    frames["t4"].assign(**{"\x1b[2Jt4:\n1.0": 1}).to_csv(tmp_path / "p.csv")
    remarks = score_predictions(tmp_path / "p.csv", "t4", release)["remarks"]
    assert remarks[0] == r"columns ignored: \x1b[2Jt4: 1.0"
    assert remarks[1].startswith("every prediction is right")


def test_labels_may_come_later(release, frames, tmp_path):
    """A hidden round: the same path with a table of labels instead of a release."""
    folder, task = release, get_task("t2")
    labels = load_truth(task, folder, "by_cell_primary")._replace(release_ids=())
    frames["t2"].to_csv(tmp_path / "p.csv", index=False)
    runs, _, _ = score_file(tmp_path / "p.csv", task, dataset_info(folder), labels, "round")
    assert runs[0].scores["balanced_accuracy"] == 1.0


def _set(frame, column, value, row=3):
    frame = frame.astype({column: object})
    frame.loc[row, column] = value
    return frame


def _percent(frame):
    return frame.assign(prediction=frame["prediction"] * 100)


def _train(release, frame):
    return _set(frame, "sample_id", load_task("t1", release).train.sample_ids[0])


FRAMES = [
    ("t1", lambda f: f[:-1], "are missing: expected each of the 96 test samples of t1"),
    ("t1", lambda f: f[:50], "and 43 more are missing"),
    ("t1", lambda f: pd.concat([f, f[:5]]), "and 2 more occur more than once"),
    ("t1", lambda f: _set(f, "sample_id", "lfp_x"), "samples lfp_x are not in the release"),
    ("t1", lambda f: _set(f, "sample_id", " "), "column sample_id has 1 nulls, the first in row 4"),
    ("t1", lambda f: _set(f, "sample_id", "x" * 300), "sample_id .*300 characters"),
    ("t1", _percent, "is predicted as 7.* to 9.*: expected a fraction, about 0.7 to 1; divide percent by 100"),
    ("t1", lambda f: _set(f, "prediction", np.nan), "column prediction has 1 nulls, the first in row 4"),
    ("t1", lambda f: _set(f, "prediction", "nan"), "1 predictions are NaN or infinite, the first in row 4"),
    ("t1", lambda f: _set(f, "prediction", "inf"), "1 predictions are NaN or infinite"),
    ("t1", lambda f: _set(f, "prediction", "1e999"), "1 predictions are NaN or infinite"),
    ("t1", lambda f: _set(f, "prediction", "0,85"), "prediction in row 4 is '0,85': expected a number, with a point"),
    ("t1", lambda f: _set(f, "prediction", "high"), "prediction in row 4 is 'high': expected a number"),
    ("t1", lambda f: f.assign(prediction=True), "prediction in row 1 is 'True': expected a number"),
    ("t1", lambda f: f.rename(columns={"prediction": "Prediction"}), "no column prediction .*did you mean Prediction"),
    ("t1", lambda f: f.rename(columns={"sample_id": "id"}), "no column sample_id \\(it has"),
    ("t1", lambda f: f.assign(seed=-1), "seed in row 1 is '-1': expected a whole number"),
    ("t1", lambda f: f.assign(seed=0.5), "seed in row 1 is '0.5': expected a whole number"),
    ("t1", lambda f: f.assign(seed="a"), "seed in row 1 is 'a': expected a whole number"),
    ("t1", lambda f: f.assign(seed=[0] * 95 + [1]), "seed 0: samples .* are missing"),
    ("t1", lambda f: f[:0], "is empty: expected one row for each test sample"),
    ("t2", lambda f: _set(f, "prediction", "Reuse"), "'Reuse': expected one of reuse, recondition; did you mean reuse"),
    ("t2", lambda f: _set(f, "prediction", "recycle"), "is 'recycle': expected one of reuse, recondition"),
    ("t2", lambda f: f.assign(prediction=1), "is '1': expected one of .* class numbers and probabilities"),
    ("t2", lambda f: f.assign(prediction=0.7), "is '0.7': expected one of .* class numbers and probabilities"),
    ("t2", lambda f: f.assign(score=np.inf), "96 scores are NaN or infinite"),
    ("t2", lambda f: f.assign(score="sure"), "score in row 1 is 'sure': expected a number"),
    ("t4", lambda f: f.assign(prediction="none"), "is 'none': expected one of sensor_dropout"),
]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("task, damage, message", FRAMES, ids=[message[:40] for _, _, message in FRAMES])
def test_each_mistake_in_a_table_has_its_line(release, frames, tmp_path, task, damage, message, suffix):
    frame, path = damage(frames[task].copy()), tmp_path / f"p.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        kinds = {c: str for c in frame if frame[c].dtype == object and any(isinstance(v, str) for v in frame[c])}
        frame = frame.where(frame.notna(), None)
        for column in kinds:
            frame[column] = [None if v is None or str(v).strip() == "" else str(v) for v in frame[column]]
        frame.to_parquet(path, index=False)
    with pytest.raises(MagBridgeError, match=message) as caught:
        score_predictions(path, task, release)
    assert "\n" not in str(caught.value)


def test_training_rows_are_named(release, frames, tmp_path):
    _train(release, frames["t1"]).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(MagBridgeError, match="samples .* are training rows or rows of another task"):
        score_predictions(tmp_path / "p.csv", "t1", release)


GOOD = '{"sample_id": "a", "prediction": 0.9}\n'
CONTENTS = [
    (b"\xff\xfe\x00", "is neither Parquet nor UTF-8 text \\(byte 0\\)"),
    (b"PAR1 and no more", "is not readable Parquet"),
    (b"", "has no column sample_id \\(it has none\\)"),
    (b"sample_id,prediction\na,0.9,7\n", "row 1 has 3 fields: expected 2, as in the header"),
    (b"sample_id,prediction,prediction\na,1,2\n", "has the column prediction 2 times"),
    (b'sample_id,prediction\n"a,0.9\n', "is not CSV \\(unexpected end of data\\)"),
    (b"sample_id,prediction\n" + b"a" * 200_000 + b",1\n", "is not CSV \\(field larger"),
    (b"a," * 100_000 + b"\n1\n", "has over 1,000 columns"),
    (b"sample_id,prediction\n" + b"a,1\n" * (MAX_ROWS + 1), "has over 200,000 rows: expected one per test sample"),
    (b"[" + GOOD.encode() + b"]", "is a JSON list: expected JSON lines, one object per line"),
    (GOOD.encode() + b'{"sample_id": ', "line 2 is not valid JSON"),
    (GOOD.encode() + b"[1]", "line 2 is not a JSON object"),
    (b'{"a": ' * 100_000, "line 1 is not valid JSON"),
    (GOOD.encode() + b'{"sample_id": "\\ud800", "prediction": 1}', "line 2 is not valid JSON .*surrogates"),
    (GOOD.encode() + b'{"\\ud800": 1}', "line 2 is not valid JSON .*surrogates"),
    (GOOD.encode() + b'{"sample_id": "b"}', "column prediction has 1 nulls, the first in row 2"),
    (b'{"sample_id": 7, "prediction": 0.9}', "sample_id in row 1 is '7': expected an id as text"),
    (b'{"sample_id": "a", "prediction": [0.9]}', "prediction in row 1 is '\\[0.9\\]': expected a number"),
    (b'{"sample_id": "a", "prediction": NaN}', "1 predictions are NaN or infinite"),
    (b'{"sample_id": "a", "prediction": 1' + b"0" * 400 + b"}", "prediction in row 1 is '10000.*': expected a number"),
]


@pytest.mark.parametrize("content, message", CONTENTS, ids=[message[:40] for _, message in CONTENTS])
def test_each_mistake_in_a_file_has_its_line(tmp_path, content, message):
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(MagBridgeError, match=message) as caught:
        read_file(tmp_path / "p", get_task("t1"))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


NESTED = {
    "list": pa.array([[0.9]]),
    "struct": pa.array([{"soh": 0.9}]),
    "map": pa.array([[("soh", 0.9)]], pa.map_(pa.string(), pa.float64())),
    "binary": pa.array([b"0.9"]),
    "timestamp": pa.array([1], pa.timestamp("s")),
    "decimal": pa.array(["0.9"]).cast(pa.decimal128(5, 2)),
}


@pytest.mark.parametrize("kind", NESTED)
def test_columns_of_other_kinds_are_refused_by_the_footer(tmp_path, kind):
    pq.write_table(pa.table({"sample_id": ["a"], "prediction": NESTED[kind]}), tmp_path / "p.parquet")
    with pytest.raises(MagBridgeError, match="column prediction has the type .*: expected text or numbers"):
        read_file(tmp_path / "p.parquet", get_task("t1"))


def test_small_files_that_unpack_to_much_are_refused_unread(tmp_path):
    path = tmp_path / "bomb.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(MAX_ROWS, np.int32)), pa.array(["x" * 2**20]))
    pq.write_table(pa.table({"sample_id": text, "prediction": np.zeros(MAX_ROWS)}), path, compression="zstd")
    assert path.stat().st_size < 10_000
    tracemalloc.start()
    before = pa.default_memory_pool().max_memory()
    with pytest.raises(MagBridgeError, match="column sample_id has a text of 1,048,576 characters"):
        read_file(path, get_task("t1"))
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    assert pa.default_memory_pool().max_memory() < max(before, 64 * 2**20) + 64 * 2**20
    tracemalloc.stop()
    many = pa.array(["y" * 4000] * 100_000)
    pq.write_table(pa.table({"sample_id": many, "prediction": np.zeros(100_000)}), path, use_dictionary=False)
    with pytest.raises(MagBridgeError, match="unpacks to 0.4 GB: expected a file of at most 0.3 GB"):
        read_file(path, get_task("t1"))
    with open(tmp_path / "huge.csv", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(MagBridgeError, match="huge.csv is 20.0 MB: expected at most 20 MB"):
        read_file(tmp_path / "huge.csv", get_task("t1"))
    with pytest.raises(MagBridgeError, match="no predictions file"):
        read_file(tmp_path / "absent.csv", get_task("t1"))


@pytest.fixture(scope="module")
def real_files(frames, tmp_path_factory):
    folder, frame = tmp_path_factory.mktemp("real"), frames["t2"].assign(seed=0, score=0.5)
    frame.to_parquet(folder / "p.parquet")
    frame.to_csv(folder / "p.csv")
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_end_in_one_line(real_files, tmp_path, data):
    content = bytearray(data.draw(st.sampled_from(real_files)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] = data.draw(st.integers(0, 255))
        else:
            del content[at : at + data.draw(st.integers(1, 400))]
        content = content or bytearray(b"x")
    (tmp_path / "p").write_bytes(content)
    try:
        read_file(tmp_path / "p", get_task("t2"))
    except MagBridgeError as error:
        assert "\n" not in str(error)


def test_a_number_too_large_to_square_is_named(tmp_path):
    (tmp_path / "p.csv").write_text("sample_id,prediction\na,0.9\nb,1e300\n")
    with pytest.raises(MagBridgeError, match="prediction in row 2 is '1e300': expected a number within 1e.09"):
        read_file(tmp_path / "p.csv", get_task("t1"))


@pytest.mark.parametrize(("start", "row"), [(b"sample_id,prediction\n", b",\n"), (b"", b"{}\n")])
def test_rows_beyond_the_limit_are_not_kept(tmp_path, start, row):
    path = tmp_path / "p.txt"
    path.write_bytes(start + row * 2_000_000)
    tracemalloc.start()
    with pytest.raises(MagBridgeError, match="has over 200,000 rows"):
        read_file(path, get_task("t1"))
    assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
    tracemalloc.stop()


def test_a_json_line_may_hold_a_line_separator(frames, tmp_path):
    frame = frames["t4"].assign(note="a\u2028b")
    frame.to_json(tmp_path / "p.jsonl", orient="records", lines=True, force_ascii=False)
    assert read_file(tmp_path / "p.jsonl", get_task("t4"))[0].num_rows == len(frame)


def test_many_seeds_of_few_rows_are_refused_before_they_are_scored(frames, tmp_path):
    path, frame = tmp_path / "p.parquet", frames["t4"]
    for seeds in (MAX_SEEDS, MAX_SEEDS + 1):
        pd.concat([frame.assign(seed=seed) for seed in range(seeds)]).to_parquet(path)
        if seeds == MAX_SEEDS:
            assert read_file(path, get_task("t4"))[0].num_rows == seeds * len(frame)
    with pytest.raises(MagBridgeError, match="p.parquet has 101 different seeds: expected at most 100"):
        read_file(path, get_task("t4"))
