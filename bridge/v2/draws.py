"""Random numbers drawn from a seed or from a cell's name, the same whatever is requested."""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from bridge.identity import sample_seed
from bridge.v2.config import BridgeV2Config
from bridge.v2.covariance import BINS
from bridge.v2.lines import LINES
from dataset_card.contract.schema import AGEING_LAWS, MEASURED_CHANNELS

SENSORS = MEASURED_CHANNELS // 2
UNSEEN_WAVES = 4
"""Number of waves along the scan, starting with the constant, of the field that Y and Z of a sensor do not see."""

CELL_NUMBERS = 10
"""A virtual battery's numbers: moment; modes edge, z, y; length; width; ageing of these modes; ageing law."""


class Draws(namedtuple("Draws", "position offset noise height onset detuning line mounting soc unseen")):
    """Random numbers of n signals.

    Attributes:
        position: (n,) uniform in [0, 1): the place across the cell.
        offset: (n, 4) standard normal.
        noise: (n, 2, 129, 4) standard normal: real and imaginary part, frequency, channel.
        height: (n, 2) exponential of mean 1: heights of start and end transient.
        onset: (n,) uniform in [0, 1): determines when the end transient begins.
        detuning: (n, 2) uniform in [-1, 1): relative detuning of each mains line.
        line: (n, 2, 2, 4) standard normal: line, real and imaginary part, channel.
        mounting: (n, 2) standard normal: lift-off and shift.
        soc: (n,) standard normal: height of the SOC-dependent fluctuation.
        unseen: (n, 2, 4) standard normal: sensor, wave of the field that its Y and Z do not see.
    """


_NOISE = 2 * BINS * MEASURED_CHANNELS
_LINE = LINES * 2 * MEASURED_CHANNELS
_UNSEEN = SENSORS * UNSEEN_WAVES


def draw(seeds: list[int]) -> Draws:
    """Draw the numbers of each seed from a separate generator, in five calls, whether or not all are needed."""
    n = len(seeds)
    position, normal = np.empty(n), np.empty((n, MEASURED_CHANNELS + _NOISE))
    height, uniform, late = np.empty((n, 2)), np.empty((n, 1 + LINES)), np.empty((n, _LINE + 3 + _UNSEEN))
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
        soc=late[:, _LINE + 2],
        unseen=late[:, _LINE + 3 :].reshape(n, SENSORS, UNSEEN_WAVES),
    )
    # The same layout for every n: the kernel is compiled once, and reads whole vectors.
    return Draws(*(np.ascontiguousarray(part) for part in parts))


def draw_cell(cell: str, master_seed: int) -> np.ndarray:
    """Draw the (10,) numbers of a virtual battery from its name and the master seed: 9 standard normal, 1 uniform."""
    rng = np.random.default_rng(sample_seed(master_seed, "v2", "cell", cell))
    return np.append(rng.standard_normal(CELL_NUMBERS - 1), rng.random())


def law_of(numbers: np.ndarray, config: BridgeV2Config) -> str:
    """Return the ageing law of a battery with these numbers: `material` or `inventory`."""
    material, inventory = AGEING_LAWS
    return inventory if numbers[-1] < config.inventory_share else material
