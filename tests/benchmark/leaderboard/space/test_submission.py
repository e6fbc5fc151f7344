"""The page's form: scored, ranked, deleted; kept only with all that an entry needs and a token."""

import os
import shutil

import pytest

from benchmark import evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.leaderboard.boards import COLUMNS
from benchmark.leaderboard.space.submission import Form, handle, ranked, summary
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def board(release):
    return [evaluate_model("t1", get_model(name), release) for name in ("constant", "ridge")]


@pytest.fixture
def upload(release, tmp_path):
    """The truth of T1, as an upload lands: in a folder of its own."""
    test = load_task("t1", release).test
    path = tmp_path / "upload" / "oracle.csv"
    path.parent.mkdir()
    lines = [f"{i},{soh}" for i, soh in zip(test.sample_ids, test.target)]
    path.write_text("\n".join(["sample_id,prediction", *lines]))
    return path


def test_a_form_is_scored_ranked_and_deleted(release, board, upload):
    result, notes = handle(Form("t1", upload), release, board, None)
    assert "**r2 1.0000**" in summary(result, notes) and "| mae | 0.0000 |" in summary(result, notes)
    assert notes[0].startswith("t1: r2 1.0000 (1.0000 to 1.0000), rank 1 of 3") and "deleted" in notes[-1]
    rows = ranked(result, board)
    assert [row[1] for row in rows] == ["➤ your-predictions", "ridge", "constant"]
    assert [row[COLUMNS.index("protocol")] for row in rows] == ["submitted", "rows", "rows"]
    assert not upload.parent.exists()


def test_without_all_fields_nothing_is_kept(release, board, upload, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    _, notes = handle(Form("t1", upload, name="oracle", authors="Ada"), release, board, "USER/submissions")
    assert notes[-1] == "Scored and deleted: to keep it, fill in description, licence too."


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"task": "t4"}, "^oracle.csv: prediction in row 1 is .*: expected one of sensor_dropout"),
        ({"name": "ridge"}, "^submission.yaml: name: ridge is on the board already"),
        ({"name": "<script>"}, "^submission.yaml: name: '<script>' does not match"),
        ({"code": "file:///etc/passwd"}, "^submission.yaml: code: 'file:///etc/passwd' does not match"),
    ],
)
def test_what_does_not_hold_is_told_without_our_paths_and_deleted(release, board, upload, changes, message):
    form = Form(**{"task": "t1", "file": upload, **changes})
    with pytest.raises(MagBridgeError, match=message) as caught:
        handle(form, release, board, None)
    assert "/tmp" not in str(caught.value) and not upload.parent.exists()


def test_names_of_uploads_are_only_names(release, board, upload):
    odd = upload.with_name("a b;$(id).exe")
    shutil.move(upload, odd)
    result, _ = handle(Form("t1", odd), release, board, None)
    assert result.mean() == 1.0 and os.listdir(odd.parent.parent) == []
