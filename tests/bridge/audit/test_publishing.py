"""`python -m bridge push` over a Hub on the loopback: what arrives loads and verifies, and trouble leaves no trace."""

import functools
import json
import shutil
from pathlib import Path

import pytest

from dataset_card.contract.configs import CONFIGS
from tests.hub import LoopbackHub, Repo

REPO = "USER/magbridge-battery"
ROOT = Path(__file__).parents[3]

LOAD_EVERYTHING = """
import json, sys
from datasets import load_dataset
from huggingface_hub import snapshot_download
from bridge.audit.promises import audit_release

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


PUSH_EACH = """
import dataclasses, json, sys
from bridge.audit.publishing import push
from dataset_card.errors import MagBridgeError

outcomes = []
for folder, repo, options in json.loads(sys.argv[1]):
    try:
        outcomes.append(dataclasses.asdict(push(folder, repo, **options)))
    except MagBridgeError as error:
        outcomes.append(str(error))
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def hub():
    with LoopbackHub(token="secret") as hub:
        yield hub


@pytest.fixture(scope="module")
def client(hub, tmp_path_factory):
    """Runs Python in a process that talks to the loopback Hub."""
    return functools.partial(hub.python, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def push_each(client):
    """Pushes several times in one process; for each, what it did or the error that the command would print."""

    def run(*calls):
        outcome = client("-c", PUSH_EACH, json.dumps([[str(folder), repo, options] for folder, repo, options in calls]))
        assert outcome.returncode == 0, outcome.stderr[-2000:]
        return json.loads(outcome.stdout)

    return run


@pytest.fixture(scope="module")
def pushed(hub, client, tiny_release):
    """The tiny release, published by the command."""
    outcome = client("-m", "bridge", "push", tiny_release, "--repo", REPO, "--json")
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


def test_the_second_dataset_goes_to_a_repository_of_its_own(hub, client, pushed, v2_release):
    repo = "USER/magbridge-battery-v2"
    outcome = client("-m", "bridge", "push", v2_release, "--repo", repo, "--collection", "MagBridge Battery")
    assert outcome.returncode == 0, outcome.stderr
    assert "in the collection " in outcome.stdout and hub.collections == {"USER/magbridge-battery": [repo]}
    files = {p.relative_to(v2_release).as_posix(): p.read_bytes() for p in v2_release.rglob("*") if p.is_file()}
    assert hub.files("dataset", repo) == files | {".gitattributes": b""}
    assert list(hub.repos["dataset", repo].tags) == ["v2.1.0"] and "comparison.svg" in files
    load = f"from datasets import load_dataset; d = load_dataset({repo!r}, 'nmc'); print(set(d['test']['chemistry']))"
    outcome = client("-c", load)
    assert outcome.stdout.strip() == "{'NMC'}", outcome.stderr[-2000:]
    refused = client("-m", "bridge", "push", v2_release, "--repo", REPO)
    assert refused.returncode == 1 and "nothing was changed" in refused.stderr


def test_pushing_again_changes_nothing_and_an_update_removes_what_the_release_no_longer_has(
    hub, push_each, pushed, tiny_release
):
    before = dict(hub.repos["dataset", REPO].commits)
    hub.repos["dataset", "USER/older"] = repo = Repo(private=False)
    tree = hub.files("dataset", REPO) | {"data/clean/by-cell-train/gone.parquet": b"old", "notes/mine.md": b"kept"}
    repo.commit("main", tree, "an older release")
    again, update, secret = push_each(
        (tiny_release, REPO, {}), (tiny_release, "USER/older", {}), (tiny_release, "USER/secret", {"private": True})
    )
    assert again == pushed | {"created": False, "changed": False}
    assert hub.repos["dataset", REPO].commits == before
    assert not update["created"] and update["changed"]
    assert hub.files("dataset", "USER/older") == hub.files("dataset", REPO) | {"notes/mine.md": b"kept"}
    assert secret["created"] and hub.repos["dataset", "USER/secret"].private


def test_a_dry_run_lists_files_and_sizes_and_asks_the_hub_nothing(hub, client, pushed, tiny_release):
    asked = len(hub.requests)
    outcome = client("-m", "bridge", "push", tiny_release, "--repo", "USER/dry", "--dry-run", "--json")
    assert outcome.returncode == 0, outcome.stderr
    plan = json.loads(outcome.stdout)
    assert plan["files"] == {
        p.relative_to(tiny_release).as_posix(): p.stat().st_size for p in tiny_release.rglob("*") if p.is_file()
    }
    assert plan["bytes"] == sum(plan["files"].values())
    assert len(hub.requests) == asked


def test_an_interrupted_push_leaves_nothing_and_the_next_one_sends_only_what_is_missing(
    hub, push_each, pushed, tiny_release
):
    hub.blobs.clear()
    hub.fail("PUT", "/lfs/", times=1)  # one lost connection heals by itself
    hub.fail("POST", "/api/datasets/USER/cut/commit/main", times=1)
    hub.fail("POST", "/api/datasets/USER/tagless/tag", times=1)
    start = len(hub.requests)
    cut, whole, tagless, tagged = push_each(
        *((tiny_release, repo, {}) for repo in ("USER/cut", "USER/cut", "USER/tagless", "USER/tagless"))
    )
    for error in (cut, tagless):
        assert error.startswith("no connection to http://127.0.0.1") and "run the command again" in error
    assert whole["changed"] and not tagged["changed"]
    for repo in (hub.repos["dataset", "USER/cut"], hub.repos["dataset", "USER/tagless"]):
        assert len(repo.commits) == 2 and repo.tags == {"v1.0.0": repo.branches["main"]}
        assert repo.commits[repo.tags["v1.0.0"]] == hub.files("dataset", REPO)
    commit = start + [path for _, path in hub.requests[start:]].index("/api/datasets/USER/cut/commit/main")
    assert any(method == "PUT" for method, _ in hub.requests[start:commit])
    assert not any(method == "PUT" for method, _ in hub.requests[commit:])


@pytest.mark.slow
def test_a_network_that_stays_away_in_mid_upload_is_one_clear_error(hub, push_each, pushed, tiny_release):
    hub.blobs.clear()
    hub.fail("PUT", "/lfs/", times=1000)
    (error,) = push_each((tiny_release, "USER/gone", {}))
    hub.faults.clear()
    assert error.startswith("no connection to") and hub.files("dataset", "USER/gone") == {".gitattributes": b""}


@pytest.mark.parametrize("token", ["wrong", None])
def test_a_token_that_the_hub_refuses_is_said_with_the_fix(hub, client, tiny_release, token):
    outcome = client("-m", "bridge", "push", tiny_release, "--repo", "USER/locked", token=token)
    assert outcome.returncode == 1 and outcome.stdout == ""
    assert outcome.stderr.startswith("error: ") and outcome.stderr.count("\n") == 1, outcome.stderr
    assert all(word in outcome.stderr for word in ("token", "hf auth login", "$HF_TOKEN"))
    assert ("dataset", "USER/locked") not in hub.repos


def test_what_is_on_the_hub_already_is_never_overwritten_by_something_else(hub, push_each, pushed, tiny_release):
    manifest = json.loads((tiny_release / "manifest.json").read_text())
    real = json.dumps(manifest | {"name": "magbridge-battery"}).encode()
    other = json.dumps(manifest | {"dataset_digest": "f" * 64}).encode()
    refusals = {
        "USER/photos": ({"images/cat.png": b"meow"}, "has other content (images/cat.png"),
        "USER/real": (
            {"manifest.json": real},
            "is 'magbridge-battery', but this release is 'magbridge-battery-simulated'",
        ),
        "USER/broken": ({"manifest.json": b"{"}, "is not valid JSON"),
        "USER/tagged": (
            {"manifest.json": other},
            "tag v1.0.0 of dataset USER/tagged marks rows with digest ffffffffffff",
        ),
        "USER/public": ({"manifest.json": (tiny_release / "manifest.json").read_bytes()}, "exists and is public"),
    }
    for repo_id, (tree, _) in refusals.items():
        hub.repos["dataset", repo_id] = repo = Repo(private=False)
        commit = repo.commit("main", tree, "what was there")
        repo.tags = {"v1.0.0": commit} if repo_id == "USER/tagged" else {}
    errors = push_each(*((tiny_release, repo_id, {"private": repo_id == "USER/public"}) for repo_id in refusals))
    for error, (repo_id, (tree, words)) in zip(errors, refusals.items()):
        assert words in error and "nothing was " in error
        assert hub.files("dataset", repo_id) == tree and len(hub.repos["dataset", repo_id].commits) == 1


def test_a_damaged_release_a_bundle_and_a_bad_name_are_refused_before_the_hub_is_asked(
    hub, push_each, tiny_release, tmp_path
):
    asked = len(hub.requests)
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_release, damaged)
    (damaged / "splits" / "by_cell_primary.json").write_text("{}")
    broken, empty, nameless = push_each(
        (damaged, REPO, {}), (tmp_path, REPO, {}), (tiny_release, "magbridge-battery", {})
    )
    assert "was not pushed" in broken and "splits/by_cell_primary.json" in broken and "bridge verify" in broken
    assert "expected a release folder" in empty
    assert "expected USER/NAME" in nameless
    assert len(hub.requests) == asked
