"""Does the comparison of measured cells come out right? Twenty laboratories of each kind, with known answers.

    python perf/stand_ins.py [--seeds 20]

Stand-in A: scans of the simulated sheet in another geometry, whose moment falls with SOH; its true slope is that of the
same scans without noise and make. A turned: the moment grows. Stand-in B: no answer to SOH. Each of 50 cells, 20 scans
a cell. Beside them the bridge against itself, from the same comparisons. Prints counts and least seconds of CPU time.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bridge.measured.residuals import compare_scans
from bridge.measured.response import amplitude, soh_slope
from bridge.scan_map import BridgeV2, resolve
from tests.bridge.measured.laboratory import labels_of, scans_of

CELLS, SCANS = 50, 20


def main() -> None:
    """Prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="laboratories of each kind")
    seeds = range(parser.parse_args().seeds)
    bridge = BridgeV2(resolve("simulated"))
    inside, signed, turned, none, coverage, within_floor, seconds = [], [], [], [], [], [], []
    for seed in seeds:
        labels = labels_of(seed, CELLS, SCANS)
        start = time.process_time()
        found = compare_scans(labels, scans_of(labels, 1.0, seed), bridge, seed=seed)
        seconds.append(time.process_time() - start)
        slope, truth = found.measured.slope, _truth(labels, 1.0, seed)
        inside.append(slope.low <= truth <= slope.high)
        signed.append(slope.found and slope.low > 0)
        coverage.append(found.itself.coverage["all"].value)
        within_floor.append(found.itself.auc <= found.floor_high)
        other = soh_slope(amplitude(scans_of(labels, -1.0, seed), labels.chemistry), labels, seed)
        turned.append(other.found and other.high < 0)
        nothing = soh_slope(amplitude(scans_of(labels, 0.0, seed), labels.chemistry), labels, seed)
        none.append(not nothing.found)
        print(
            f"seed {seed:2}: A {slope.value:+.3f} [{slope.low:+.3f}, {slope.high:+.3f}] true {truth:+.3f}; "
            f"turned {other.value:+.3f}; "
            f"B {nothing.value:+.3f} p {nothing.p:.3f}; itself: coverage {coverage[-1]:.3f}, AUC "
            f"{found.itself.auc:.3f} of {found.floor_high:.3f}",
            flush=True,
        )
    n = len(seeds)
    print(
        f"A: true slope inside the 95 % interval in {sum(inside)} of {n}; wrong sign rejected in {sum(signed)} of {n}"
    )
    print(f"A turned: found, and of the other sign, in {sum(turned)} of {n}")
    print(f"B: none found in {sum(none)} of {n}")
    print(
        f"bridge against itself: coverage {min(coverage):.3f} to {max(coverage):.3f}, AUC within its floor in "
        f"{sum(within_floor)} of {n}"
    )
    print(f"least CPU seconds of a comparison of {CELLS * SCANS} scans: {min(seconds):.1f}")


def _truth(labels, response: float, seed: int) -> float:
    quiet = scans_of(labels, response, seed, noise=False)
    return soh_slope(amplitude(quiet, np.asarray(labels.chemistry)), labels, seed).value


if __name__ == "__main__":
    main()
