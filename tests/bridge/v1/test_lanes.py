import hashlib
from pathlib import Path

import numba
import numpy as np

from bridge.v1 import kernel, lanes
from bridge.v1.lanes import LANES, load, spread, store


@numba.njit
def rotate(rows, cosine, sine):
    a, b = load(rows, 0), load(rows, 2)
    store(rows, 0, cosine * a - sine * b)
    store(rows, 2, spread(cosine) * b + sine * a)


def test_rows_compute_like_floats_to_the_last_bit():
    rows = np.random.default_rng(0).standard_normal((3, LANES))
    a, untouched, b = rows.copy()
    rotate(rows, 0.8, 0.6)
    assert np.array_equal(rows, [0.8 * a - 0.6 * b, untouched, 0.8 * b + 0.6 * a])


def test_a_change_of_the_lanes_changes_the_kernels_file():
    assert hashlib.sha256(Path(lanes.__file__).read_bytes()).hexdigest() == kernel.LANES_SHA256
