"""Entries on a board: forged ones refused, those that cannot be recomputed unranked, copies and late ones named."""

import json
import shutil
import time

import numpy as np
import pytest
import yaml

from benchmark import evaluate_model
from benchmark.baselines import get_model
from benchmark.leaderboard.boards import leaderboard
from benchmark.leaderboard.copies import filed_errors
from benchmark.leaderboard.entries import NOT_RECOMPUTED, recompute
from benchmark.leaderboard.page import to_html
from benchmark.leaderboard.submissions import FILE, check, read_submission, read_submissions, rescore
from benchmark.leaderboard.texts import to_markdown
from benchmark.predictions import save_entry, write_predictions
from benchmark.results import read_files, write_results
from benchmark.rounds import Answers
from dataset_card.errors import MagBridgeError

ABOUT = {"authors": ["Ada Lovelace"], "licence": "MIT", "trained_on": [], "pooling": "scan"}


@pytest.fixture(scope="module")
def ridge(release):
    return evaluate_model("t1", get_model("ridge"), release)


@pytest.fixture(scope="module")
def made(release, ridge, tmp_path_factory):
    """A copy of ridge's predictions, scored and filed."""
    folder = tmp_path_factory.mktemp("entries") / "copied"
    save_entry(folder, "t1", ridge.table, ridge.dataset.digest, description="Mine.", seconds=3, features=5, **ABOUT)
    write_results(check(read_submission(folder), Answers(release), []).results, folder, predictions=False)
    return folder


@pytest.fixture
def entry(made, tmp_path):
    return shutil.copytree(made, tmp_path / "entries" / "copied")


def leaves(value, path=()):
    """Every value of a document, by path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    else:
        yield path, value


def forged(value):
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value * 1.001 + 1e-6
        case str():
            return f"{value}x"
        case _:
            return 1


def test_no_field_that_a_board_shows_can_be_forged(entry, release):
    (file,) = entry.glob("*.jsonl")
    whole = json.loads(file.read_text())
    rescore(read_submissions(entry.parent), [Answers(release)], [])
    places = [path for path, _ in leaves(whole) if path[0] not in ("packages", "schema_version")]
    rng = np.random.default_rng(0)
    named = [path for path in places if "batteries" not in path and "visits" not in path and "runs" not in path]
    statistics = [path for path in places if path not in named]
    for path in named + [statistics[i] for i in rng.permutation(len(statistics))[:30]]:
        document = json.loads(json.dumps(whole))
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = forged(inner[path[-1]])
        file.write_text(json.dumps(document) + "\n")
        with pytest.raises(MagBridgeError):
            rescore(read_submissions(entry.parent), [Answers(release)], [])
            pytest.fail(f"{path} was believed")


def _moved(document):
    for run in document["runs"]:
        total = sum(row[3] for row in run["batteries"])
        for row in run["batteries"]:
            row[3] = 0.0
        run["batteries"][0][3] = total


def _renamed(document):
    document["battery_ids"] = document["battery_ids"][::-1]


def _fewer(document):
    document["runs"] = document["runs"][:1]


def _quick(document):
    document["seconds"], document["n_features"], document["description"] = 1e-6, 1, "Best."


def _elsewhere(document):
    document["dataset"]["name"], document["dataset"]["bridge_version"] = "magbridge-battery-v2", "v2.0"


FILED = "t1 is filed with"
OTHERS = "contains t1 copied .*, which is not a result of this entry"


@pytest.mark.parametrize(
    ("forge", "words"), [(_moved, FILED), (_renamed, FILED), (_fewer, FILED), (_quick, FILED), (_elsewhere, OTHERS)]
)
def test_forgeries_that_keep_the_sums_are_refused(entry, release, forge, words):
    (file,) = entry.glob("*.jsonl")
    document = json.loads(file.read_text())
    forge(document)
    document["headline"] = document["headline"] | {"mean": np.mean([r["scores"]["r2"] for r in document["runs"]])}
    file.write_text(json.dumps(document) + "\n")
    with pytest.raises(MagBridgeError, match=words):
        rescore(read_submissions(entry.parent), [Answers(release)], [])
    # what is filed is not looked at where all is at hand
    ranked, _ = recompute(read_submissions(entry.parent), [Answers(release)], [])
    assert ranked[0].seconds == 3 and ranked[0].n_features == 5 and len(ranked[0].runs) == 5


def test_predictions_on_another_release_are_refused(entry, release, ridge):
    write_predictions(entry / "t1.parquet", ridge.table, "f" * 64)
    with pytest.raises(MagBridgeError, match="was predicted on the dataset ffffffffffff"):
        recompute(read_submissions(entry.parent), [Answers(release)], [])


def test_without_its_release_an_entry_has_no_rank_and_no_figure(entry, ridge):
    ranked, remarks = recompute(read_submissions(entry.parent), [], [])
    assert ranked == [] and [(r.words, r.ranked, r.shown) for r in remarks] == [(NOT_RECOMPUTED, False, False)]
    (board,) = leaderboard([ridge], remarks=remarks)
    assert [e.result.model for e in board.entries] == ["ridge"]
    note = f"Not ranked: copied: {NOT_RECOMPUTED}."
    assert note in to_markdown([board]) and note in to_html([board])
    (alone,) = leaderboard([], remarks=remarks)
    assert note in to_markdown([alone]) and note in to_html([alone])


def test_filed_results_of_another_entry_are_no_entry(entry):
    document = yaml.safe_load((entry / FILE).read_text())
    (entry / FILE).write_text(yaml.safe_dump({**document, "name": "other"}))
    with pytest.raises(MagBridgeError, match="which is not a result of this entry"):
        recompute(read_submissions(entry.rename(entry.with_name("other")).parent), [], [])


def test_what_the_author_says_is_marked(entry, release, ridge):
    ranked, remarks = recompute(read_submissions(entry.parent), [Answers(release)], [])
    text = to_markdown(leaderboard([ridge, *ranked], remarks=remarks))
    assert "| 5 † | 0.6 † | submitted |" in text and "† marks values reported by the author" in text


def test_recomputing_is_remembered_by_the_files(entry, release, monkeypatch, tmp_path):
    from benchmark.leaderboard import entries

    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path / "cache"))
    first = recompute(read_submissions(entry.parent), [Answers(release)], [])
    monkeypatch.setattr(entries, "check", None)
    began = time.monotonic()
    again = recompute(read_submissions(entry.parent), [Answers(release)], [])
    assert again.ranked == first.ranked and time.monotonic() - began < 5
    for path in (tmp_path / "cache" / "entries").iterdir():
        path.write_text("{}")
    with pytest.raises(TypeError):  # computed again
        recompute(read_submissions(entry.parent), [Answers(release)], [])


def test_copies_are_named_on_the_board(entry, release, ridge, tmp_path):
    (path,) = write_results([ridge], tmp_path / "results")
    for _ in range(2):  # the second time from the cache
        others = filed_errors(read_files(path), [Answers(release)])
        _, (remark,) = recompute(read_submissions(entry.parent), [Answers(release)], [], others)
        assert remark.ranked and "its errors match those of ridge (1.000): a copy" in remark.words
