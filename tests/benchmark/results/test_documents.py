"""The JSON document of a result: its schema, and figures that cannot be."""

import json

import jsonschema
import pytest

from benchmark.results.documents import SCHEMA_FILE, from_json, to_json
from dataset_card.errors import MagBridgeError


def _run(document, **changes):
    """The document with its first run changed."""
    return {**document, "runs": [{**document["runs"][0], **changes}, *document["runs"][1:]]}


def _scores(document, **scores):
    return _run(document, scores={**document["runs"][0]["scores"], **scores})


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: {**d, "task": "t0"}, "task: 't0'"),
        (lambda d: {**d, "extra": 1}, "the document: .*extra"),
        (lambda d: {**d, "seconds": -1.0}, "seconds: -1.0"),
        (lambda d: {**d, "runs": []}, "runs"),
        (lambda d: {**d, "dataset": {**d["dataset"], "digest": "abc"}}, "dataset/digest: 'abc'"),
        (lambda d: {**d, "model": "ridge\n"}, "model: .* does not match"),
        (lambda d: _scores(d, r2=99.0), "runs/0/scores: r2 is 99.0: expected a finite number from -inf to 1.0"),
        (lambda d: _scores(d, r2=0.5), "runs/0: r2 is 0.5, its statistics by battery give"),
        (lambda d: _scores(d, mae=-1.0), "runs/0/scores: mae is -1.0"),
        (lambda d: _scores(d, f1=1.0), "runs/0/scores: unknown metric f1"),
        (lambda d: _scores(d, r2=10**400), "runs/0/scores/r2: "),
        (lambda d: _run(d, scores={"mae": 0.1}), "runs/0/scores lacks the headline r2"),
        (lambda d: _run(d, batteries=[[1.0]]), "runs/0/batteries: expected 4 statistics for each of 4 batteries"),
        (lambda d: _run(d, batteries=[[10**400] * 4] * 4), "runs/0/batteries/0/0: "),
        (lambda d: {**d, "headline": {**d["headline"], "mean": 0.99}}, "headline/mean is 0.99, the runs give"),
    ],
)
def test_what_no_predictions_can_give_is_refused(ridge, change, message):
    good = json.loads(json.dumps(to_json(ridge)))
    from_json(good, "good")
    with pytest.raises(MagBridgeError, match=f"^bad: {message}"):
        from_json(json.loads(json.dumps(change(good))), "bad")


def test_the_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA_FILE.read_text()))
