"""Currents in the plane: two foils' potentials on a grid of patches, stepped through a protocol.

The equations -div(S_p grad phi_p) = i - I tau_p and -div(S_n grad phi_n) = -i + I tau_n with i = y (e - phi_p + phi_n)
are solved by finite volumes. Eight cells are solved side by side (the last axis of every array), and no cell depends on
another. The states of a patch's impedance are exact for currents that are linear over a step (second order in the
step).
"""

from __future__ import annotations

import math

import numpy as np

from dataset_card.running.compiled import compiled

LANES = 8
"""Number of cells solved side by side."""

_jit = compiled(nogil=True, error_model="numpy")


@_jit
def factor(a):
    """Factor symmetric banded matrices in place, A = L D L^T.

    Columns are processed in pairs, so that the elements to their right are read and written half as often.

    Args:
        a: (n, b + 1, LANES) bands; a[k, j] is element (k + j, k).
    """
    n, width = a.shape[0], a.shape[1]
    one, two = np.zeros((width + 1, LANES)), np.zeros((width + 1, LANES))
    for k in range(0, n - 1, 2):
        reach, next_reach = min(width, n - k), min(width, n - k - 1)
        for j in range(1, reach):
            for c in range(LANES):
                one[j, c] = a[k, j, c] / a[k, 0, c]
        for j in range(1, reach):
            for c in range(LANES):
                a[k + 1, j - 1, c] -= one[1, c] * a[k, j, c]
        for j in range(1, next_reach):
            for c in range(LANES):
                two[j + 1, c] = a[k + 1, j, c] / a[k + 1, 0, c]
        for i in range(2, reach):
            for j in range(i, reach):
                for c in range(LANES):
                    a[k + i, j - i, c] -= one[i, c] * a[k, j, c] + two[i, c] * a[k + 1, j - 1, c]
        if next_reach == width:  # the second column reaches one row further down than the first
            for i in range(2, width + 1):
                for c in range(LANES):
                    a[k + i, width - i, c] -= two[i, c] * a[k + 1, width - 1, c]
        for j in range(1, reach):
            for c in range(LANES):
                a[k, j, c] = one[j, c]
        for j in range(1, next_reach):
            for c in range(LANES):
                a[k + 1, j, c] = two[j + 1, c]


@_jit
def solve(a, b):
    """Solve with the factors from `factor`, overwriting the right-hand sides b (n, LANES)."""
    n, width = a.shape[0], a.shape[1]
    for k in range(n):
        for j in range(1, min(width, n - k)):
            for c in range(LANES):
                b[k + j, c] -= a[k, j, c] * b[k, c]
    for k in range(n):
        for c in range(LANES):
            b[k, c] /= a[k, 0, c]
    for k in range(n - 1, -1, -1):
        for j in range(1, min(width, n - k)):
            for c in range(LANES):
                b[k, c] -= a[k, j, c] * b[k + j, c]


@_jit
def coefficients(dt, time, out):
    """Compute the coefficients of a state z over a step: z1 = out[0] z0 + out[1] i0 + out[2] i1.

    Args:
        dt: Length of the step in s.
        time: Time constant in s; 0 for charge.
        out: (3,) coefficients, written.
    """
    if time == 0.0:
        out[0], out[1], out[2] = 1.0, 0.5 * dt, 0.5 * dt
        return
    h = dt / time
    if h == 0.0:
        out[0], out[1], out[2] = 1.0, 0.0, 0.0
        return
    a = math.exp(-h)
    mean = -math.expm1(-h) / h
    if h < 1e-3:
        out[0], out[1], out[2] = a, h / 2 - h * h / 3, h / 2 - h * h / 6
    else:
        out[0], out[1], out[2] = a, mean - a, 1.0 - mean


def add_foil(matrix, gx, gy, stride, offset):
    """Add a foil's conductances in S, gx (nx - 1, ny, LANES) and gy (nx, ny - 1, LANES), to a banded matrix."""
    nx, ny = gy.shape[0], gx.shape[1]
    of_foil = matrix.reshape((nx, ny, stride, matrix.shape[1], LANES))[:, :, offset]
    of_foil[1:, :, 0] += gx
    of_foil[:, 1:, 0] += gy
    of_foil[:-1, :, 0] += gx
    of_foil[:, :-1, 0] += gy
    of_foil[:-1, :, ny * stride] -= gx
    of_foil[:, :-1, stride] -= gy


def spread(gx, gy, source):
    """Compute the potential (nx, ny, LANES) in V of one foil fed by a `source` in A whose sum is zero.

    The potential is zero at the first patch.
    """
    nx, ny = gy.shape[0], gx.shape[1]
    matrix = np.zeros((nx * ny, ny + 1, LANES))
    add_foil(matrix, gx, gy, 1, 0)
    matrix[0, 0] += gx[0, 0]
    factor(matrix)
    potential = source.copy().reshape((nx * ny, LANES))
    solve(matrix, potential)
    return potential.reshape((nx, ny, LANES))


def banded(gxp, gyp, gxn, gyn, unknowns):
    """Build `march`'s banded conductances in S, of the foils separately (2 unknowns per patch) or in series (1)."""
    nx, ny = gyp.shape[0], gxp.shape[1]
    matrix = np.zeros((nx * ny * unknowns, ny * unknowns + 1, LANES))
    if unknowns == 1:
        add_foil(matrix, gxp * gxn / (gxp + gxn), gyp * gyn / (gyp + gyn), 1, 0)
        return matrix
    add_foil(matrix, gxp, gyp, 2, 0)
    add_foil(matrix, gxn, gyn, 2, 1)
    matrix[0, 0] += gxp[0, 0]  # fixes one potential at zero; no current leaves there, because the sources sum to zero
    return matrix


@_jit
def _moves(dt, time, group, weight, move, total):
    """Compute the coefficients of all states for a step, move (J, 3, LANES), and their sums, total (5, LANES)."""
    one = np.empty(3)
    total[:] = 0.0
    for s in range(len(group)):
        for c in range(LANES):
            coefficients(dt, time[s, c], one)
            for q in range(3):
                move[s, q, c] = one[q]
            total[group[s], c] += weight[s, c] * one[2]


@_jit
def _source(scale, group, weight, before, move, z, i_old, e):
    """Advance the states z (nx, ny, J, LANES) by the known part of a step, and write the source e.

    The source excludes the open-circuit voltage.
    """
    drop = np.empty((5, LANES))
    for i in range(e.shape[0]):
        for j in range(e.shape[1]):
            drop[:] = 0.0
            for s in range(len(group)):
                for c in range(LANES):
                    z[i, j, s, c] = (
                        move[s, 0, c] * (z[i, j, s, c] + before[s, 2, c] * i_old[i, j, c])
                        + move[s, 1, c] * i_old[i, j, c]
                    )
                    drop[group[s], c] += weight[s, c] * z[i, j, s, c]
            for c in range(LANES):
                e[i, j, c] = 0.0
                for q in range(1, 5):
                    e[i, j, c] -= scale[q, i, j, c] * drop[q, c]


@_jit
def march(foils, psi, part, tau_p, tau_n, tau, area, ocv, scale, group, weight, time, dt, current, keep):
    """Step LANES cells, initially at rest, through a protocol.

    Two unknowns per patch, phi_p and phi_n, solve any foils. Uniform foils need only one, V = phi_p - phi_n:
    S_p phi_p + S_n phi_n = I psi does not depend on the currents, so the field of K_p + K_n does not either.

    Args:
        foils: (n k, b + 1, LANES) banded conductances in S, of the foils separately (k = 2) or in series (k = 1).
        psi: (nx, ny, LANES) S_p phi_p + S_n phi_n over (S_p + S_n) and 1 A, in ohm; used if k = 1.
        part: (2, LANES) S_n and S_p over their sum; used if k = 1.
        tau_p, tau_n: (nx, ny, LANES) shares of the current that leave at each patch; each sums to 1.
        tau: (nx, ny, LANES) part[0] tau_p + part[1] tau_n; used if k = 1.
        area: (nx, ny, LANES) area of each patch in m2.
        ocv: (LANES,) open-circuit voltage in V.
        scale: (5, nx, ny, LANES) scales of the whole stack: instant, charge-transfer, cathode and anode diffusion in
            ohm m2, and capacity term in V m2/C.
        group: (J,) index in `scale` of each state.
        weight, time: (J, LANES) share of its scale and time constant in s of each state; time 0 is charge.
        dt: (T,) steps in s.
        current: (T, LANES) current at the end of each step in A, discharge positive.
        keep: (T,) slot for the maps of each step, or -1 if they are not kept.

    Returns:
        Terminal voltage (T, LANES) in V; maps of the kept steps (slots, 3, nx, ny, LANES): current density in A/m2
        and the potentials of both foils in V, with the open-circuit voltage subtracted from the aluminium's.
    """
    nx, ny, steps = area.shape[0], area.shape[1], len(dt)
    unknowns = len(foils) // (nx * ny)
    matrix, x = np.empty(foils.shape), np.empty((len(foils), LANES))
    z = np.zeros((nx, ny, len(group), LANES))
    i_old, y, e = np.zeros((nx, ny, LANES)), np.empty((nx, ny, LANES)), np.empty((nx, ny, LANES))
    before, move = np.zeros((len(group), 3, LANES)), np.zeros((len(group), 3, LANES))
    total = np.empty((5, LANES))
    phi = np.empty((2, LANES))
    voltage = np.empty((steps, LANES))
    maps = np.empty((keep.max() + 1, 3, nx, ny, LANES))
    moving, factored = False, -1.0
    for t in range(steps):
        for c in range(LANES):
            moving = moving or current[t, c] != 0.0
        voltage[t] = ocv
        if not moving:
            continue
        before[:] = move
        _moves(dt[t], time, group, weight, move, total)
        _source(scale, group, weight, before, move, z, i_old, e)
        if dt[t] != factored:
            factored = dt[t]
            matrix[:] = foils
            for i in range(nx):
                for j in range(ny):
                    k = unknowns * (i * ny + j)
                    for c in range(LANES):
                        drop = scale[0, i, j, c]
                        for q in range(1, 5):
                            drop += scale[q, i, j, c] * total[q, c]
                        y[i, j, c] = area[i, j, c] / drop
                        matrix[k, 0, c] += y[i, j, c]
                        if unknowns == 2:
                            matrix[k, 1, c] -= y[i, j, c]
                            matrix[k + 1, 0, c] += y[i, j, c]
            factor(matrix)
        for i in range(nx):
            for j in range(ny):
                k = unknowns * (i * ny + j)
                for c in range(LANES):
                    if unknowns == 2:
                        x[k, c] = y[i, j, c] * e[i, j, c] - current[t, c] * tau_p[i, j, c]
                        x[k + 1, c] = -y[i, j, c] * e[i, j, c] + current[t, c] * tau_n[i, j, c]
                    else:
                        x[k, c] = y[i, j, c] * e[i, j, c] - current[t, c] * tau[i, j, c]
        solve(matrix, x)
        for i in range(nx):
            for j in range(ny):
                k = unknowns * (i * ny + j)
                for c in range(LANES):
                    if unknowns == 2:
                        phi[0, c], phi[1, c] = x[k, c], x[k + 1, c]
                    else:
                        phi[0, c] = psi[i, j, c] * current[t, c] + part[0, c] * x[k, c]
                        phi[1, c] = psi[i, j, c] * current[t, c] - part[1, c] * x[k, c]
                    i_old[i, j, c] = y[i, j, c] * (e[i, j, c] - phi[0, c] + phi[1, c]) / area[i, j, c]
                    voltage[t, c] += tau_p[i, j, c] * phi[0, c] - tau_n[i, j, c] * phi[1, c]
                    if keep[t] >= 0:
                        maps[keep[t], 0, i, j, c] = i_old[i, j, c]
                        maps[keep[t], 1, i, j, c] = phi[0, c]
                        maps[keep[t], 2, i, j, c] = phi[1, c]
    return voltage, maps


@_jit
def share(ocv, resistance, scale, group, weight, time, dt, current):
    """Step units in parallel, at one voltage, through a protocol.

    Args:
        ocv: Open-circuit voltage in V.
        resistance: (U,) instant resistance of each unit in ohm.
        scale: (5, U) scales as in `march`, in ohm and V/C; `scale[0]` is not used.
        group, weight, time: (J,) states as in `march`.
        dt, current: (T,) steps in s, current in A.

    Returns:
        Voltage (T,) in V and each unit's current (T, U) in A.
    """
    units, states = len(resistance), len(group)
    z, y, e, i_old = np.zeros((states, units)), np.zeros(units), np.zeros(units), np.zeros(units)
    move = np.zeros((states, 3))
    voltage, shares = np.empty(len(dt)), np.empty((len(dt), units))
    for t in range(len(dt)):
        for s in range(states):
            coefficients(dt[t], time[s], move[s])
        total, driven = 0.0, -current[t]
        for u in range(units):
            drop = resistance[u]
            e[u] = 0.0
            for s in range(states):
                r = scale[group[s], u] * weight[s]
                drop += r * move[s, 2]
                z[s, u] = move[s, 0] * z[s, u] + move[s, 1] * i_old[u]
                e[u] -= r * z[s, u]
            y[u] = 1.0 / drop
            total += y[u]
            driven += y[u] * e[u]
        drop = driven / total
        voltage[t] = ocv + drop
        for u in range(units):
            i_old[u] = y[u] * (e[u] - drop)
            shares[t, u] = i_old[u]
            for s in range(states):
                z[s, u] += move[s, 2] * i_old[u]
    return voltage, shares
