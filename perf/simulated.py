"""Times the simulated upstream, and its sheet against magpylib's cuboid on the same points, in one run.

    python perf/simulated.py

Prints milliseconds of the archive and the pulse table, and the ratio and difference of the two field computations.
"""

from __future__ import annotations

import time
from functools import partial

import magpylib
import numpy as np

from bridge.upstream.simulated import POSITIONS, pulse_table, scan_archive, sheet_field
from bridge.upstream.simulated_parameters import load_parameters

THICKNESS = 1e-3
REPEATS = 20


def best(function) -> tuple[float, object]:
    """Least seconds of several calls, and the value."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        value = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), value


def main() -> None:
    """Prints the table."""
    parameters = load_parameters()
    for name, function in (("scan archive", scan_archive), ("pulse table", pulse_table)):
        seconds, _ = best(partial(function, parameters))
        print(f"{name:14} {seconds * 1e3:8.2f} ms")
    scan = parameters.scan
    h, length, width = (float(v) for v in (scan.h[0], scan.sheet_length, scan.sheet_width))
    z, y = np.meshgrid(np.arange(100) - scan.z0[0], (np.arange(POSITIONS) - 20) * scan.dy)
    ours, field = best(lambda: np.stack(sheet_field(z, y, h, length, width), axis=-1))
    magnet = magpylib.magnet.Cuboid(polarization=(0, 0, 1), dimension=(THICKNESS, width, length))
    points = np.stack([np.full(z.size, h), y.ravel(), z.ravel()], axis=1)
    theirs, oracle = best(lambda: magnet.getB(points))
    oracle = oracle[:, 1:].reshape(field.shape) * 4 * np.pi / (THICKNESS * width * length)
    gap = np.abs(field - oracle).max() / np.abs(oracle).max()
    print(
        f"{'sheet':14} {ours * 1e3:8.3f} ms, magpylib cuboid {theirs * 1e3:.3f} ms: {theirs / ours:.0f} times ours, "
        f"largest difference {gap:.1e} of the peak"
    )


if __name__ == "__main__":
    main()
