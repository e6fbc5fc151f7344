"""The page of the metric's Space."""

import sys
from pathlib import Path

import pytest

from benchmark import magbridge_metric
from benchmark.scoring import score
from benchmark.tasks import TASKS

FOLDER = Path(magbridge_metric.__file__).parent


@pytest.fixture
def app(monkeypatch):
    """The Space's page module, imported as a Space imports it: from its own folder."""
    import importlib

    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("app")
    yield module
    for name in ("app", "scores"):
        sys.modules.pop(name, None)


def test_app_scores_pasted_text(app):
    assert dict(app.evaluate_text("t1", app.EXAMPLE)) == pytest.approx(
        score(TASKS[0], [0.9, 0.85, 0.78], [0.91, 0.84, 0.79])
    )
    table = dict(app.evaluate_text("t2", "prediction,reference,score\nreuse,reuse,0.9\nrecondition,recondition,0.1\n"))
    assert table["balanced_accuracy"] == table["roc_auc"] == 1.0


@pytest.mark.parametrize(
    "task, text, message",
    [
        ("t1", "", "found the columns none"),
        ("t1", "a,b\n1,2", "found the columns a, b"),
        ("t1", "prediction,reference\n1,x\n", "expected a number in every line"),
        ("t2", "prediction,reference\n1,reuse\n", "unknown label '1'"),
        ("t1", "prediction,reference\n1,2,3\n", "found the columns"),
    ],
)
def test_app_says_what_is_wrong(app, task, text, message):
    ((kind, error),) = app.evaluate_text(task, text)
    assert kind == "error" and message in error
