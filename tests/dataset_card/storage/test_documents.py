"""The boundary of JSON: every damaged document of a release is one error or a document that readers can rely on."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_card.errors import MagBridgeError
from dataset_card.storage import documents
from dataset_card.storage.documents import check_manifest, check_members, check_split, parse_json, plain_yaml, read_json
from tests.mutations import changed, mutated

DIGEST = "0" * 64
MANIFEST = {
    "name": "magbridge-battery",
    "version": "1.0.0",
    "bridge_version": "v1.3",
    "dataset_digest": DIGEST,
    "upstream": {"name": "published", "sources": {"a": DIGEST}},
}
SPLIT = {
    "name": "by_cell_primary",
    "counts": {"train": 1, "validation": 1, "test": 1},
    "cells": {"train": ["1"], "validation": ["2"], "test": ["3"]},
    "sample_ids": {"train": ["a"], "validation": ["b"], "test": ["c"]},
}


def test_a_sound_document_passes(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(MANIFEST))
    check_manifest(read_json(tmp_path / "a.json"), "a.json")
    check_split(SPLIT, "b.json")
    assert check_members({"train": ["a"]}, "c.json") == {"train": ["a"]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not readable as JSON"),
        (b"\xff{}", "not readable as JSON"),
        (b'{"a":' * 100_000, "not readable as JSON"),
        (b'{"a": "\\ud800"}', "not readable as JSON .*surrogates"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not readable as JSON"),
        (b"[]", "contains a list"),
        (b"", "not readable as JSON"),
    ],
)
def test_what_is_no_document_is_one_error(data, words):
    with pytest.raises(MagBridgeError, match=words):
        parse_json(data, "x.json")


def test_a_document_without_end_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_JSON_BYTES", 100)
    (tmp_path / "a.json").write_text(json.dumps({"a": "x" * 100}))
    with pytest.raises(MagBridgeError, match=r"a\.json: larger than"):
        read_json(tmp_path / "a.json")
    with pytest.raises(MagBridgeError, match="nowhere.*not readable"):
        read_json(tmp_path / "nowhere")


@settings(max_examples=150, deadline=None)
@given(mutated(json.dumps(MANIFEST).encode()))
def test_damaged_bytes(data):
    try:
        check_manifest(parse_json(data, "x.json"), "x.json")
    except MagBridgeError as error:
        assert "\n" not in str(error)


@settings(max_examples=150, deadline=None)
@given(changed(MANIFEST), changed(SPLIT))
def test_changed_values(manifest, split):
    """What passes has the types that readers rely on."""
    for document, check in ((manifest, check_manifest), (split, check_split)):
        if not isinstance(document, dict):
            continue
        try:
            check(document, "x.json")
        except MagBridgeError:
            continue
        if check is check_manifest:
            assert len(document["dataset_digest"]) == 64 and document["upstream"]["name"] == str(
                document["upstream"]["name"]
            )
        else:
            assert all(isinstance(i, str) for ids in document["sample_ids"].values() for i in ids)


def test_a_pipe_is_no_document(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(MagBridgeError, match="not a file: expected a JSON document"):
            read_json(path)


def test_yaml_is_plain():
    assert plain_yaml("a: [1, {b: 2026-01-01}]\n") == {"a": [1, {"b": "2026-01-01"}]}
    assert plain_yaml("[" * 10 + "]" * 10) is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [1]\nb: *a\n", "aliases are not allowed"),
        ("a: 1\na: 2\n", "the field a is given twice"),
        ("tasks: {1: 2}\n", "field name 1: expected text"),
        ("~: 2\n", "field name ~: expected text"),
        ("seconds: .nan\n", ".nan is not allowed: expected a finite number"),
        ("[" * 11 + "]" * 11, "values are nested more than 10 levels deep"),
        ("- " * 20_000, "values are nested more than 10 levels deep"),
        ("!!python/object/apply:os.system [id]", "are not allowed"),
        ("a: [1", "expected"),
    ],
)
def test_other_yaml_is_one_error(text, words):
    with pytest.raises(ValueError, match=words) as caught:
        plain_yaml(text)
    assert "\n" not in str(caught.value)


TAGS = ("int", "float", "bool", "null", "binary", "timestamp", "set", "omap", "pairs", "seq", "map", "str", "merge")


@pytest.mark.parametrize("tag", [*(f"!!{name}" for name in TAGS), "!x", "!!python/object:os.system", "!<tag:x>"])
@pytest.mark.parametrize("value", ["''", "x", "[]", "{}", "[1]", "{a: 1}", "-", "0x", "1:2", '"\\x00"'])
def test_tags_are_one_error(tag, value):
    with pytest.raises(ValueError, match="are not allowed|line"):
        plain_yaml(f"name: {tag} {value}")


@pytest.mark.parametrize(
    "value", ["0b_", "0x_", "1:_", "._", "-._", "9" * 5000, "=", "<<: 3", "? [a]\n: 1", "0o9", "1e999"]
)
def test_odd_scalars_are_a_value_or_one_error(value):
    try:
        plain_yaml(f"a: {value}\n" if not value.startswith(("<<", "?")) else value)
    except ValueError as error:
        assert str(error) and "\n" not in str(error)


@given(st.text("!<>&*[]{}:,-?|#'\"%@`~ \n\tabint0b_x.1", max_size=30))
def test_any_text_is_a_value_or_one_error(text):
    try:
        plain_yaml(text)
    except ValueError as error:
        assert str(error) and "\n" not in str(error)


def test_a_packages_texts_are_read_once_and_filled_in():
    assert documents.packaged("benchmark", "refusals.yaml") is documents.packaged("benchmark", "refusals.yaml")
    error = documents.worded("benchmark", "refusals.yaml", "no_release", release="{x}", manifest="manifest.json")
    assert isinstance(error, MagBridgeError) and str(error).startswith("no release at {x}: expected")
