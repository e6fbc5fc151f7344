"""Refusals as a table: each is raised somewhere, with a value for every place in its words."""

import ast
from pathlib import Path
from string import Formatter

import benchmark
from benchmark.refusals import refused, words
from dataset_card.errors import MagBridgeError


def _raised() -> list[tuple[str, set[str]]]:
    """Name and values of each refusal in the sources."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(benchmark.__file__).parent.rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    refusals = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "refused"]
    return [(call.args[0].value, {keyword.arg for keyword in call.keywords}) for call in refusals]


def test_every_place_has_a_value():
    raised = _raised()
    assert {name for name, _ in raised} == set(words())
    for name, values in raised:
        assert {place for _, place, _, _ in Formatter().parse(words()[name]) if place} == values, name


def test_values_are_never_read_as_words():
    error = refused("no_release", release="{0.__class__}", manifest="manifest.json")
    assert isinstance(error, MagBridgeError) and str(error).startswith("no release at {0.__class__}: expected")
