"""A small corpus of v2's LFP cells: 668 rows per seed, two seeds a shard, five seeds."""

import dataclasses
import hashlib
import sys
from pathlib import Path

from bridge.corpus import run
from bridge.corpus.shards import Recipe
from bridge.generate import resolve
from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine

COMPOSITION = {"variants": 1, "anomalies": 8, "regime_b": 100}
ROWS_A_SEED = 668
FIRST_SEED = 11


def upstream():
    """The simulated upstream's LFP cells."""
    inputs = resolve("v2", "simulated")
    return dataclasses.replace(inputs, pulses=inputs.pulses.of(["LFP"]))


def plan(out, *, seeds: int = 5, inputs=None, **changes) -> Recipe:
    """The plan of a small corpus."""
    options = {"first_seed": FIRST_SEED, "shard_rows": 2 * ROWS_A_SEED, **COMPOSITION, **changes}
    return run.plan(out, inputs or upstream(), seeds * ROWS_A_SEED, **options)


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that is no stray."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


if __name__ == "__main__":  # a driver that tests may kill: OUT ADDRESS SEEDS
    out, address, seeds = sys.argv[1:]
    try:
        run.build(plan(out, seeds=int(seeds)), Engine(address=address))
    except MagBridgeError as error:
        sys.exit(f"error: {error}")
