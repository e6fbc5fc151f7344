"""Time v3: one healthy cell and the rows of a release, together with PyBaMM's time for one cell.

    python perf/v3.py [--rows 200]

The output has milliseconds of CPU time, the minimum of several calls. PyBaMM is timed if it is installed (its 2+1D
single-particle model on 24 x 24 points, once); otherwise an earlier measurement is quoted.
"""

import argparse
import time

from bridge.v3.cells import requests
from bridge.v3.config import PhysicsConfig
from bridge.v3.design import PouchCell
from bridge.v3.generate import generate
from bridge.v3.protocol import Protocol, SensorArray
from bridge.v3.simulation import Case, simulate_cases
from bridge.v3.state import CellState

REPEATS = 5
PYBAMM_S = 1.58
"""CPU time in s of PyBaMM 26.10 for 30 s of one cell, without 2 s to import it, on the machine that computed the tests'
reference table of currents."""


def best(function) -> float:
    """Return the minimum CPU time in s of several calls."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return min(seconds)


def pybamm_s() -> tuple[float, str]:
    """Return PyBaMM's CPU time in s for one cell, and when it was measured."""
    try:
        import pybamm
    except ImportError:
        return PYBAMM_S, "measured before"
    start = time.process_time()
    model = pybamm.lithium_ion.SPM({"current collector": "potential pair", "dimensionality": 2})
    points = {"x_n": 5, "x_s": 5, "x_p": 5, "r_n": 20, "r_p": 20, "y": 24, "z": 24}
    values = pybamm.ParameterValues("Marquis2019")
    pybamm.Simulation(model, parameter_values=values, var_pts=points).solve([0, 30])
    return time.process_time() - start, "measured now"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200, help="number of rows of the release to time")
    n = parser.parse_args().rows
    cell = PouchCell.preset("nmc")
    array, protocol = SensorArray.grid(cell), Protocol()
    cases = [Case(cell, CellState(soc=0.3 + 0.4 * k / 64, lli=0.05)) for k in range(64)]
    for uniform, name in ((True, "one potential"), (False, "two potentials")):
        simulate_cases(cases[:8], array, protocol, uniform_foils=uniform)
        seconds = best(lambda uniform=uniform: simulate_cases(cases, array, protocol, uniform_foils=uniform))
        print(f"{1e3 * seconds / 64:8.2f} ms  a healthy cell, 24 x 16, 33 steps, no placement, {name}")
        if uniform:
            healthy = seconds / 64
    config = PhysicsConfig()
    rows = requests(375, config.visits)
    rows = rows[:: max(len(rows) // n, 1)][:n]
    generate(rows[:8], config)
    seconds = best(lambda: generate(rows, config)) / len(rows)
    print(f"{1e3 * seconds:8.2f} ms  a row of the release: {config.mesh[0]} x {config.mesh[1]}, two potentials, placed")
    print(f"{6000 * seconds:8.1f} s   the release's 6,000 rows on one core")
    theirs, where = pybamm_s()
    print(f"{1e3 * theirs:8.0f} ms  PyBaMM, one cell ({where}): {theirs / healthy:.0f} times a healthy cell")


if __name__ == "__main__":
    main()
