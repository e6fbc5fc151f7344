"""Times v2's generation against a plain numpy loop over the same requests, in one run.

    python perf/scan_map.py [--rows 4000]

Prints milliseconds of CPU time a row with cell and ageing, least of several calls, and the ratio. The loop is the
tests' oracle: one row at a time, each patch a sheet of its own.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bridge.v2 import BridgeV2, resolve
from tests.bridge.v2 import oracle

LOOP_ROWS = 200
REPEATS = 5


def best(function) -> tuple[float, np.ndarray]:
    """Least seconds of CPU time of several calls, and the value."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        value = function()
        seconds.append(time.process_time() - start)
    return min(seconds), value


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4000, help="requests for the fast path")
    n = parser.parse_args().rows
    bridge, rng = BridgeV2(resolve("simulated")), np.random.default_rng(0)
    voltage, soc, soh = rng.uniform(2.54, 3.34, n), rng.uniform(5, 50, n), rng.uniform(0.5, 1, n)
    seed, cell = rng.integers(0, 2**63, n).tolist(), [f"cell-{i % 270}" for i in range(n)]
    bridge.generate_many(voltage, soc, soh, seed, cell)  # compiles
    seconds, signals = best(lambda: bridge.generate_many(voltage, soc, soh, seed, cell, workers=1))
    fast = seconds / n * 1e3
    requests = list(zip(voltage, soc, soh, seed, cell))[:LOOP_ROWS]
    seconds, expected = best(
        lambda: np.stack(
            [oracle.signal(bridge.scan_map, bridge.config, bridge.master_seed, *request) for request in requests]
        )
    )
    loop = seconds / len(requests) * 1e3
    gap = np.abs(signals[: len(expected)] - expected).max()
    print(f"fast path   {fast:8.4f} ms CPU a row")
    print(f"numpy loop  {loop:8.4f} ms CPU a row, {loop / fast:.0f} times as much, largest difference {gap:.1e} nT")


if __name__ == "__main__":
    main()
