"""Operators from currents to fields, computed once per design, array and mesh unless the array is moved."""

from __future__ import annotations

import hashlib
from collections import namedtuple

import numpy as np

from bridge.v3.design import PouchCell
from bridge.v3.field import MU0_4PI, current_terms, node_weights, nodes, sheet_field, wire_field
from bridge.v3.protocol import Placement, SensorArray
from bridge.v3.state import Mesh
from dataset_card.running.compiled import compiled

RETURN_M = 0.3
"""Distance in m below the cell at which the leads of opposite tabs return [C]."""

_jit = compiled(nogil=True, error_model="numpy")


class Operator(namedtuple("Operator", "position stack terms kernels outer")):
    """Operator that maps the currents of one design to the field at an array.

    Attributes:
        position: (S, 3) positions of the sensors in m.
        stack: Weights of foils, gaps and units on the heights.
        terms: (S, M, 3, nx, ny) integrals from `field.current_terms`.
        kernels: (S, 3, 3, nx, ny) integrals of equally loaded units, from `kernel`.
        outer: (S, 3) field in T of 1 A in tabs and leads.
    """

    def sha256(self) -> str:
        """Return the digest of the exact bytes of kernels, weights and outer field."""
        whole = hashlib.sha256()
        for part in (self.kernels, *self.stack, self.outer):
            whole.update(np.ascontiguousarray(part, "<f8").tobytes())
        return whole.hexdigest()


class Operators:
    """The operators of an array, one per design and mesh."""

    def __init__(self, sensors: SensorArray, through_plane: bool = True):
        self.sensors, self.through_plane = sensors, through_plane
        self.kept: dict[tuple, Operator] = {}

    def of(self, cell: PouchCell, mesh: Mesh, placement: Placement | None = None) -> Operator:
        """Return the operator of a design on a mesh, for the array at its nominal or a given placement.

        Raises:
            MagBridgeError: If a sensor is inside the cell.
        """
        key = (cell, mesh.x.tobytes(), mesh.y.tobytes())
        if placement is None and key in self.kept:
            return self.kept[key]
        self.sensors.require_outside(cell)
        position = self.sensors.position_mm * 1e-3
        if placement is not None:
            position = placement.moved(self.sensors, cell)
            SensorArray(1e3 * position).require_outside(cell, 1.02)
        stack = layers(cell, float(np.abs(position[:, 2]).min()))
        if not self.through_plane:
            stack = stack._replace(gap=0 * stack.gap, unit_gap=0 * stack.unit_gap)
        terms = current_terms(position, mesh.x, mesh.y, stack.z)
        weights = np.stack([stack.foil_p, stack.foil_n, stack.gap])
        made = Operator(position, stack, terms, kernel(terms, weights), outer_field(cell, position))
        if placement is None:
            self.kept[key] = made
        return made


def outer_field(cell: PouchCell, position: np.ndarray) -> np.ndarray:
    """Compute the field (S, 3) in T of 1 A of discharge in tabs and leads.

    Tabs are rectangles and leads straight wires at z = 0. The leads' far ends are joined: by a straight wire if both
    tabs are on one edge, or by a return path .3 m below the cell if they are opposite.

    Args:
        cell: The design.
        position: (S, 3) positions in m.
    """
    total = np.zeros((len(position), 3))
    half, tab, lead = cell.tab_width_mm * 5e-4, cell.tab_length_mm * 1e-3, cell.lead_mm * 1e-3
    length, far = cell.length_mm * 1e-3, []
    for middle, out in ((cell.tab_p_mm * 1e-3, True), (cell.tab_n_mm * 1e-3, False)):
        opposite = cell.opposite and not out
        edge, away = (length, 1.0) if opposite else (0.0, -1.0)
        end = edge + away * tab
        flow = away if out else -away  # along x: out of the positive tab, into the negative one
        k = np.array([[[flow / (2 * half)]], [[0.0]]])
        total += sheet_field(position, np.sort([edge, end]), np.array([middle - half, middle + half]), 0.0, k)
        tip = np.array([end + away * lead, middle, 0.0])
        points = np.array([[end, middle, 0.0], tip])
        total += wire_field(position, points if out else points[::-1])
        far.append(tip)
    if cell.closed_leads:
        below = np.array([0, 0, -RETURN_M])
        path = [far[0], far[0] + below, far[1] + below, far[1]] if cell.opposite else far
        total += wire_field(position, np.array(path))
    return total


def kernel(terms, weights):
    """Compute integrals (S, 3, 3, nx, ny) of aluminium, copper and gaps from those of every height.

    Args:
        terms: (S, M, 3, nx, ny) integrals, as `field.current_terms` gives them.
        weights: (3, M) weights of the heights.
    """
    found = np.zeros((len(terms), 3, *terms.shape[2:]))
    for part, weight in enumerate(weights):
        for height, of_height in enumerate(weight):  # in order: a matrix product could round differently
            found[:, part] += of_height * terms[:, height]
    return found


@_jit
def flow_field(kernels, flows):
    """Compute the field (T, S, 3) in T of currents.

    Args:
        kernels: (S, 3, 3, nx, ny) integrals from `kernel`.
        flows: (nx, ny, 5, T) currents from `simulation._flows`.
    """
    nx, ny, _, times = flows.shape
    count = len(kernels)
    found = np.zeros((3, times, count))
    k = np.empty((3, 3, count))
    for i in range(nx):
        for j in range(ny):
            k[:] = kernels[:, :, :, i, j].transpose(1, 2, 0)
            for t in range(times):
                up, p_x, p_y, n_x, n_y = flows[i, j, :, t]
                for s in range(count):
                    found[0, t, s] += p_y * k[0, 0, s] + n_y * k[1, 0, s] - up * k[2, 1, s]
                for s in range(count):
                    found[1, t, s] += up * k[2, 2, s] - p_x * k[0, 0, s] - n_x * k[1, 0, s]
                for s in range(count):
                    found[2, t, s] += p_x * k[0, 1, s] - p_y * k[0, 2, s] + n_x * k[1, 1, s] - n_y * k[1, 2, s]
    return MU0_4PI * found.transpose(1, 2, 0)


@_jit
def height_field(terms, flows):
    """Compute the field (3, M, S, 3) in T per unit of weight at each height: aluminium, copper, vertical current."""
    count, heights, _, nx, ny = terms.shape
    found = np.zeros((3, heights, count, 3))
    for s in range(count):
        for m in range(heights):
            omega, a, c = terms[s, m]
            for i in range(nx):
                for j in range(ny):
                    for f in range(2):
                        kx, ky = flows[i, j, 1 + 2 * f, 0], flows[i, j, 2 + 2 * f, 0]
                        found[f, m, s, 0] += ky * omega[i, j]
                        found[f, m, s, 1] -= kx * omega[i, j]
                        found[f, m, s, 2] += kx * a[i, j] - ky * c[i, j]
                    found[2, m, s, 0] -= flows[i, j, 0, 0] * a[i, j]
                    found[2, m, s, 1] += flows[i, j, 0, 0] * c[i, j]
    return MU0_4PI * found


class Layers(namedtuple("Layers", "z foil_p foil_n gap unit_p unit_n unit_gap solid")):
    """Weights on M heights.

    Attributes:
        z: (M,) heights in m.
        foil_p, foil_n: (M,) weights of the aluminium and the copper of equally loaded units; each sums to 1.
        gap: (M,) weights of their vertical current, times its height, in m: up in even units, down in odd ones.
        unit_p, unit_n, unit_gap: (U, M) weights of single units.
        solid: (M,) weights of a source that fills the stack evenly.
    """


def layers(cell: PouchCell, nearest_m: float) -> Layers:
    """Compute the weights of a cell for sensors no nearer than `nearest_m` to its middle plane.

    A foil's current is shared by its coated sides: each unit draws all its current from one side of each adjacent foil.
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
    p, n, gap = at_foils[aluminium], at_foils[copper], gaps * up
    return Layers(z, p.mean(axis=0), n.mean(axis=0), gap.mean(axis=0), p, n, gap, gaps.mean(axis=0))
