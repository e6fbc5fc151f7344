"""Submissions: from README to a checked folder, where it stands, and every mistake refused by name."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import yaml

from benchmark import evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.leaderboard.boards import leaderboard, standing
from benchmark.leaderboard.submissions import (
    FILE,
    SCHEMA_FILE,
    Submission,
    check,
    filed,
    read_submission,
    read_submissions,
    rescore,
)
from benchmark.leaderboard.texts import placed, texts_of
from benchmark.predictions import write_predictions
from benchmark.results import SHIPPED, read_results, write_results
from benchmark.rounds import Answers
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def taken(release):
    """A board of two baselines."""
    data = load_task("t2", release)
    return [evaluate_model("t2", get_model(name), data) for name in ("constant", "linear-svc")]


def quiet_is_reuse(signals):
    """A function of raw signals."""
    noise = signals.std(axis=(1, 2))
    return np.where(noise < np.median(noise), "reuse", "recondition")


@pytest.fixture(scope="module")
def made(release, tmp_path_factory):
    """A submission of a pipeline on T1 and a function of raw signals on T2."""
    from sklearn.linear_model import Ridge

    folder = tmp_path_factory.mktemp("submissions") / "my-model"
    for task, model in (("t1", Ridge()), ("t2", quiet_is_reuse)):
        result = evaluate_model(task, model, release, name="my-model", description="Ridge, and a threshold.")
        result.save(
            folder,
            authors=["Ada Lovelace"],
            licence="MIT",
            trained_on=[],
            pooling="scan",
            code="https://example.org/code",
        )
    return folder


@pytest.fixture
def entry(made, tmp_path):
    """A copy to damage."""
    return shutil.copytree(made, tmp_path / "entries" / "my-model")


def test_a_saved_result_is_a_submission_that_holds(made, release, taken):
    checked = check(read_submission(made), Answers(release), taken)
    assert {result.model for result in checked.results} == {"my-model"} and not checked.is_late
    assert sorted(path.name for path in made.iterdir()) == [FILE, "t1.parquet", "t2.parquet"], "nothing is written"
    data = {task: load_task(task, release) for task in ("t1", "t2")}
    again = evaluate_model("t2", quiet_is_reuse, data["t2"])
    (t1, t2) = checked.results
    assert [run.scores for run in t2.runs] == [run.scores for run in again.runs] and t2.battery_ids == again.battery_ids
    assert len(t1.runs) == 5 and t1.n_features == 57 and t1.protocol == "submitted"


def test_where_it_stands_is_told_at_once(made, release, taken):
    result = check(read_submission(made), Answers(release), taken).results[1]
    place, entries = standing(result, taken)
    (board,) = [b for b in leaderboard([*taken, result]) if b.task == "t2"]
    assert entries == board.entries and place in entries and len(entries) == 3
    line = placed(result, taken)
    assert line.startswith(f"t2: balanced_accuracy {result.mean():.4f} (") and f"rank {texts_of(place)[0]} of 3" in line


def test_rescoring_finds_what_was_filed(entry, release, taken):
    with pytest.raises(MagBridgeError, match="has 0 results files, expected 1: run"):
        rescore(read_submissions(entry.parent), [Answers(release)], taken)
    write_results(check(read_submission(entry), Answers(release), taken).results, entry, predictions=False)
    (again,) = rescore(read_submissions(entry.parent), [Answers(release)], taken)
    before = filed(read_submission(entry))
    assert [r.mean() for r in before] == [r.mean() for r in again]
    check(read_submission(entry), Answers(release), before)  # its own earlier scores do not take its name


def test_rescoring_refuses_other_figures_than_the_predictions_give(entry, release, taken):
    result = evaluate_model("t2", get_model("linear-svc"), release)
    write_results(check(read_submission(entry), Answers(release), taken).results, entry, predictions=False)
    write_predictions(entry / "t2.parquet", result.table, result.dataset.digest)
    told = "my-model: t2 is filed with .*, but its predictions and submission.yaml give"
    with pytest.raises(MagBridgeError, match=told):
        rescore(read_submissions(entry.parent), [Answers(release)], taken)
    document = yaml.safe_load((entry / FILE).read_text())
    del document["tasks"]["t2"]
    (entry / FILE).write_text(yaml.safe_dump(document))
    (entry / "t2.parquet").unlink()
    with pytest.raises(MagBridgeError, match="contains t2 my-model .*, which is not a result of this entry"):
        rescore(read_submissions(entry.parent), [Answers(release)], taken)


def test_an_entry_can_be_submitted_from_among_the_others(entry, release, taken, monkeypatch):
    """In its place it has no scores yet: they are what `submit` files."""
    from typer.testing import CliRunner

    from benchmark.__main__ import app
    from benchmark.leaderboard import submissions

    monkeypatch.setattr(submissions, "SUBMISSIONS", entry.parent)
    done = CliRunner().invoke(app, ["submit", str(entry), "--data", str(release)])
    assert done.exit_code == 0 and f"{entry} is valid, scores filed in it" in done.output, done.exception
    done = CliRunner().invoke(app, ["rescore", "--data", str(release)])
    assert "my-model: t1, t2 as filed" in done.output, done.exception


def test_an_entry_can_be_submitted_from_within(entry, release, taken, monkeypatch):
    from typer.testing import CliRunner

    from benchmark.__main__ import app

    monkeypatch.chdir(entry)
    write_results(taken, entry.parent / "results")
    done = CliRunner().invoke(app, ["submit", ".", "--data", str(release), "--results", str(entry.parent / "results")])
    assert done.exit_code == 0 and ". is valid, scores filed in it" in done.output, done.exception
    assert [result.model for result in filed(read_submission(entry))] == ["my-model", "my-model"]


def test_a_broken_shipped_entry_stops_its_own_submission_only(entry, release, monkeypatch, caplog):
    from typer.testing import CliRunner

    from benchmark.__main__ import app
    from benchmark.leaderboard import submissions

    monkeypatch.setattr(submissions, "SUBMISSIONS", entry.parent)
    for name in ("unread", "unscored", "doubled", "Doubled"):
        _change(name=name)(shutil.copytree(entry, entry.with_name(name)))
    entry.with_name("linked").symlink_to(entry.with_name("unread"))
    (entry.with_name("unread") / FILE).write_text("[")
    (entry.with_name("unscored") / "t2.parquet").write_bytes(b"PAR1")
    done = CliRunner().invoke(app, ["submit", str(entry), "--data", str(release)])
    assert done.exit_code == 0 and f"{entry} is valid, scores filed in it" in done.output, done.exception
    told = [line for line in caplog.messages if "is broken" in line]
    assert [line.split(":")[1] for line in told] == [
        f" the shipped entry {name} is broken and is left out"
        for name in ("Doubled", "doubled", "linked", "unread", "unscored")
    ]
    for name in ("unread", "unscored", "doubled"):
        done = CliRunner().invoke(app, ["submit", str(entry.with_name(name)), "--data", str(release)])
        assert done.exit_code == 1 and isinstance(done.exception, MagBridgeError)
    with pytest.raises(MagBridgeError, match="Doubled: another entry's name differs only in case"):
        read_submissions(entry.parent)


@pytest.mark.parametrize("name", ["a", "z"])
def test_only_the_results_file_that_submit_writes_is_an_entrys(entry, release, taken, name):
    from benchmark.commands.boards import submit

    write_results(check(read_submission(entry), Answers(release), taken).results, entry, predictions=False)
    (own,) = entry.glob("*.jsonl")
    other = own.with_name(f"{name}-{own.name[-14:]}")
    shutil.copy(own, other)
    with pytest.raises(MagBridgeError, match="has 2 results files, expected 1: remove them and run"):
        submit(entry, str(release))
    own.unlink()
    with pytest.raises(MagBridgeError, match=f"{other.name} contains t1 .*, which is not a result of this entry"):
        submit(entry, str(release))
    assert not own.exists()
    other.rename(entry.parent / "elsewhere.jsonl")
    for link in (own, entry / "README.md"):
        link.symlink_to(entry.parent / "elsewhere.jsonl")
        with pytest.raises(MagBridgeError, match=f"{link.name} is a link, a folder or a pipe: expected a regular file"):
            submit(entry, str(release))
        link.unlink()


def test_links_in_a_circle_are_no_entry(entry):
    loop = entry.with_name("loop")
    loop.symlink_to("loop")
    with pytest.raises(MagBridgeError, match="no submission.yaml in"):
        read_submission(loop)
    assert [found.folder for found in read_submissions(entry.parent)] == [entry]


def test_an_entry_is_not_entered_twice_by_a_link(entry):
    entry.with_name("again").symlink_to(entry)
    with pytest.raises(MagBridgeError, match="entries/again is a link: expected a folder"):
        read_submissions(entry.parent)


def test_missing_predictions_are_named_before_any_label_is_read(entry):
    (entry / "t1.parquet").rename(entry / "T1.parquet")
    with pytest.raises(MagBridgeError, match="no predictions file .*my-model/t1.parquet: expected the files that"):
        read_submissions(entry.parent)


def test_predictions_cannot_be_taken_for_results(entry, release):
    name = f"mine-{Answers(release).digest[:8]}.jsonl"
    (entry / "t1.parquet").rename(entry / name)
    _change(tasks={"t1": {"predictions": name}, "t2": {"predictions": "t2.parquet"}})(entry)
    with pytest.raises(MagBridgeError, match=f"{name} is named like a results file: expected another name, such as t1"):
        read_submission(entry)


def test_a_folder_without_entries_is_not_a_check_that_passed(made, tmp_path):
    with pytest.raises(MagBridgeError, match="no folder .*typo: expected submissions, one folder per entry"):
        read_submissions(tmp_path / "typo")
    with pytest.raises(MagBridgeError, match="my-model is one entry: expected a folder with one folder per entry"):
        read_submissions(made)
    for name in ("mine", "Mine"):
        (tmp_path / name).mkdir()
    with pytest.raises(MagBridgeError, match="Mine: another entry's name differs only in case: rename one of them"):
        read_submissions(tmp_path)


def test_every_shipped_entry_is_rescored_to_the_last_digit(published_release):
    """What a pull request's check does; the example has the predictions of a shipped baseline, and so its scores."""
    board = read_results(SHIPPED)
    again = rescore(read_submissions(), [Answers(published_release)], board)
    (example,) = next(found for found in again if found[0].model == "example-ridge")
    (ridge,) = [
        r for r in board
        if r.key == ("t1", "ridge", "by_cell_primary", "rows") and r.dataset.digest == example.dataset.digest
    ]  # fmt: skip
    assert [run.scores for run in example.runs] == [run.scores for run in ridge.runs]
    assert example.interval() == ridge.interval()


def _change(**fields):
    def change(folder):
        document = yaml.safe_load((folder / FILE).read_text())
        for name, value in fields.items():
            if value is None:
                del document[name]
            else:
                document[name] = value
        (folder / FILE).write_text(yaml.safe_dump(document))

    return change


def _text(text):
    return lambda folder: (folder / FILE).write_bytes(text)


def _rename(folder):
    folder.rename(folder.with_name("other"))


def _link(folder):
    (folder / "t1.parquet").rename(folder.parent / "elsewhere.parquet")
    (folder / "t1.parquet").symlink_to(folder.parent / "elsewhere.parquet")


MISTAKES = {
    "no submission.yaml in": lambda folder: (folder / FILE).unlink(),
    "over 64 kB": _text(b"a: " + b"x" * 70_000),
    "is not plain YAML \\(.*is given twice": _text(b"name: a\nname: b\n"),
    "is not plain YAML \\(aliases are not allowed": _text(b"a: &a [1]\nb: *a\n"),
    "is not plain YAML \\(tags such as .* are not allowed": _text(b"!!python/object/apply:os.system [id]"),
    "is not plain YAML \\(.*codec": _text(b"\xff\xfe\xff"),
    "is not plain YAML \\(.*expected": _text(b"a: [1"),
    "is not plain YAML": _text(b"[" * 30_000),
    "the document: None is not of type 'object'": _text(b""),
    "the document: 'authors' is a required property": _change(authors=None),
    "the document: 'licence' is a required property": _change(licence=None),
    "the document: Additional properties .*'email'": _change(email="a@b.c"),
    "authors: \\[\\] should be non-empty|authors: \\[\\] is too short": _change(authors=[]),
    "authors/0: 7 is not of type": _change(authors=[7]),
    "description: .* does not match": _change(description="Fast\x1b[2J."),
    "licence: .* does not match": _change(licence="MIT\x00"),
    "hardware: .* does not match": _change(hardware="a\x85b"),
    "version: .* does not match": _change(version="1\u2066"),
    "authors/1: .* does not match": _change(authors=["Ada", "\u202eecalevoL"]),
    "name: 'my model' does not match": _change(name="my model"),
    "name: 'my-model\\\\n' does not match": _change(name="my-model\n"),
    "name: 'other-model' in the folder 'my-model'": _change(name="other-model"),
    "name: 'my-model' in the folder 'other'": _rename,
    "code: 'javascript:alert\\(1\\)' does not match": _change(code="javascript:alert(1)"),
    "paper: 'https://a b' does not match": _change(paper="https://a b"),
    "date: '21.11.2026' does not match": _change(date="21.11.2026"),
    "date: '2026-02-30' is not a valid date": _change(date="2026-02-30"),
    "release: 'abc' does not match": _change(release="abc"),
    "release: ffffffffffff is named, but .* has the digest": _change(release="f" * 64),
    "the document: 'pooling' is a required property": _change(pooling=None),
    "pooling: 'cell' is not one of": _change(pooling="cell"),
    "trained_on/0: 'v1' does not match": _change(trained_on=["v1"]),
    "test_data_leakage: 'no' is not of type 'boolean'": _change(test_data_leakage="no"),
    "test_data_leakage: true: a model that used labels of test rows": _change(test_data_leakage=True),
    "replication_code: true without `code`": _change(code=None),
    "tasks: {} should be non-empty|tasks: {} does not have enough": _change(tasks={}),
    "tasks: .*'t0' does not match": _change(tasks={"t0": {"predictions": "t1.parquet"}}),
    "tasks/t1/predictions: '\\.\\./t1.csv' does not match": _change(tasks={"t1": {"predictions": "../t1.csv"}}),
    "tasks/t1/seconds: -1 is less than": _change(tasks={"t1": {"predictions": "t1.parquet", "seconds": -1}}),
    "contains t2.parquet: expected only submission.yaml, t1.parquet; remove it": _change(
        tasks={"t1": {"predictions": "t1.parquet"}}
    ),
    "two tasks share a predictions file": lambda folder: (
        _change(tasks={t: {"predictions": "t1.parquet"} for t in ("t1", "t2")})(folder),
        (folder / "t2.parquet").unlink(),
    ),
    "contains model.pkl: expected": lambda folder: (folder / "model.pkl").write_bytes(b"x"),
    "no predictions file": lambda folder: (folder / "t2.parquet").unlink(),
    "t1.parquet is a link": _link,
    "t1.parquet is a link, a folder or a pipe": lambda folder: (
        (folder / "t1.parquet").unlink(),
        os.mkfifo(folder / "t1.parquet"),
    ),
    "is not plain YAML .*nan is not allowed: expected a finite number": _change(
        tasks={"t1": {"predictions": "t1.parquet", "seconds": float("nan")}}
    ),
    "is not readable Parquet": lambda folder: (folder / "t1.parquet").write_bytes(b"PAR1"),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_each_mistake_in_a_folder_has_its_line(entry, release, taken, message):
    MISTAKES[message](entry)
    folder = entry if entry.exists() else entry.with_name("other")
    with pytest.raises(MagBridgeError, match=message) as caught:
        check(read_submission(folder), Answers(release), taken)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["linear-svc", "Linear-SVC"])
def test_a_name_on_the_board_is_not_free(entry, release, taken, name):
    _change(name=name)(entry)
    folder = entry.rename(entry.with_name(name))
    with pytest.raises(MagBridgeError, match=f"name: {name} is already on the board"):
        check(read_submission(folder), Answers(release), taken)


def test_what_cannot_be_submitted_is_not_saved(release, tmp_path):
    result = evaluate_model("t2", get_model("constant"), release)
    with pytest.raises(MagBridgeError, match="the folder .* for the model 'constant': expected the same name"):
        result.save(tmp_path / "other", authors=["A"], licence="MIT", trained_on=[], pooling="scan")
    with pytest.raises(MagBridgeError, match="authors 'Ada': expected a list of names"):
        result.save(tmp_path / "constant", authors="Ada", licence="MIT", trained_on=[], pooling="scan")
    with pytest.raises(MagBridgeError, match="pooling 'cell': expected scan"):
        result.save(tmp_path / "constant", authors=["A"], licence="MIT", trained_on=[], pooling="cell")
    leaking = evaluate_model("t2", get_model("constant"), release, split="by_record_optimistic_baseline")
    with pytest.raises(MagBridgeError, match="cannot be submitted"):
        leaking.save(tmp_path / "constant", authors=["A"], licence="MIT", trained_on=[], pooling="scan")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text, message",
    [
        ("release: [", "is not plain YAML"),
        ("a: &a [1]\nb: *a\n", "aliases are not allowed"),
        ("\xff", "is not plain YAML"),
        ("- 1\n", "lacks `release` and `tasks`"),
        ("release: 1\n", "lacks `release` and `tasks`"),
    ],
)
def test_a_damaged_description_is_named_before_anything_is_added(release, tmp_path, text, message):
    result = evaluate_model("t2", get_model("constant"), release)
    folder = tmp_path / "constant"
    folder.mkdir()
    (folder / FILE).write_text(text, encoding="latin-1")
    with pytest.raises(MagBridgeError, match=message):
        result.save(folder, authors=["A"], licence="MIT", trained_on=[], pooling="scan")
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_fields_are_those_of_the_schema(made):
    schema = json.loads(SCHEMA_FILE.read_text())
    fields = dataclasses.fields(Submission)
    assert {f.name for f in fields} == schema["properties"].keys()
    optional = {f.name for f in fields if f.default is not dataclasses.MISSING} - {"schema_version"}
    assert schema["properties"].keys() - set(schema["required"]) == optional
    assert read_submission(made).submission.tasks.keys() == {"t1", "t2"}
