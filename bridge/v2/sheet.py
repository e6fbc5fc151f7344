"""The cell as a magnetised sheet of 3x3 patches: how a cell's individual make and its ageing change the moments.

Field, geometry and moments are those of the simulated upstream. A uniform sheet is exactly the sum of its equal
patches, so the increment of nine patches over the nominal sheet is zero for a nominal, fresh cell.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np

from bridge.upstream.simulated import dipole_field, sheet_field
from bridge.upstream.simulated_parameters import SimulationParameters
from bridge.v2.config import BridgeV2Config
from bridge.v2.draws import CELL_NUMBERS
from dataset_card.contract.schema import MEASURED_CHANNELS, T

NOMINAL = np.append(np.zeros(CELL_NUMBERS - 1), 1.0)
"""Numbers of the nominal cell, which ages by lost material."""

PATCHES = 3
"""Number of patches along each side."""

FIELD_SCALE_NT = 1e4
"""One unit of moment in nT step^3."""

HALF_WIDTH_POSITIONS = 20
"""Number of positions of the simulated archive between its middle, u = 0, and its edge, u = 1."""


def _modes() -> np.ndarray:
    edge = np.full((PATCHES, PATCHES), 1 / math.sqrt(8))
    edge[1, 1] = -8 / math.sqrt(8)
    rising = np.array([-1.0, 0.0, 1.0]) * math.sqrt(1.5)
    z, y = np.meshgrid(rising, rising, indexing="ij")
    return np.stack([np.ones_like(edge), edge, z, y])


MODES = _modes()
"""(4, 3, 3) orthonormal patterns mean, edge, z and y over the patches; z rises along the scan, y across it."""


class SheetRows(namedtuple("SheetRows", "moment dipole dz lateral changed lift shift length width corners soc")):
    """The sheets of n signals: lengths in steps, moments in nT step^3.

    Attributes:
        moment: (n,) moment of the nominal, uniform sheet.
        dipole: (n, 2) moments of the dipole along the sensors' normal and across the scan.
        dz: (n,) place of the nominal sheet along the scan.
        lateral: (n,) place across the sheet in positions, before the sensor's own offset.
        changed: (n,) whether the sheet differs from the nominal one.
        lift: (n,) distance added between the sensors and the changed sheet.
        shift: (n,) displacement of the changed sheet along the scan.
        length: (n,) length of the changed sheet.
        width: (n,) width of the changed sheet.
        corners: (n, 4, 4) charges at the corners of its patches: moment over area, summed with alternating sign.
        soc: (n,) height of the SOC-dependent fluctuation, as a fraction of the nominal field's range.
    """


def patch_moments(
    moment: np.ndarray, voltage: np.ndarray, soc: np.ndarray, soh: np.ndarray, q: np.ndarray, config: BridgeV2Config
) -> np.ndarray:
    """Compute the patch moments of cells with a given make and age.

        m = (1/9) [mean (1 + .02 (q1 edge + q2 z + q3 y)) - max(0, 1 - SOH) s (1 + (.25 + .10 q6) edge + ...)]

    with the configuration's numbers. The state-dependent moment s depends on the ageing law; both laws are hypotheses:

    - `material`: s(v) = 6.175 (v - 2.54 V): lost capacity is lost active material.
    - `inventory`: s = -(1 - SOC) s(3.34 V): lost capacity is lost lithium. At the same state of charge, a larger share
      of the cathode is then delithiated, 1 - (1 - SOC) SOH instead of SOC, and the moment rises.

    Args:
        moment: (n,) moment of the whole sheet of this make, in 1e4 nT step^3.
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        q: (n, 10) numbers of the virtual batteries; `NOMINAL` for a signal without a cell.
        config: Strengths.

    Returns:
        (n, 3, 3) moments in 1e4 nT step^3, along the scan, then across.
    """
    material = config.moment_slope * (voltage - config.moment_zero_V)
    inventory = (soc / 100 - 1) * (config.moment_slope * (config.full_V - config.moment_zero_V))
    moved = np.where(q[:, -1] < config.inventory_share, inventory, material)
    lost = np.maximum(0, config.soh_baseline - soh) * moved
    of_make = [np.ones(len(q)), *(config.cell_pattern * q[:, 1:4].T)]
    of_age = [np.full(len(q), config.ageing[0])]
    of_age += [mean + config.ageing_jitter * x for mean, x in zip(config.ageing[1:], q[:, 6:9].T)]
    out = np.zeros((len(q), PATCHES, PATCHES))
    for mode, make, age in zip(MODES, of_make, of_age):
        out += (moment * make - lost * age)[:, None, None] * mode
    return out / PATCHES**2


def corner_charges(patches: np.ndarray) -> np.ndarray:
    """Compute the charges (n, 4, 4) at the corners of patches (n, 3, 3).

    A patch contributes + at a corner whose two edges are both upper or both lower, and - at the other two.
    """
    out = np.zeros((len(patches), PATCHES + 1, PATCHES + 1))
    out[:, 1:, 1:] += patches
    out[:, :-1, 1:] -= patches
    out[:, 1:, :-1] -= patches
    out[:, :-1, :-1] += patches
    return out


def sheet_rows(
    parameters: SimulationParameters,
    config: BridgeV2Config,
    voltage: np.ndarray,
    soc: np.ndarray,
    soh: np.ndarray,
    u: np.ndarray,
    cell: list[np.ndarray | None],
    mounting: np.ndarray,
    soc_draw: np.ndarray,
) -> SheetRows:
    """Compute the sheets of n requests.

    Args:
        parameters: Geometry and moments of the simulated upstream.
        config: Strengths.
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        u: (n,) place across the cell, -1 to 1.
        cell: n entries: the (10,) numbers of a virtual battery, or None for the nominal make without mounting scatter.
        mounting: (n, 2) standard normal numbers, lift-off and shift.
        soc_draw: (n,) standard normal numbers.
    """
    anchors, scan = parameters.anchors, parameters.scan
    mz, mx, my, dz, dp = (np.interp(voltage, anchors.voltage, y) for y in (*anchors.moment.T, anchors.dz, anchors.dp))
    mounted = np.array([c is not None for c in cell])
    q = np.stack([NOMINAL if c is None else c for c in cell])
    # libm's exp for each number: numpy's may differ with an element's place in a vector. The nominal cell has exactly
    # the nominal moment, not the median of the cells' moments, which is a little below their mean.
    make = [1.0 if c is None else math.exp(config.cell_moment * c[0] - config.cell_moment**2 / 2) for c in cell]
    length, width = (
        float(size) * np.array([math.exp(config.cell_size * x) for x in q[:, k].tolist()])
        for size, k in ((scan.sheet_length, 4), (scan.sheet_width, 5))
    )
    density = FIELD_SCALE_NT * PATCHES**2 / (length * width)
    patches = patch_moments(mz * np.array(make), voltage, soc, soh, q, config)
    full = np.minimum(1, np.abs(soc - config.soc_rest) / config.soc_range)
    lift, shift = (
        np.where(mounted, size * mounting[:, k], 0.0) for k, size in enumerate((config.lift_off, config.shift))
    )
    nominal = FIELD_SCALE_NT * mz, FIELD_SCALE_NT * np.column_stack([mx, my]), dz, HALF_WIDTH_POSITIONS * u - dp
    changed = mounted | (soh < config.soh_baseline), lift, shift, length, width
    corners = corner_charges(patches * density[:, None, None])
    return SheetRows(*nominal, *changed, corners, config.soc_strength * full * soc_draw)


def nominal_field(parameters: SimulationParameters, voltage: float, u: np.ndarray) -> np.ndarray:
    """Compute the field of the simulated upstream's nominal sheet and its dipole.

    Args:
        parameters: Geometry and moments.
        voltage: In V; outside the parameters' voltages, the values at the nearest end apply.
        u: (n,) places across the cell, -1 to 1.

    Returns:
        (n, 100, 4) field in nT.
    """
    anchors, scan = parameters.anchors, parameters.scan
    mz, mx, my = (np.interp(voltage, anchors.voltage, m) * FIELD_SCALE_NT for m in anchors.moment.T)
    dz, dp = (np.interp(voltage, anchors.voltage, shift) for shift in (anchors.dz, anchors.dp))
    out = np.empty((len(u), T, MEASURED_CHANNELS))
    for sensor in range(MEASURED_CHANNELS // 2):
        z = np.arange(T) - scan.z0[sensor] - dz
        y = (HALF_WIDTH_POSITIONS * u[:, None] - scan.y0[sensor] - dp) * scan.dy
        sheet = sheet_field(z, y, scan.h[sensor], scan.sheet_length, scan.sheet_width)
        dipole = dipole_field(z, y, scan.h[sensor], mx, my)
        for component in range(2):
            out[..., 2 * sensor + component] = mz * sheet[component] + dipole[component]
    return out


def soc_wave(steps: int, config: BridgeV2Config) -> np.ndarray:
    """Return the (steps,) time course of the SOC-dependent fluctuation: an exponential decay, standardised."""
    wave = np.exp(-np.arange(steps) / config.soc_decay)
    return (wave - wave.mean()) / wave.std()
