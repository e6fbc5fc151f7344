"""Releases pulled from a Hub on the loopback: what is wrong leaves the cache, a broken network is one line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.running.hub import require_repo_id
from tests.hub import LoopbackHub, Repo

ROOT = Path(__file__).parents[3]
REPO = "user/magbridge-battery"
PULL = """
import json, sys
from dataset_card.errors import MagBridgeError
from dataset_card.running.hub import Repository, pull_release
from dataset_card.storage.reading import checked_digest
try:
    if sys.argv[1] == "tag":
        Repository("user/magbridge-battery", "dataset").tag("v1", "0" * 40)
    print(checked_digest(pull_release("user/magbridge-battery")))
except MagBridgeError as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def tree(tiny_release):
    return {p.relative_to(tiny_release).as_posix(): p.read_bytes() for p in tiny_release.rglob("*") if p.is_file()}


@pytest.fixture
def hub(tree):
    with LoopbackHub() as hub:
        hub.repos["dataset", REPO] = repo = Repo(private=False)
        repo.commit("main", tree, "release")
        yield hub


@pytest.fixture
def run(hub, tmp_path):
    def run(what="pull"):
        environment = hub.env(tmp_path / "home") | {"MAGBRIDGE_CACHE": str(tmp_path / "cache")}
        return subprocess.run(
            [sys.executable, "-c", PULL, what], env=environment, cwd=ROOT, text=True, capture_output=True
        )

    return run


@pytest.mark.parametrize("repo_id", ["a/b/c", "user/", "/x", "../x", "a b/c", "name", "", "user/x.git", "a--b/c"])
def test_an_id_that_the_hub_refuses_is_named(repo_id):
    with pytest.raises(MagBridgeError, match=f"^repository {re.escape(repr(repo_id))}: expected USER/NAME .*such as"):
        require_repo_id(repo_id)
    require_repo_id("a_b/c.d-e")


def cached(tmp_path):
    return [p.name for p in (tmp_path / "home").rglob("*.parquet")]


def test_a_damaged_download_leaves_the_cache_and_the_next_one_is_whole(hub, run, tree, tmp_path):
    name = next(path for path in tree if path.startswith("data/clean/by-cell-test"))
    damaged = bytearray(tree[name])
    damaged[len(damaged) // 2] ^= 1
    hub.repos["dataset", REPO].commit("main", tree | {name: bytes(damaged)}, "damaged")
    outcome = run()
    assert outcome.returncode == 1
    assert f"the download of {REPO} was damaged and removed from the cache" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert cached(tmp_path) == []
    hub.repos["dataset", REPO].commit("main", tree, "whole")
    whole = run()
    assert whole.stdout.strip() == json.loads(tree["manifest.json"])["dataset_digest"]
    assert len(cached(tmp_path)) == len([path for path in tree if path.endswith(".parquet")])


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/datasets/"), ("GET", "/resolve/"), ("HEAD", "/resolve/")])
def test_a_refusal_in_mid_download_is_one_line(hub, run, method, path):
    hub.fail(method, path, times=1000, status=403)
    outcome = run()
    assert outcome.returncode == 1
    assert outcome.stderr.count("\n") == 1, outcome.stderr


def test_what_the_library_tries_again_is_not_told(hub, run):
    hub.fail("GET", "/resolve/", times=1)
    outcome = run()
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_what_is_no_release_stays_as_it_is(hub, run, tmp_path):
    hub.repos["dataset", REPO].commit("main", {"README.md": b"# Photos", "data/a.parquet": b"PAR1"}, "photos")
    outcome = run()
    assert "no manifest.json; expected a release folder" in outcome.stderr
    assert cached(tmp_path) == ["a.parquet"]


def test_a_failed_tag_says_that_the_files_are_there(hub, run):
    hub.fail("POST", "/tag", times=1000, status=500)
    outcome = run("tag")
    assert outcome.returncode == 1
    assert "the files are on the Hub as commit 000000000000, only its tag v1 is missing" in outcome.stderr
    assert "nothing was changed" not in outcome.stderr
