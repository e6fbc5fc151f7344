"""Faults of the Hub: refusals, other bytes, and connections that are cut, on a loopback server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.faults.bench import Bench
from tests.hub import LoopbackHub, Repo

ROOT = Path(__file__).parents[2]

PULL = """
import sys
from dataset_card.errors import MagBridgeError
from dataset_card.hub import pull_release
from dataset_card.reading import checked_digest
try:
    print(checked_digest(pull_release("user/rel")))
except (MagBridgeError, OSError) as error:
    sys.exit(f"error: {error}")
"""


def network(bench: Bench, count: int) -> Iterator[str | None]:
    """A Hub on the loopback that refuses or sends other bytes: one line, and the next pull is whole."""
    tree = {p.relative_to(bench.release).as_posix(): p.read_bytes() for p in bench.release.rglob("*") if p.is_file()}
    digest = json.loads(tree["manifest.json"])["dataset_digest"]
    for number in range(count):
        with LoopbackHub() as hub:
            hub.repos["dataset", "user/rel"] = repo = Repo(private=False)
            status = [None, 403, 404, 416, 500][number % 5]
            if status is None:
                name = sorted(n for n in tree if n.endswith(".parquet"))[int(bench.rng.integers(9))]
                data = bytearray(tree[name])
                data[int(bench.rng.integers(len(data)))] ^= 1 << int(bench.rng.integers(8))
                repo.commit("main", tree | {name: bytes(data)}, "flipped")
            else:
                repo.commit("main", tree, "whole")
                hub.fail("GET", ["/api/datasets/", "/resolve/"][int(bench.rng.integers(2))], 1000, status)
            home = bench.folder / f"home-{number}"
            environment = hub.env(home) | {"MAGBRIDGE_CACHE": str(home / "cache")}

            def pull(environment=environment):
                command = [sys.executable, "-c", PULL]
                return subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True, timeout=120)

            first = pull()
            hub.faults.clear()
            repo.commit("main", tree, "whole")
            second = pull()
        same = first.returncode == 0 and first.stdout.strip() == digest
        if not same and (first.returncode != 1 or first.stderr.count("\n") != 1):
            yield f"fault {number} ({status}): exit {first.returncode}, {first.stderr[-300:]!r}"
        else:
            yield (
                None
                if second.stdout.strip() == digest
                else f"fault {number}: not whole again: {second.stderr[-300:]!r}"
            )
