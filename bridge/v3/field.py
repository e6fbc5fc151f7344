"""Magnetic fields in closed form: rectangles of current, vertical current, magnetised rectangles, straight wires.

With R from a source point to the sensor, u, v, w its components, and sums over a rectangle's corners with the sign of
a mixed difference:

    omega = int w/R^3 = sum atan(u v / (w R)),  a = int v/R^3 = -sum asinh(u / sqrt(v^2 + w^2)),
    c = int u/R^3 = -sum asinh(v / sqrt(u^2 + w^2)),

a sheet of current K (A/m) gives B = mu_0/4pi (K_y omega, -K_x omega, K_x a - K_y c); vertical current j over a
thickness h gives mu_0/4pi j h (-a, c, 0) (Biot-Savart); a sheet of moment m along x (A) gives -mu_0/4pi m grad c.
"""

from __future__ import annotations

import math

import numpy as np

from dataset_card.running.compiled import compiled

MU0_4PI = 1e-7 * 1.25663706127 / (0.4 * math.pi)
"""mu_0 / 4 pi in T m/A (CODATA 2022)."""

TOLERANCE = 1e-9
"""Relative error of the field permitted for interpolation between nodes through the stack."""

_jit = compiled(nogil=True, error_model="numpy")


@_jit
def _corner(u, v, w):
    """Compute the terms of omega, a and c at one corner."""
    r = math.sqrt(u * u + v * v + w * w)
    a = math.copysign(math.log((abs(u) + r) / math.sqrt(v * v + w * w)), -u)
    c = math.copysign(math.log((abs(v) + r) / math.sqrt(u * u + w * w)), -v)
    return math.atan(u * v / (w * r)), a, c


@_jit
def current_terms(sensors, x, y, z):
    """Compute the integrals omega, a, c of every rectangle of a grid at every height.

    Args:
        sensors: (S, 3) positions in m.
        x, y: (nx + 1,), (ny + 1,) edges of the grid in m.
        z: (M,) heights in m.

    Returns:
        (S, M, 3, nx, ny) integrals omega, a, c, all dimensionless: integrals of 1/length^2 over an area.
    """
    nx, ny = len(x) - 1, len(y) - 1
    found = np.empty((len(sensors), len(z), 3, nx, ny))
    before, line = np.empty((3, ny + 1)), np.empty((3, ny + 1))
    for s in range(len(sensors)):
        for m in range(len(z)):
            w = sensors[s, 2] - z[m]
            for i in range(nx + 1):
                for j in range(ny + 1):
                    line[0, j], line[1, j], line[2, j] = _corner(sensors[s, 0] - x[i], sensors[s, 1] - y[j], w)
                if i:
                    for q in range(3):
                        for j in range(ny):
                            found[s, m, q, i - 1, j] = line[q, j + 1] - line[q, j] - before[q, j + 1] + before[q, j]
                before[:] = line
    return found


@_jit
def moment_field(sensors, x, y, z, weight, moment):
    """Compute the field (S, 3) in T of rectangles magnetised along x.

    Args:
        sensors: (S, 3) positions in m.
        x, y: (nx + 1,) and (ny + 1,) edges of the grid in m.
        z: (M,) heights in m, which share the moment by `weight`.
        weight: (M,) share of each height.
        moment: (nx, ny) moment per area in A.
    """
    nx, ny = len(x) - 1, len(y) - 1
    found = np.zeros((len(sensors), 3))
    padded = np.zeros((nx + 2, ny + 2))
    padded[1:-1, 1:-1] = moment
    for s in range(len(sensors)):
        for m in range(len(z)):
            w = sensors[s, 2] - z[m]
            for i in range(nx + 1):
                u = sensors[s, 0] - x[i]
                rho2 = u * u + w * w
                for j in range(ny + 1):
                    # Abel summation: each corner is multiplied by the mixed difference of the moments around it.
                    around = padded[i + 1, j + 1] - padded[i + 1, j] - padded[i, j + 1] + padded[i, j]
                    if around != 0.0:
                        v = sensors[s, 1] - y[j]
                        r = math.sqrt(rho2 + v * v)
                        around *= -MU0_4PI * weight[m]
                        found[s, 0] += around * u * v / (rho2 * r)
                        found[s, 1] -= around / r
                        found[s, 2] += around * v * w / (rho2 * r)
    return found


def wire_field(sensors: np.ndarray, points: np.ndarray, current: float = 1.0) -> np.ndarray:
    """Compute the field (S, 3) in T of a current along a polyline, each straight piece in closed form (Biot-Savart).

    Args:
        sensors: (S, 3) positions in m, none on the wire.
        points: (P, 3) corners of the polyline in m.
        current: Current in A.
    """
    start, end = points[:-1], points[1:]
    a, b = sensors[:, None] - start, sensors[:, None] - end
    along = (end - start) / np.linalg.norm(end - start, axis=1)[:, None]
    ra, rb = np.linalg.norm(a, axis=2), np.linalg.norm(b, axis=2)
    across = np.cross(along[None], a)
    difference = (a * along).sum(axis=2) / ra - (b * along).sum(axis=2) / rb
    return MU0_4PI * current * (across * (difference / (across**2).sum(axis=2))[..., None]).sum(axis=1)


def sheet_field(sensors: np.ndarray, x: np.ndarray, y: np.ndarray, z: float, k: np.ndarray) -> np.ndarray:
    """Compute the field (S, 3) in T of a grid of rectangles of sheet current k (2, nx, ny) in A/m at height z in m."""
    omega, a, c = np.moveaxis(current_terms(sensors, x, y, np.array([z]))[:, 0], 1, 0)
    over = "sij,ij->s"
    up = np.einsum(over, a, k[0]) - np.einsum(over, c, k[1])
    return MU0_4PI * np.stack([np.einsum(over, omega, k[1]), -np.einsum(over, omega, k[0]), up], axis=1)


def nodes(half: float, nearest: float) -> np.ndarray:
    """Choose the heights in m, through a stack of half thickness `half`, between which a field is interpolated.

    The field of a source, as a function of the source's height, is analytic as far as the sensor; the error of M
    Chebyshev nodes is then rho^-M, with rho = d + sqrt(d^2 - 1) and d = nearest / half. Interpolation replaces about 40
    foils and gaps.

    Args:
        half: Half thickness of the stack in m.
        nearest: Smallest distance of a sensor from the plane z = 0 in m.
    """
    d = nearest / half
    count = min(max(math.ceil(-math.log(TOLERANCE) / math.log(d + math.sqrt(d * d - 1))), 3), 40)
    return half * np.cos((2 * np.arange(count) + 1) * math.pi / (2 * count))


def node_weights(z: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Compute weights (len(at), M) that interpolate from the nodes z (M,) to the heights `at`, after Lagrange."""
    difference = z[:, None] - z
    np.fill_diagonal(difference, 1)
    others = np.tile(at[:, None, None] - z, (1, len(z), 1))
    others[:, np.arange(len(z)), np.arange(len(z))] = 1
    return others.prod(axis=2) / difference.prod(axis=1)
