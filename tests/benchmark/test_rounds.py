"""A hidden round as an entrant, an organiser and a stranger go through it."""

import json
import re
import shutil

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from benchmark import load_task
from benchmark.features import static_features
from benchmark.leaderboard.boards import leaderboard
from benchmark.leaderboard.entries import LATE, recompute
from benchmark.leaderboard.submissions import check, is_late, read_submission, read_submissions, rescore
from benchmark.leaderboard.texts import placed, to_markdown
from benchmark.predictions import save_entry, score_predictions
from benchmark.results import write_results
from benchmark.rounds import Answers, load_round
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import sha256_of


@pytest.fixture(scope="module")
def story(v2_release, tmp_path_factory):
    """Opened by an organiser, entered by a stranger, revealed; the open copy stays."""
    from bridge.generate import resolve
    from bridge.rounds.folder import commit, open_round, reveal
    from bridge.rounds.secret import draw_secret

    place = tmp_path_factory.mktemp("round")
    upstream, secret = resolve("v2", "simulated"), draw_secret(place / "secret.json", "round-1")
    open_round(place / "round-1", secret, upstream)
    shutil.copytree(place / "round-1", place / "still-open")

    train, hidden = load_task("t1", v2_release), load_round("t1", place / "round-1")
    model = Ridge().fit(static_features(train.train.signals), train.train.target)
    predicted = hidden.table(model.predict(static_features(hidden.signals)))
    about = {"authors": ["Ada Lovelace"], "licence": "MIT", "trained_on": [train.dataset.digest], "pooling": "scan"}
    save_entry(place / "entries/my-ridge", "t1", predicted, hidden.digest, description="Ridge.", **about)

    commit(place / "round-1", "my-ridge", {"t1": sha256_of(place / "entries/my-ridge/t1.parquet")})
    reveal(place / "round-1", secret, upstream)
    return place


def test_what_was_not_committed_before_the_reveal_is_never_ranked(story, tmp_path):
    """Labels are there for all to read by then, and the date in a file is nobody's witness."""
    from bridge.rounds.folder import commit, verify

    revealed = shutil.copytree(story / "round-1", tmp_path / "round-1")
    entries = shutil.copytree(story / "entries", tmp_path / "entries", ignore=shutil.ignore_patterns("*.jsonl"))
    hidden, (_, truth) = load_round("t1", revealed), Answers(revealed).of(get_task("t1"))
    about = {"description": "x", "authors": ["A"], "licence": "MIT", "trained_on": [], "pooling": "scan"}
    save_entry(entries / "seer", "t1", hidden.table(truth.target), hidden.digest, **about)
    ranked, remarks = recompute(read_submissions(entries), [Answers(revealed)], [])
    assert [result.model for result in ranked] == ["my-ridge"]
    assert [(remark.result.model, remark.words, remark.ranked) for remark in remarks] == [("seer", LATE, False)]
    (board,) = leaderboard(ranked, remarks=remarks)
    assert [entry.result.model for entry in board.entries] == ["my-ridge"]
    assert f"Not ranked: seer, r2 1.000: {LATE}." in to_markdown([board])

    save_entry(entries / "my-ridge", "t1", hidden.table(truth.target), hidden.digest, **about)  # under another's name
    assert recompute(read_submissions(entries), [Answers(revealed)], []).ranked == []
    assert recompute(read_submissions(entries), [Answers(story / "still-open")], []) == ([], []), "from the cache"
    with pytest.raises(MagBridgeError, match="its list of entries is closed"):
        commit(revealed, "seer", {"t1": "0" * 64})
    forged = {"seer": {"t1": sha256_of(entries / "seer/t1.parquet")}}
    (revealed / "entries.json").write_text(json.dumps({"entries": forged}))
    with pytest.raises(MagBridgeError, match="entries.json was changed after the reveal"):
        recompute(read_submissions(entries), [Answers(revealed)], [])
    with pytest.raises(MagBridgeError, match="reveal.json: differs from what seed, salt and configuration generate"):
        verify(revealed)


def test_no_committed_task_can_be_dropped_after_the_reveal(story, monkeypatch):
    entry = read_submission(story / "entries/my-ridge")
    assert not is_late(entry, Answers(story / "round-1"))
    committed = {"my-ridge": {**entry.digests, "t2": "0" * 64}}
    monkeypatch.setattr("benchmark.leaderboard.submissions.read_entries", lambda found: committed)
    assert is_late(entry, Answers(story / "round-1"))


def test_entries_are_put_on_the_list_by_a_command(story, tmp_path):
    from typer.testing import CliRunner

    from bridge.__main__ import app

    open_ = shutil.copytree(story / "still-open", tmp_path / "still-open")
    done = CliRunner().invoke(app, ["round", "commit", str(open_), str(story / "entries/my-ridge")])
    digest = sha256_of(story / "entries/my-ridge/t1.parquet")
    assert done.exit_code == 0 and done.output == f"my-ridge: t1 {digest[:12]}\n", done.exception
    assert json.loads((open_ / "entries.json").read_text()) == {"entries": {"my-ridge": {"t1": digest}}}
    again = CliRunner().invoke(app, ["round", "commit", str(open_), str(story / "entries/my-ridge")])
    assert again.output == done.output
    (open_ / "entries.json").write_text(json.dumps({"entries": {"my-ridge": {"t1": "0" * 64}}}))
    other = CliRunner().invoke(app, ["round", "commit", str(open_), str(story / "entries/my-ridge")])
    assert other.output == f"my-ridge: t1 {digest[:12]}, in place of t1 000000000000\n"
    named = shutil.copytree(story / "entries/my-ridge", tmp_path / "ridge")
    description = (named / "submission.yaml").read_text()
    (named / "submission.yaml").write_text(description.replace("name: my-ridge", "name: ridge"))
    taken = CliRunner().invoke(app, ["round", "commit", str(open_), str(named)])
    assert "name: ridge is already on the board" in str(taken.exception), "it could not be ranked after the reveal"


def test_an_entry_of_an_open_round_has_no_scores_as_json(story):
    from typer.testing import CliRunner

    from benchmark.__main__ import app

    words = ["submit", str(story / "entries/my-ridge"), "--data", str(story / "still-open")]
    assert "is valid" in CliRunner().invoke(app, words).stdout
    assert json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout) == []


def test_an_entry_is_checked_while_the_round_is_open(story):
    checked = check(read_submission(story / "entries/my-ridge"), Answers(story / "still-open"), [])
    assert checked.results == [] and checked.remarks == []
    with pytest.raises(MagBridgeError, match="round-1 is open: its labels come with the reveal"):
        score_predictions(story / "entries/my-ridge/t1.parquet", "t1", story / "still-open")


def test_an_entry_of_an_open_round_cannot_be_rescored(story, tmp_path):
    entry = shutil.copytree(story / "entries/my-ridge", tmp_path / "my-ridge", ignore=shutil.ignore_patterns("*.jsonl"))
    still_open = Answers(story / "still-open")
    (entry / f"empty-{still_open.digest[:8]}.jsonl").touch()
    with pytest.raises(MagBridgeError, match="still-open: round-1 is open: its labels come with the reveal"):
        rescore(read_submissions(tmp_path), [still_open], [])


def test_whoever_has_the_reveal_scores_it(story, v2_release):
    from bridge.rounds.folder import verify

    assert "made again byte for byte" in verify(story / "round-1")
    (result,) = check(read_submission(story / "entries/my-ridge"), Answers(story / "round-1"), []).results
    assert result.dataset.name == "round-1" and result.n_test == 1220 and len(result.battery_ids) > 250
    assert -0.3 < result.mean() < 0.3, "a linear readout tells nothing where two laws of ageing are mixed"
    assert "r2_by_table" in result.runs[0].scores
    assert placed(result, []).endswith("no rank: no other entry is scored on these rows")
    write_results([result], story / "entries/my-ridge", predictions=False)
    (again,) = rescore(read_submissions(story / "entries"), [Answers(v2_release), Answers(story / "round-1")], [])
    assert again[0].mean() == result.mean()


@pytest.mark.parametrize("task", ["t1", "t2", "t3", "t4"])
def test_right_labels_score_one_and_constant_ones_chance(story, task, tmp_path):
    hidden = load_round(task, story / "round-1")
    info, truth = Answers(story / "round-1").of(get_task(task))
    assert truth.sample_ids.tolist() == hidden.sample_ids.tolist() and info.digest == hidden.digest
    one = np.full(len(truth.target), truth.target.mean() if task == "t1" else truth.target[0])
    for prediction, expected in ((truth.target, 1.0), (one, get_task(task).chance)):
        save_entry(
            tmp_path / "e", task, hidden.table(prediction), hidden.digest,
            description="x", authors=["A"], licence="MIT", trained_on=[], pooling="scan",
        )  # fmt: skip
        outcome = score_predictions(tmp_path / "e" / f"{task}.parquet", task, story / "round-1")
        assert outcome["mean"][get_task(task).headline.name] == pytest.approx(expected, abs=1e-12)


def test_the_release_is_checked_before_the_list_of_entries(story, tmp_path):
    revealed = shutil.copytree(story / "round-1", tmp_path / "round-1")
    (revealed / "entries.json").unlink()
    entry = shutil.copytree(story / "entries/my-ridge", tmp_path / "my-ridge", ignore=shutil.ignore_patterns("*.jsonl"))
    for release, message in ((Answers(revealed).digest, "entries.json was changed"), ("0" * 64, "pass the named")):
        text = (entry / "submission.yaml").read_text()
        (entry / "submission.yaml").write_text(re.sub("(?m)^release: .*", f"release: {release!r}", text))
        with pytest.raises(MagBridgeError, match=message):
            check(read_submission(entry), Answers(revealed), [])


def test_mistakes_of_entrants_are_named(story, v2_release, tmp_path):
    hidden, entry = load_round("t1", story / "round-1"), story / "entries/my-ridge"
    with pytest.raises(MagBridgeError, match="3 predictions: expected one for each of 1220 rows"):
        hidden.table(np.zeros(3))
    with pytest.raises(MagBridgeError, match="my-ridge/submission.yaml: release: .* pass the named release"):
        check(read_submission(entry), Answers(v2_release), [])
    with pytest.raises(
        MagBridgeError, match="my-ridge/submission.yaml: release: .* is not among the given releases, .*--data"
    ):
        rescore(read_submissions(entry.parent), [Answers(v2_release)], [])
    with pytest.raises(
        MagBridgeError, match="has predictions for .*, these are for 000000000000: expected one release per"
    ):
        save_entry(entry, "t2", hidden.table(np.zeros(1220)), "0" * 64, description="x", authors=["A"], licence="MIT",
                   trained_on=[], pooling="scan")  # fmt: skip
    with pytest.raises(MagBridgeError, match="is a round, with only new cells: expected the split by_cell_primary"):
        Answers(story / "round-1").of(get_task("t1"), "by_record_optimistic_baseline")
    for folder in ("round-1", "still-open"):
        with pytest.raises(MagBridgeError, match=f"{folder}: round-1 has no rows of t5: expected t1, t2, t3, t4"):
            Answers(story / folder).of(get_task("t5"))
    whole = hidden.table(np.full(1220, 0.8))
    for table, message in (
        (whole.slice(1), "samples t1-00000 are missing"),
        (load_round("t2", story / "round-1").table(np.full(1220, 0.8)), "are training rows or rows of another task"),
        (hidden.table(np.full(1220, 80.0)), "divide percent by 100"),
    ):
        folder = tmp_path / "wrong"
        save_entry(
            folder,
            "t1",
            table,
            hidden.digest,
            description="x",
            authors=["A"],
            licence="MIT",
            trained_on=[],
            pooling="scan",
        )
        with pytest.raises(MagBridgeError, match=message):
            check(read_submission(folder), Answers(story / "still-open"), [])
