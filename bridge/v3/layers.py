"""Where in the stack currents flow: weights of foils, gaps and units on a few heights (see `field.nodes`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridge.v3.design import PouchCell
from bridge.v3.field import node_weights, nodes


class Layers(NamedTuple):
    """Weights on M heights.

    Attributes:
        z: (M,) heights in m.
        foil_p, foil_n: (M,) of equally loaded units' aluminium and copper; each sums to 1.
        gap: (M,) of their vertical current, times its height, in m: up in even units, down in odd ones.
        unit_p, unit_n, unit_gap: (U, M) of single units.
        solid: (M,) of what fills the stack evenly.
    """

    z: np.ndarray
    foil_p: np.ndarray
    foil_n: np.ndarray
    gap: np.ndarray
    unit_p: np.ndarray
    unit_n: np.ndarray
    unit_gap: np.ndarray
    solid: np.ndarray


def layers(cell: PouchCell, nearest_m: float) -> Layers:
    """The weights of a cell for sensors no nearer than `nearest_m` to its middle plane.

    A foil's current is shared by its coated sides: each unit takes all of its current from one side of each neighbour.
    """
    units, foil = cell.units, cell.foil_z
    z = nodes(cell.units * cell.pitch_m / 2, nearest_m)
    at_foils = node_weights(z, foil)
    unit = np.arange(units)
    copper = np.where(unit % 2 == 0, unit, unit + 1)
    aluminium = np.where(unit % 2 == 0, unit + 1, unit)
    point, share = np.polynomial.legendre.leggauss(8)
    inside = (foil[:-1, None] + foil[1:, None]) / 2 + cell.pitch_m / 2 * point
    gaps = (node_weights(z, inside.ravel()).reshape(units, 8, -1) * (share / 2)[:, None]).sum(axis=1)
    up = np.where(unit % 2 == 0, cell.pitch_m, -cell.pitch_m)[:, None]
    unit_p, unit_n, unit_gap = at_foils[aluminium], at_foils[copper], gaps * up
    return Layers(
        z,
        unit_p.mean(axis=0),
        unit_n.mean(axis=0),
        unit_gap.mean(axis=0),
        unit_p,
        unit_n,
        unit_gap,
        gaps.mean(axis=0),
    )
