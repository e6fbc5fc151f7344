"""The page's form: scored, ranked, deleted; kept only with all that an entry needs and a token."""

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmark import evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.leaderboard.space.submission import Form, handle, ranked, summary
from benchmark.leaderboard.texts import COLUMNS
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
    assert notes[-1] == "Scored and deleted: to keep it, also fill in description, licence, trained on, pooling."


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"task": "t4"}, "^oracle.csv: prediction in row 1 is .*: expected one of sensor_dropout"),
        ({"name": "ridge"}, "^submission.yaml: name: ridge is already on the board"),
        ({"name": "<script>"}, "^submission.yaml: name: '<script>' does not match"),
        ({"code": "file:///etc/passwd"}, "^submission.yaml: code: 'file:///etc/passwd' does not match"),
    ],
)
def test_what_does_not_hold_is_told_without_our_paths_and_deleted(release, board, upload, changes, message):
    form = Form(**{"task": "t1", "file": upload, **changes})
    with pytest.raises(MagBridgeError, match=message) as caught:
        handle(form, release, board, None)
    assert "/tmp" not in str(caught.value) and not upload.parent.exists()


def test_a_task_that_does_not_exist_is_no_path(release, board, upload, tmp_path):
    with pytest.raises(MagBridgeError, match="unknown task"):
        handle(Form(str(tmp_path / "t1"), upload), release, board, None)
    assert not list(tmp_path.iterdir())


def test_names_of_uploads_are_only_names(release, board, upload):
    odd = upload.with_name("a b;$(id).exe")
    shutil.move(upload, odd)
    result, _ = handle(Form("t1", odd), release, board, None)
    assert result.mean() == 1.0 and os.listdir(odd.parent.parent) == []


def resident_MB():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("many", "at_once"), [(20, 6), pytest.param(200, 20, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_a_long_life_leaves_no_file_and_takes_no_memory(release, board, upload, tmp_path, monkeypatch, many, at_once):
    scratch, whole = tmp_path / "scratch", upload.read_bytes()
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def submit(number: int) -> float:
        path = tmp_path / f"upload-{number}" / "oracle.csv"
        path.parent.mkdir()
        path.write_bytes(whole if number % 4 else b"sample_id,prediction\\nx,1\\n")  # each fourth is refused
        try:
            return handle(Form("t1", path), release, board, None)[0].mean()
        except MagBridgeError:
            return 0.0

    expected = [1.0 if number % 4 else 0.0 for number in range(many)]
    assert [submit(number) for number in range(8)] == expected[:8]
    more = range(many, many + at_once)
    before = resident_MB()
    assert [submit(number) for number in range(many)] == expected
    with ThreadPoolExecutor(at_once) as pool:
        assert list(pool.map(submit, more)) == [1.0 if number % 4 else 0.0 for number in more]
    assert resident_MB() - before < 40
    assert list(scratch.iterdir()) == [] and not list(tmp_path.glob("upload-*"))
