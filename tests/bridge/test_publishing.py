"""`python -m bridge push` over a Hub on the loopback: what arrives loads and verifies, and trouble leaves no trace."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_card.configs import CONFIGS
from tests.hub import LoopbackHub, Repo

REPO = "USER/magbridge-battery"
ROOT = Path(__file__).parents[2]

LOAD_EVERYTHING = """
import json, sys
from datasets import load_dataset
from huggingface_hub import snapshot_download
from bridge.audit import audit_release

repo, counts = sys.argv[1], {}
for config in sys.argv[2:]:
    data = load_dataset(repo, config)
    counts[config] = {split: rows.num_rows for split, rows in data.items()}
    streamed = load_dataset(repo, config, streaming=True)
    for split, rows in streamed.items():
        assert next(iter(rows)) == data[split][0]
copy = snapshot_download(repo, repo_type="dataset", revision="v1.0.0")
print(json.dumps({"counts": counts, "findings": [str(f) for f in audit_release(copy)]}))
"""


@pytest.fixture(scope="module")
def hub():
    with LoopbackHub(token="secret") as hub:
        yield hub


@pytest.fixture(scope="module")
def client(hub, tmp_path_factory):
    """Runs Python in a process that talks to the loopback Hub."""
    home = tmp_path_factory.mktemp("home")

    def run(*arguments, token="any"):
        return subprocess.run([sys.executable, *map(str, arguments)], env=hub.env(home, token), cwd=ROOT, text=True,
                              capture_output=True, timeout=300)

    return run


@pytest.fixture(scope="module")
def push(client):
    def run(release, *options, repo=REPO, token="any"):
        return client("-m", "bridge", "push", release, "--repo", repo, *options, token=token)

    return run


@pytest.fixture(scope="module")
def pushed(hub, push, tiny_release):
    """The tiny release, published."""
    outcome = push(tiny_release, "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr == ""
    return json.loads(outcome.stdout)


def test_a_push_is_one_tagged_commit_of_the_whole_release(hub, pushed, tiny_release):
    files = {p.relative_to(tiny_release).as_posix(): p.read_bytes() for p in tiny_release.rglob("*") if p.is_file()}
    repo = hub.repos["dataset", REPO]
    assert repo.tags == {"v1.0.0": pushed["commit"]} == {"v1.0.0": repo.branches["main"]}
    assert len(repo.commits) == 2  # the Hub's own first commit, and ours
    assert hub.files("dataset", REPO) == files | {".gitattributes": b""}
    assert not repo.private and pushed["created"] and pushed["changed"]


def test_every_configuration_of_the_copy_loads_and_the_copy_verifies(client, pushed, tiny_release):
    outcome = client("-c", LOAD_EVERYTHING, REPO, *(config.name for config in CONFIGS))
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    found = json.loads(outcome.stdout)
    assert found["findings"] == []
    summary = json.loads((tiny_release / "manifest.json").read_text())["splits"]
    for name, split in summary.items():
        assert found["counts"][name] == {s: subset["rows"] for s, subset in split["subsets"].items()}
    assert found["counts"]["full"] == found["counts"]["metadata"] == {"train": 2280}


def test_pushing_the_same_release_again_changes_nothing(hub, push, pushed, tiny_release):
    before = dict(hub.repos["dataset", REPO].commits)
    outcome = push(tiny_release, "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout) == pushed | {"created": False, "changed": False}
    assert hub.repos["dataset", REPO].commits == before


def test_an_update_removes_data_files_that_the_release_no_longer_has(hub, push, pushed, tiny_release):
    hub.repos["dataset", "USER/older"] = repo = Repo(private=False)
    tree = hub.files("dataset", REPO) | {"data/clean/train/gone.parquet": b"old", "notes/mine.md": b"kept"}
    repo.commit("main", tree, "an older release")
    outcome = push(tiny_release, "--json", repo="USER/older")
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["created"] is False
    assert hub.files("dataset", "USER/older") == hub.files("dataset", REPO) | {"notes/mine.md": b"kept"}


def test_a_dry_run_lists_files_and_sizes_and_asks_the_hub_nothing(hub, push, pushed, tiny_release):
    asked = len(hub.requests)
    outcome = push(tiny_release, "--dry-run", "--json", repo="USER/dry")
    assert outcome.returncode == 0, outcome.stderr
    plan = json.loads(outcome.stdout)
    assert plan["files"] == {p.relative_to(tiny_release).as_posix(): p.stat().st_size
                             for p in tiny_release.rglob("*") if p.is_file()}
    assert plan["bytes"] == sum(plan["files"].values())
    assert len(hub.requests) == asked


def test_an_interrupted_push_commits_nothing_and_the_next_one_sends_only_what_is_missing(hub, push, pushed, tiny_release):
    hub.blobs.clear()
    hub.fail("PUT", "/lfs/", times=1)  # one lost connection heals by itself
    hub.fail("POST", "/api/datasets/USER/cut/commit/main", times=1)
    outcome = push(tiny_release, repo="USER/cut")
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("error: no connection to http://127.0.0.1") and "run the command again" in outcome.stderr
    assert hub.files("dataset", "USER/cut") == {".gitattributes": b""} and hub.repos["dataset", "USER/cut"].tags == {}
    sent = len([r for r in hub.requests if r[0] == "PUT"])
    outcome = push(tiny_release, repo="USER/cut")
    assert outcome.returncode == 0, outcome.stderr
    assert len([r for r in hub.requests if r[0] == "PUT"]) == sent
    assert hub.files("dataset", "USER/cut") == hub.files("dataset", REPO)
    assert list(hub.repos["dataset", "USER/cut"].tags) == ["v1.0.0"]


@pytest.mark.slow
def test_a_network_that_stays_away_in_mid_upload_is_one_clear_error(hub, push, pushed, tiny_release):
    hub.blobs.clear()
    hub.fail("PUT", "/lfs/", times=200)
    outcome = push(tiny_release, repo="USER/gone")
    hub.faults.clear()
    assert outcome.returncode == 1 and outcome.stderr.startswith("error: no connection to")
    assert hub.files("dataset", "USER/gone") == {".gitattributes": b""}


def test_a_tag_that_was_lost_is_added_by_the_next_push(hub, push, pushed, tiny_release):
    hub.fail("POST", "/api/datasets/USER/tagless/tag", times=1)
    assert push(tiny_release, repo="USER/tagless").returncode == 1
    assert hub.repos["dataset", "USER/tagless"].tags == {}
    assert push(tiny_release, repo="USER/tagless").returncode == 0
    repo = hub.repos["dataset", "USER/tagless"]
    assert repo.tags == {"v1.0.0": repo.branches["main"]} and len(repo.commits) == 2


def refused(outcome, *words):
    assert outcome.returncode == 1 and outcome.stdout == ""
    assert outcome.stderr.startswith("error: ") and outcome.stderr.count("\n") == 1, outcome.stderr
    for word in words:
        assert word in outcome.stderr


@pytest.mark.parametrize("token", ["wrong", None])
def test_a_token_that_the_hub_refuses_is_said_with_the_fix(hub, push, tiny_release, token):
    refused(push(tiny_release, repo="USER/locked", token=token), "token", "hf auth login", "$HF_TOKEN")
    assert ("dataset", "USER/locked") not in hub.repos


def test_a_repository_with_other_content_stays_as_it_is(hub, push, pushed, tiny_release):
    manifest = json.loads((tiny_release / "manifest.json").read_text())
    others = {
        "USER/photos": ({"images/cat.png": b"meow"}, "holds other content (images/cat.png"),
        "USER/real": ({"manifest.json": json.dumps(manifest | {"name": "magbridge-battery"}).encode()}, "holds 'magbridge-battery'"),
        "USER/broken": ({"manifest.json": b"{"}, "is not JSON"),
    }
    for repo_id, (tree, words) in others.items():
        hub.repos["dataset", repo_id] = repo = Repo(private=False)
        repo.commit("main", tree, "what was there")
        refused(push(tiny_release, repo=repo_id), words, "nothing is changed")
        assert hub.files("dataset", repo_id) == tree and len(repo.commits) == 1


def test_a_published_version_never_comes_to_mean_other_rows(hub, push, pushed, tiny_release):
    hub.repos["dataset", "USER/tagged"] = repo = Repo(private=False)
    manifest = json.loads((tiny_release / "manifest.json").read_text()) | {"dataset_digest": "f" * 64}
    repo.tags["v1.0.0"] = repo.commit("main", {"manifest.json": json.dumps(manifest).encode()}, "other rows")
    refused(push(tiny_release, repo="USER/tagged"), "tag v1.0.0", "f" * 12, "nothing is changed")
    assert len(repo.commits) == 1


def test_private_is_never_public(hub, push, pushed, tiny_release):
    refused(push(tiny_release, "--private"), "is public")
    outcome = push(tiny_release, "--private", repo="USER/secret")
    assert outcome.returncode == 0, outcome.stderr
    assert hub.repos["dataset", "USER/secret"].private


def test_a_damaged_release_a_bundle_and_a_bad_name_are_refused_before_the_hub_is_asked(hub, push, tiny_release, tmp_path):
    asked = len(hub.requests)
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_release, damaged)
    (damaged / "splits" / "by_cell_primary.json").write_text("{}")
    refused(push(damaged), "is not pushed", "splits/by_cell_primary.json", "bridge verify")
    refused(push(tmp_path), "expected a release folder")
    refused(push(tiny_release, repo="magbridge-battery"), "expected USER/NAME")
    assert len(hub.requests) == asked
