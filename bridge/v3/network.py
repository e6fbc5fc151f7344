"""Currents in the plane: two foils' potentials on a grid of patches, stepped through a protocol.

-div(S_p grad phi_p) = i - I tau_p and -div(S_n grad phi_n) = -i + I tau_n with i = y (e - phi_p + phi_n), by finite
volumes. Eight cells go side by side (the last axis of every array), and no cell's numbers depend on another's. The
states of a patch's impedance are exact for currents that are linear over a step (second order in the step).
"""

from __future__ import annotations

import math

import numpy as np

from dataset_card.running.compiled import compiled

LANES = 8
"""Cells that are solved side by side."""

_jit = compiled(nogil=True, error_model="numpy")


@_jit
def factor(a):
    """Factors symmetric banded matrices in place, A = L D L^T. a (n, b + 1, LANES): a[k, j] is element (k + j, k)."""
    n, width = a.shape[0], a.shape[1]
    scaled = np.empty((width, LANES))
    for k in range(n):
        reach = min(width, n - k)
        for j in range(1, reach):
            for c in range(LANES):
                scaled[j, c] = a[k, j, c] / a[k, 0, c]
        for i in range(1, reach):
            for j in range(i, reach):
                for c in range(LANES):
                    a[k + i, j - i, c] -= scaled[i, c] * a[k, j, c]
        for j in range(1, reach):
            for c in range(LANES):
                a[k, j, c] = scaled[j, c]


@_jit
def solve(a, b):
    """Solves with the factors of `factor`, in place of the right-hand sides b (n, LANES)."""
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
    """How a state z of time constant `time` moves over a step, z1 = out[0] z0 + out[1] i0 + out[2] i1; charge if 0."""
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


@_jit
def _add_foil(matrix, gx, gy, stride, offset):
    """Adds a foil's conductances in S, gx (nx - 1, ny, LANES) and gy (nx, ny - 1, LANES), to a banded matrix."""
    nx, ny = gy.shape[0], gx.shape[1]
    for i in range(nx):
        for j in range(ny):
            k = (i * ny + j) * stride + offset
            for c in range(LANES):
                if i + 1 < nx:
                    matrix[k, 0, c] += gx[i, j, c]
                    matrix[k + ny * stride, 0, c] += gx[i, j, c]
                    matrix[k, ny * stride, c] -= gx[i, j, c]
                if j + 1 < ny:
                    matrix[k, 0, c] += gy[i, j, c]
                    matrix[k + stride, 0, c] += gy[i, j, c]
                    matrix[k, stride, c] -= gy[i, j, c]


@_jit
def spread(gx, gy, source):
    """Potential (nx, ny, LANES) in V of one foil fed by `source` in A that sums to nothing; zero at the first patch."""
    nx, ny = gy.shape[0], gx.shape[1]
    matrix = np.zeros((nx * ny, ny + 1, LANES))
    _add_foil(matrix, gx, gy, 1, 0)
    for c in range(LANES):
        matrix[0, 0, c] += gx[0, 0, c]
    factor(matrix)
    potential = source.copy().reshape((nx * ny, LANES))
    solve(matrix, potential)
    return potential.reshape((nx, ny, LANES))


@_jit
def march(gxp, gyp, gxn, gyn, tau_p, tau_n, area, ocv, scale, group, weight, time, dt, current, keep):
    """Steps LANES cells through a protocol.

    Args:
        gxp, gyp, gxn, gyn: Conductances between patches of each foil in S (see `_add_foil`).
        tau_p, tau_n: (nx, ny, LANES) shares of the current that leave at each patch; each sums to 1.
        area: (nx, ny, LANES) area of each patch in m2.
        ocv: (LANES,) open-circuit voltage in V.
        scale: (5, nx, ny, LANES) of the whole stack: instant, charge-transfer, cathode and anode diffusion in ohm m2,
            and capacity term in V m2/C.
        group: (J,) which of `scale` each state belongs to.
        weight, time: (J, LANES) share of its scale and time constant in s of each state; time 0 is charge.
        dt: (T,) steps in s.
        current: (T, LANES) current at the end of each step in A, discharge positive.
        keep: (T,) slot of each step whose maps are kept, or -1.

    Returns:
        Terminal voltage (T, LANES) in V; maps of the kept steps (slots, 3, nx, ny, LANES): current density in A/m2
        and the potentials of both foils in V.
    """
    nx, ny, states, steps = area.shape[0], area.shape[1], len(group), len(dt)
    n = nx * ny
    width = 2 * ny + 1
    matrix = np.empty((2 * n, width, LANES))
    foils = np.zeros((2 * n, width, LANES))
    _add_foil(foils, gxp, gyp, 2, 0)
    _add_foil(foils, gxn, gyn, 2, 1)
    for c in range(LANES):
        foils[0, 0, c] += gxp[0, 0, c]  # holds one potential at zero; the sources sum to nothing, so no current leaves
    z = np.zeros((states, nx, ny, LANES))
    i_old = np.zeros((nx, ny, LANES))
    y = np.empty((nx, ny, LANES))
    e = np.empty((nx, ny, LANES))
    move = np.empty((states, 3, LANES))
    one = np.empty(3)
    x = np.empty((2 * n, LANES))
    voltage = np.empty((steps, LANES))
    maps = np.empty((keep.max() + 1, 3, nx, ny, LANES))
    for t in range(steps):
        if t == 0 or dt[t] != dt[t - 1]:
            for s in range(states):
                for c in range(LANES):
                    coefficients(dt[t], time[s, c], one)
                    for q in range(3):
                        move[s, q, c] = one[q]
            y[:] = scale[0]
            for s in range(states):
                for i in range(nx):
                    for j in range(ny):
                        for c in range(LANES):
                            y[i, j, c] += scale[group[s], i, j, c] * weight[s, c] * move[s, 2, c]
            matrix[:] = foils
            for i in range(nx):
                for j in range(ny):
                    k = 2 * (i * ny + j)
                    for c in range(LANES):
                        y[i, j, c] = area[i, j, c] / y[i, j, c]
                        matrix[k, 0, c] += y[i, j, c]
                        matrix[k, 1, c] -= y[i, j, c]
                        matrix[k + 1, 0, c] += y[i, j, c]
            factor(matrix)
        for i in range(nx):
            for j in range(ny):
                for c in range(LANES):
                    e[i, j, c] = ocv[c]
        for s in range(states):
            for i in range(nx):
                for j in range(ny):
                    for c in range(LANES):
                        z[s, i, j, c] = move[s, 0, c] * z[s, i, j, c] + move[s, 1, c] * i_old[i, j, c]
                        e[i, j, c] -= scale[group[s], i, j, c] * weight[s, c] * z[s, i, j, c]
        for i in range(nx):
            for j in range(ny):
                k = 2 * (i * ny + j)
                for c in range(LANES):
                    x[k, c] = y[i, j, c] * e[i, j, c] - current[t, c] * tau_p[i, j, c]
                    x[k + 1, c] = -y[i, j, c] * e[i, j, c] + current[t, c] * tau_n[i, j, c]
        solve(matrix, x)
        voltage[t] = 0.0
        for i in range(nx):
            for j in range(ny):
                k = 2 * (i * ny + j)
                for c in range(LANES):
                    i_old[i, j, c] = y[i, j, c] * (e[i, j, c] - x[k, c] + x[k + 1, c]) / area[i, j, c]
                    voltage[t, c] += tau_p[i, j, c] * x[k, c] - tau_n[i, j, c] * x[k + 1, c]
        for s in range(states):
            for i in range(nx):
                for j in range(ny):
                    for c in range(LANES):
                        z[s, i, j, c] += move[s, 2, c] * i_old[i, j, c]
        if keep[t] >= 0:
            maps[keep[t], 0] = i_old
            for i in range(nx):
                for j in range(ny):
                    k = 2 * (i * ny + j)
                    for c in range(LANES):
                        maps[keep[t], 1, i, j, c] = x[k, c]
                        maps[keep[t], 2, i, j, c] = x[k + 1, c]
    return voltage, maps


@_jit
def share(ocv, resistance, scale, group, weight, time, dt, current):
    """Steps units in parallel, one voltage, through a protocol.

    Args:
        ocv: Open-circuit voltage in V.
        resistance: (U,) instant resistance of each unit in ohm.
        scale: (5, U) as in `march`, in ohm and V/C; `scale[0]` is not read.
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
            e[u] = ocv
            for s in range(states):
                r = scale[group[s], u] * weight[s]
                drop += r * move[s, 2]
                z[s, u] = move[s, 0] * z[s, u] + move[s, 1] * i_old[u]
                e[u] -= r * z[s, u]
            y[u] = 1.0 / drop
            total += y[u]
            driven += y[u] * e[u]
        voltage[t] = driven / total
        for u in range(units):
            i_old[u] = y[u] * (e[u] - voltage[t])
            shares[t, u] = i_old[u]
            for s in range(states):
                z[s, u] += move[s, 2] * i_old[u]
    return voltage, shares
