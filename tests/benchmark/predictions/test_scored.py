"""Predictions files: scores recomputed from them, and named errors."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import load_task
from benchmark.predictions.scored import DIGEST_KEY, score_predictions, write_predictions
from dataset_card.errors import MagBridgeError


def predictions(release, task="t1", **changes):
    """A right predictions table of a task, with columns replaced."""
    data = load_task(task, release)
    columns = {"sample_id": data.test.sample_ids.tolist(), "prediction": data.test.target.tolist(), **changes}
    return pa.table({name: column for name, column in columns.items() if column is not None})


def test_predictions_of_another_release_are_refused(release, tmp_path):
    write_predictions(tmp_path / "p.parquet", predictions(release), "f" * 64)
    with pytest.raises(
        MagBridgeError, match="was predicted on the dataset ffffffffffff, but the release has the digest"
    ):
        score_predictions(tmp_path / "p.parquet", "t1", release)
    (tmp_path / "p.parquet").write_text("no Parquet")
    with pytest.raises(MagBridgeError, match="is not readable Parquet"):
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
