"""Check the comparison of measured cells on sixty simulated laboratories of each kind, with known answers.

    python perf/stand_ins.py [--seeds 60] [--compared 20]

Stand-in A: scans of the simulated sheet in another geometry, whose moment falls as cells age; its true slope is that
of the same scans without noise and without differences between cells. A turned: the moment grows. Stand-in B: no
response to SOH. Each laboratory has 50 cells with 20 scans per cell. The same comparisons also give the bridge compared
with itself. The output has counts and the minimum CPU seconds.
"""

import argparse
import time

from bridge.measured.residuals import compare_scans
from bridge.measured.response import Slope, amplitude, soh_slope
from bridge.v2 import BridgeV2, resolve
from tests.bridge.measured.laboratory import labels_of, scans_of

CELLS, SCANS = 50, 20


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60, help="laboratories of each kind")
    parser.add_argument("--compared", type=int, default=20, help="number to compare fully with the bridge")
    arguments = parser.parse_args()
    inside, signed, turned, none = [], [], [], []
    for seed in range(arguments.seeds):
        labels = labels_of(seed, CELLS, SCANS)
        slope, other, nothing = (_slope(labels, response, seed) for response in (1.0, -1.0, 0.0))
        truth = _slope(labels, 1.0, seed, noise=False).value
        inside.append(slope.low <= truth <= slope.high)
        signed.append(slope.found and slope.low > 0)
        turned.append(other.found and other.high < 0)
        none.append(not nothing.found)
        print(
            f"seed {seed:2}: A {slope.value:+.3f} [{slope.low:+.3f}, {slope.high:+.3f}] true {truth:+.3f}; "
            f"turned {other.value:+.3f}; B {nothing.value:+.3f} p {nothing.p:.3f}",
            flush=True,
        )
    for n in sorted({min(20, arguments.seeds), arguments.seeds}):
        print(
            f"of {n}: A, true slope inside the 95 % interval {sum(inside[:n])}, wrong sign rejected {sum(signed[:n])}; "
            f"A turned, found and of the other sign {sum(turned[:n])}; B, none found {sum(none[:n])}"
        )
    _compare(range(arguments.compared))


def _compare(seeds: range) -> None:
    bridge = BridgeV2(resolve("simulated"))
    coverage, within_floor, seconds = [], [], []
    for seed in seeds:
        labels = labels_of(seed, CELLS, SCANS)
        x, start = scans_of(labels, 1.0, seed), time.process_time()
        found = compare_scans(labels, x, bridge, seed=seed)
        seconds.append(time.process_time() - start)
        coverage.append(found.itself.coverage["all"].value)
        within_floor.append(found.itself.auc <= found.floor_high)
    print(
        f"bridge against itself: coverage {min(coverage):.3f} to {max(coverage):.3f}, AUC within its floor in "
        f"{sum(within_floor)} of {len(seeds)}"
    )
    print(f"least CPU seconds of a comparison of {CELLS * SCANS} scans: {min(seconds):.1f}")


def _slope(labels, response: float, seed: int, noise: bool = True) -> Slope:
    x = scans_of(labels, response, seed, noise=noise)
    return soh_slope(amplitude(x, labels.chemistry), labels, seed)


if __name__ == "__main__":
    main()
