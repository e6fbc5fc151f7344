"""Faults of the Hub: refusals, other bytes, and connections that are cut, on a loopback server."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.faults.bench import Bench
from tests.hub import LoopbackHub, Repo

ROOT = Path(__file__).parents[2]
REPO = "user/rel"

PULL = """
import sys
from dataset_card.errors import MagBridgeError
from dataset_card.running.hub import pull_release
from dataset_card.storage.reading import checked_digest
try:
    print(checked_digest(pull_release("user/rel")))
except (MagBridgeError, OSError) as error:
    sys.exit(f"error: {error}")
"""

PLACES = {
    "pull": ("GET /api/datasets/", "GET /resolve/", "HEAD /resolve/", "flip"),
    "push": (
        "POST /api/repos/create", "GET /api/datasets/", "POST /preupload/", "POST /objects/batch", "PUT /lfs/",
        "POST /commit/", "POST /tag",
    ),
}  # fmt: skip
"""Requests of each direction that can fail; for one download all pass, and a bit of a file is another."""

ANSWERS = (None, 403, 404, 416, 429, 500, 503)
"""Statuses; None cuts the connection."""


def network(bench: Bench, count: int) -> Iterator[tuple[str, str | None]]:
    """A Hub on the loopback that refuses, cuts or sends other bytes: one line, and the next time all is whole."""
    tree = {p.relative_to(bench.release).as_posix(): p.read_bytes() for p in bench.release.rglob("*") if p.is_file()}
    for way, places in PLACES.items():
        faults = list(itertools.product(places, ANSWERS))
        order = bench.rng.permutation(len(faults))
        for number in range(-(-count // len(PLACES))):
            place, answer = faults[order[number % len(faults)]]
            with LoopbackHub(token="secret") as hub:
                fell = _try(hub, bench, way, place, answer, tree, f"{way}-{number}")
            yield way, None if fell is None else f"{place} {answer}: {fell}"


def _try(
    hub: LoopbackHub, bench: Bench, way: str, place: str, answer: int | None, tree: dict[str, bytes], name: str
) -> str | None:
    """Runs a command against a Hub that fails in one place, then against one that does not; says what did not hold."""
    repo = hub.repos["dataset", REPO] = Repo(private=False)
    if way == "push":
        repo.commit("main", {".gitattributes": b""}, "empty")
    elif place == "flip":
        file = sorted(path for path in tree if path.endswith(".parquet"))[int(bench.rng.integers(9))]
        data = bytearray(tree[file])
        data[int(bench.rng.integers(len(data)))] ^= 1 << int(bench.rng.integers(8))
        repo.commit("main", tree | {file: bytes(data)}, "flipped")
    else:
        repo.commit("main", tree, "whole")
    if place != "flip":
        method, path = place.split()
        hub.fail(method, path, 1000, answer)
    home = bench.folder / f"home-{name}"
    words = ["-m", "bridge", "push", str(bench.release), "--repo", REPO] if way == "push" else ["-c", PULL]

    def run() -> subprocess.CompletedProcess[str]:
        environment = hub.env(home) | {"MAGBRIDGE_CACHE": str(home / "cache")}
        return subprocess.run(
            [sys.executable, *words], env=environment, cwd=ROOT, text=True, capture_output=True, timeout=240
        )

    first = run()
    errors = [line for line in first.stderr.splitlines() if line.startswith("error: ")]
    if first.returncode not in (0, 1) or len(errors) != first.returncode or first.stderr.count("\n") != len(errors):
        return f"exit {first.returncode}, {first.stderr[-300:]!r}"
    if "secret" in first.stderr:
        return f"the token is told: {first.stderr[-300:]!r}"
    if way == "pull" and first.returncode == 0 and first.stdout.strip() != _digest(tree):
        return "other rows were taken"
    if way == "push" and hub.files("dataset", REPO) not in ({".gitattributes": b""}, _pushed(tree)):
        return "half a release is on the Hub"
    hub.faults.clear()
    if way == "pull":
        repo.commit("main", tree, "whole")
    second = run()
    whole = second.stdout.strip() == _digest(tree) if way == "pull" else hub.files("dataset", REPO) == _pushed(tree)
    return None if second.returncode == 0 and whole else f"not whole again: {second.stderr[-300:]!r}"


def _digest(tree: dict[str, bytes]) -> str:
    return json.loads(tree["manifest.json"])["dataset_digest"]


def _pushed(tree: dict[str, bytes]) -> dict[str, bytes]:
    return {".gitattributes": b""} | tree
