"""Copies of other models are named by their errors, scaled or with a little noise too; right predictions are not."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmark import evaluate_model
from benchmark.baselines import get_model
from benchmark.data import load_truth
from benchmark.leaderboard.copies import Known, copies, errors, filed_errors
from benchmark.results import read_files, write_results
from benchmark.rounds import Answers
from benchmark.tasks import get_task


@pytest.fixture(scope="module")
def ridge(release):
    return evaluate_model("t1", get_model("ridge"), release)


def _with(result, change):
    table = result.table
    values = pa.array(change(table["prediction"].to_numpy()))
    return dataclasses.replace(
        result, model="other", table=table.set_column(table.column_names.index("prediction"), "prediction", values)
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda p, noise: p, True),
        (lambda p, noise: 0.5 * p + 0.3, True),
        (lambda p, noise: -2 * p + 1, True),
        (lambda p, noise: p + 0.1 * noise, True),
        (lambda p, noise: 1e150 * (0.9 * p + 0.1 * noise), True),
        (lambda p, noise: p + 0.5 * noise, False),
        (lambda p, noise: 0 * p, False),
    ],
    ids=["same", "scaled", "turned", "noise", "huge", "much noise", "constant"],
)
def test_copies_of_numbers_are_named_with_a_little_noise_too(ridge, release, tmp_path, change, named):
    (path,) = write_results([ridge], tmp_path)
    truth = load_truth(get_task("t1"), Path(release), "by_cell_primary")
    known = dict(zip(truth.sample_ids.tolist(), truth.target))
    spread = np.std(ridge.table["prediction"].to_numpy() - [known[s] for s in ridge.table["sample_id"].to_pylist()])
    noise = np.random.default_rng(0).normal(0, spread, ridge.table.num_rows)
    mine = _with(ridge, lambda p: change(p, noise))
    found = copies([Known(mine, errors(mine, truth))], filed_errors(read_files(path), [Answers(release)]))
    assert [remark.ranked for remark in found] == [True] * named
    assert not named or "its errors match those of ridge (" in found[0].words


def test_copies_of_labels_are_named_and_right_ones_are_not(release, tmp_path):
    forest = evaluate_model("t2", get_model("ridge-classifier"), release)
    (path,) = write_results([forest], tmp_path)
    truth = load_truth(get_task("t2"), Path(release), "by_cell_primary")
    others = filed_errors(read_files(path), [Answers(release)])
    right = dict(zip(truth.sample_ids.tolist(), truth.target.tolist()))
    labels = forest.table["prediction"].to_pylist()
    wrong = [i for i, (s, label) in enumerate(zip(forest.table["sample_id"].to_pylist(), labels)) if right[s] != label]
    for share, named in ((0.0, 1), (0.01, 1), (0.3, 0), (1.0, 0)):  # of the errors, put right
        mended = list(labels)
        for i in np.random.default_rng(0).permutation(wrong)[: int(share * len(wrong))]:
            mended[i] = right[forest.table["sample_id"][i].as_py()]
        table = forest.table.set_column(forest.table.column_names.index("prediction"), "prediction", pa.array(mended))
        mine = dataclasses.replace(forest, model="mine", table=table)
        assert len(copies([Known(mine, errors(mine, truth))], others)) == named
