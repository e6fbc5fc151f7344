"""What a seed and a cell's name draw: the same numbers for every request."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridge.identity import sample_seed
from bridge.v2.covariance import BINS
from bridge.v2.lines import LINES
from dataset_card.contract.schema import MEASURED_CHANNELS

CELL_NUMBERS = 9
"""Numbers of a virtual cell: moment, modes edge, z and y, length, width, ageing of the three modes."""


class Draws(NamedTuple):
    """Random numbers of n signals.

    Attributes:
        position: (n,) uniform, the place across the cell.
        offset: (n, 4) standard normal.
        noise: (n, 2, 129, 4) standard normal: real and imaginary part, frequency, channel.
        height: (n, 2) exponential of mean 1: heights of start and end transient.
        onset: (n,) uniform, when the end transient begins.
        detuning: (n, 2) uniform in [-1, 1), of each mains line.
        line: (n, 2, 2, 4) standard normal: line, real and imaginary part, channel.
        mounting: (n, 2) standard normal: lift-off and shift.
        soc: (n,) standard normal, of the SOC-dependent fluctuation.
    """

    position: np.ndarray
    offset: np.ndarray
    noise: np.ndarray
    height: np.ndarray
    onset: np.ndarray
    detuning: np.ndarray
    line: np.ndarray
    mounting: np.ndarray
    soc: np.ndarray


_NOISE = 2 * BINS * MEASURED_CHANNELS
_LINE = LINES * 2 * MEASURED_CHANNELS


def draw(seeds: list[int]) -> Draws:
    """Draws for each seed from a generator of its own: five calls, whatever the request needs of them."""
    n = len(seeds)
    position, normal = np.empty(n), np.empty((n, MEASURED_CHANNELS + _NOISE))
    height, uniform, late = np.empty((n, 2)), np.empty((n, 1 + LINES)), np.empty((n, _LINE + 3))
    for i, seed in enumerate(seeds):
        rng = np.random.Generator(np.random.PCG64(seed))
        position[i] = rng.random()
        rng.standard_normal(out=normal[i])
        rng.standard_exponential(out=height[i])
        rng.random(out=uniform[i])
        rng.standard_normal(out=late[i])
    parts = Draws(
        position=position,
        offset=normal[:, :MEASURED_CHANNELS],
        noise=normal[:, MEASURED_CHANNELS:].reshape(n, 2, BINS, MEASURED_CHANNELS),
        height=height,
        onset=uniform[:, 0],
        detuning=2 * uniform[:, 1:] - 1,
        line=late[:, :_LINE].reshape(n, LINES, 2, MEASURED_CHANNELS),
        mounting=late[:, _LINE : _LINE + 2],
        soc=late[:, -1],
    )
    # Of one layout whatever n is: the kernel is compiled once, and reads whole vectors.
    return Draws(*(np.ascontiguousarray(part) for part in parts))


def draw_cell(cell: str, master_seed: int) -> np.ndarray:
    """(9,) standard normal numbers of a virtual cell, from its name and the master seed."""
    return np.random.default_rng(sample_seed(master_seed, "v2", "cell", cell)).standard_normal(CELL_NUMBERS)
