"""Compute the quantities of every patch and every unit from design, state and defect."""

from __future__ import annotations

from collections import namedtuple
from functools import cache, lru_cache

import numpy as np

from bridge.v3.chemistry import GRAPHITE, potential, slope, susceptibility
from bridge.v3.design import PouchCell
from bridge.v3.impedance import LADDER, ladder
from bridge.v3.state import EDGE_M, LIVE_DRY, MAP_MODES, TEAR_M, CellState, Defect, Mesh, Variation, map_amplitudes
from bridge.v3.thermodynamics import anode_near, window
from dataset_card.errors import MagBridgeError
from dataset_card.running.compiled import compiled

STATES = 2 + 2 * LADDER
"""Number of states of a patch's impedance: charge transfer, two ladders, charge."""
GROUP = np.array([1] + [2] * LADDER + [3] * LADDER + [4])
"""Index of the scale to which each state belongs (see `network.march`)."""
OFF = 1e6
"""Factor on the resistance of units whose foil is off its tab."""

COMPILED_IN = {"chemistry.py": "13a1d6a2969a11d6", "thermodynamics.py": "ce88d8f7440b1e3f"}
"""SHA-256 of the files whose kernels numba compiles into this one: it recompiles only if this file changes."""

_jit = compiled(nogil=True, error_model="numpy")


class Patches(
    namedtuple(
        "Patches", "ocv_V soh scale weight time gxp gyp gxn gyn tau_p tau_n moment lithium unit_scale mean_scale"
    )
):
    """A cell on its mesh; arrays are (nx, ny) unless stated otherwise, and areas refer to the whole stack.

    Attributes:
        ocv_V: Open-circuit voltage.
        soh: Capacity over the nominal capacity.
        scale: (5, nx, ny) scales as in `network.march`.
        weight, time: (J,) shares and time constants in s of the states.
        gxp, gyp, gxn, gyn: Conductances between patches in S.
        tau_p, tau_n: Shares of the current that leave at each patch.
        moment: Moment per area over the applied field B_0 / mu_0, in m.
        lithium: (2, nx, ny) stoichiometries y and x.
        unit_scale, mean_scale: (5, U) and (5, 1) scales of the units and of their mean, as in `network.share`.
    """


@_jit
def _at_rest(material, volts, guess, n_p, n_n, n_li, tau_p, tau_n):
    """Solve for K pairs at rest at one voltage, with inventories (K,) in A h/m2.

    Returns:
        (7, K): stoichiometries y, x; diffusion scales of cathode and anode in ohm m2 and capacity term in V m2/C of one
        unit; susceptibilities of cathode and anode.
    """
    out = np.empty((7, len(n_li)))
    for k in range(len(n_li)):
        x = anode_near(material, volts, n_p[k], n_n[k], n_li[k], guess)
        y = (n_li[k] - n_n[k] * x) / n_p[k]
        rise_p, rise_n = slope(material, y) / (3600 * n_p[k]), slope(GRAPHITE, x) / (3600 * n_n[k])
        out[0, k], out[1, k] = y, x
        out[2, k], out[3, k], out[4, k] = rise_p * tau_p, rise_n * tau_n, rise_p + rise_n
        out[5, k], out[6, k] = susceptibility(material, y), susceptibility(GRAPHITE, x)
    return out


def patches(cell: PouchCell, state: CellState, defect: Defect, variation: Variation, mesh: Mesh) -> Patches:
    """Compute the quantities of every patch and unit of a cell at rest.

    Args:
        cell: The design.
        state: Charge and age.
        defect: The defect.
        variation: Deviations from the design.
        mesh: The patches.

    Raises:
        MagBridgeError: If the state leaves no capacity, or if the defect does not fit the cell.
    """
    shape = len(mesh.x) - 1, len(mesh.y) - 1
    maps, rim = _maps(cell, variation, mesh)
    loading = (1 + variation.loading + 0.01 * maps[0]).ravel()
    live, n_p, n_n, n_li = _inventories(cell, state, defect, variation, mesh, loading, maps, rim)
    works = mesh.areas.ravel() * live
    area = works.sum()
    means = [float((n * works).sum() / area) for n in (n_p, n_n, n_li)]
    empty, full = window(cell.material, cell.v_min, cell.v_max, *means)
    if not full - empty > 0.01:
        raise MagBridgeError(f"no capacity between {cell.v_min} and {cell.v_max} V: {state}; expected smaller losses")
    anode = empty + state.soc * (full - empty)
    ocv = float(potential(cell.material, (means[2] - means[1] * anode) / means[0]) - potential(GRAPHITE, anode))
    contact = _contact(cell, defect)
    capacity = means[1] * (full - empty) * area * np.count_nonzero(contact < OFF)

    taus = cell.tau_p_s, cell.tau_n_s
    y, x, r_p, r_n, kappa, chi_p, chi_n = _at_rest(cell.material, ocv, anode, n_p, n_n, n_li, *taus)
    (rungs_p, times_p, instant_p), (rungs_n, times_n, instant_n) = (ladder(tau, cell.two_modes) for tau in taus)
    along = 1 + variation.slope * (mesh.centres[0] / mesh.x[-1] - 0.5)
    r = 1e-4 * ((1 + variation.resistance) * (1 + 0.03 * maps[1]) * along[:, None]).ravel()
    scale = np.empty((5, len(r)))
    scale[0] = cell.r_0_ohmcm2 * state.r_ohm * r + instant_p * r_p + instant_n * r_n
    scale[1] = cell.r_ct_ohmcm2 * state.r_ct * r / loading
    scale[2:] = r_p, r_n, kappa
    scale /= cell.units * live

    sheets = [s * (1 + v) for s, v in zip(cell.sheet_S, variation.sheet, strict=True)]
    gxp, gyp, gxn, gyn, tau_p, tau_n = _geometry(cell, defect, mesh)
    dry = _discharged(cell)
    solid_p, solid_n = cell.solid_m
    moment = solid_p * (live * chi_p + (1 - live) * dry[0]) + solid_n * (live * chi_n + (1 - live) * dry[1])
    units = _units(cell, state, variation, ocv, anode, means, area, contact)
    weight = np.concatenate([[1.0], rungs_p, rungs_n, [1.0]])
    time = np.concatenate([[cell.tau_ct_s], times_p, times_n, [0.0]])
    foils = sheets[0] * gxp, sheets[0] * gyp, sheets[1] * gxn, sheets[1] * gyn, tau_p, tau_n
    densities = (cell.units * loading * moment).reshape(shape), np.stack([y, x]).reshape(2, *shape)
    states = scale.reshape(5, *shape), weight, time
    return Patches(ocv, capacity / cell.nominal_Ah, *states, *foils, *densities, units[:, :-1], units[:, -1:])


def _inventories(cell, state, defect, variation, mesh, loading, maps, rim) -> tuple[np.ndarray, ...]:
    """Compute the live share, and n_p, n_n, n_li in A h/m2, of each patch, as flat arrays."""
    excess = 1 + variation.edge * 0.3 * rim
    losses = [
        np.clip(loss * (excess + 0.3 * own), -0.05, 0.6).ravel()
        for loss, own in zip((state.lli, state.lam_pe, state.lam_ne), maps[2:], strict=True)
    ]
    live = np.ones(len(loading))
    if defect.kind in ("dry", "plating"):
        region = mesh.overlap(*defect.region(cell)).ravel()
        if defect.kind == "dry":
            live -= (1 - LIVE_DRY) * region
        else:
            losses[0] = losses[0] + defect.loss * region
    n_p, n_n = cell.n_p_Ahm2 * loading * (1 - losses[1]), cell.n_n_Ahm2 * loading * (1 - losses[2])
    return live, n_p, n_n, cell.n_li_Ahm2 * (1 + variation.lithium) * (1 - losses[0])


@cache
def _discharged(cell: PouchCell) -> tuple[float, float]:
    """Compute the susceptibilities of cathode and anode of a dry region: those of the empty fresh cell unless given."""
    x, _ = window(cell.material, cell.v_min, cell.v_max, cell.n_p_Ahm2, cell.n_n_Ahm2, cell.n_li_Ahm2)
    y = (cell.n_li_Ahm2 - cell.n_n_Ahm2 * x) / cell.n_p_Ahm2
    if cell.dry_p is not None and cell.dry_n is not None:
        y, x = cell.dry_p, cell.dry_n
    return susceptibility(cell.material, y), susceptibility(GRAPHITE, x)


def _maps(cell: PouchCell, variation: Variation, mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Compute the five maps (5, nx, ny) of unit variance, and the rim's standardised indicator (nx, ny)."""
    x, y = mesh.centres
    length, width = mesh.x[-1], mesh.y[-1]
    share = mesh.overlap(EDGE_M, length - EDGE_M, EDGE_M, width - EDGE_M)
    inner = (length - 2 * EDGE_M) * (width - 2 * EDGE_M) / (length * width)
    rim = ((1 - share) - (1 - inner)) / np.sqrt(inner * (1 - inner))
    if variation.maps is None:
        return np.zeros((5, len(x), len(y))), rim
    along = np.cos(np.pi * np.arange(MAP_MODES[0])[:, None] * x / length)
    across = np.cos(np.pi * np.arange(MAP_MODES[1])[:, None] * y / width)
    coefficients = variation.maps * map_amplitudes(cell)
    return np.einsum("qbx,by->qxy", np.einsum("qab,ax->qbx", coefficients, along), across), rim


@lru_cache(maxsize=64)
def _geometry(cell: PouchCell, defect: Defect, mesh: Mesh) -> tuple[np.ndarray, ...]:
    """Compute conductances per sheet conductance along x and y of both foils, and the tabs' shares of the current."""
    x, y = mesh.centres
    gx = np.diff(mesh.y) / np.diff(x)[:, None]
    gy = np.diff(mesh.x)[:, None] / np.diff(y)
    torn = [gx if cut is None else gx * cut for cut in (_torn(cell, defect, mesh, side) for side in (True, False))]
    return torn[0], gy, torn[1], gy, _tab(cell, defect, mesh, True), _tab(cell, defect, mesh, False)


def _torn(cell: PouchCell, defect: Defect, mesh: Mesh, positive: bool) -> np.ndarray | None:
    """Compute the factor (nx - 1, ny) on a foil's conductance across each face along x; None for an intact foil."""
    if defect.kind != "tear" or defect.positive != positive:
        return None
    x, y0, y1 = defect.cut(cell)
    factor = np.ones((len(mesh.x) - 2, len(mesh.y) - 1))
    cut = min(defect.share / defect.length, 0.999)
    face = int(np.argmin(np.abs(mesh.x[1:-1] - x)))
    between = float(np.diff(mesh.centres[0])[face])
    across = between / (between - TEAR_M + TEAR_M / (1 - cut))  # in series with the intact part
    factor[face] += (across - 1) * mesh.overlap(0, 1, y0, y1)[0]
    return factor


def _tab(cell: PouchCell, defect: Defect, mesh: Mesh, positive: bool) -> np.ndarray:
    low, high = defect.tab(cell, positive)
    tau = np.zeros((len(mesh.x) - 1, len(mesh.y) - 1))
    width = np.minimum(mesh.y[1:], high) - np.maximum(mesh.y[:-1], low)
    tau[-1 if cell.opposite and not positive else 0] = np.maximum(width, 0) / (high - low)
    return tau


def _contact(cell: PouchCell, defect: Defect) -> np.ndarray:
    """Compute the (U,) factor on the instant resistance of each unit."""
    factor = np.ones(cell.units)
    if defect.kind == "layer":
        foils = (cell.units + 1) // 2
        if not 0 <= defect.depth < foils:
            raise MagBridgeError(f"layer at depth {defect.depth}: expected aluminium foil 0 to {foils - 1}")
        factor[2 * defect.depth : 2 * defect.depth + 2] = OFF if defect.share >= 1 else 1 / (1 - defect.share)
    return factor


def _units(cell, state, variation, ocv, anode, means, area, contact) -> np.ndarray:
    """Compute the (5, U + 1) resistances in ohm and capacity term in V/C of each unit and of their mean.

    See `network.share`. A gradient of resistance affects only the ohmic part.
    """
    depth = np.append(np.linspace(-1, 1, cell.units) if cell.units > 1 else 0.0, 0.0)
    own = np.zeros((4, cell.units + 1))
    if variation.units is not None:
        own[:, :-1] = variation.units
    n_p, n_n = (n * (1 - own[1]) * (1 + own[3]) for n in means[:2])
    n_li = means[2] - cell.n_li_Ahm2 * (state.gradient_lli * depth + own[0])
    _, _, r_p, r_n, kappa, _, _ = _at_rest(cell.material, ocv, anode, n_p, n_n, n_li, cell.tau_p_s, cell.tau_n_s)
    instant_p, instant_n = (ladder(tau, cell.two_modes)[2] for tau in (cell.tau_p_s, cell.tau_n_s))
    common = 1e-4 * (1 + variation.resistance)
    found = np.empty((5, cell.units + 1))
    found[0] = cell.r_0_ohmcm2 * state.r_ohm * common * (1 + state.gradient_r * depth) * (1 + own[2])
    found[0] = (found[0] + instant_p * r_p + instant_n * r_n) * np.append(contact, 1.0)
    found[1] = cell.r_ct_ohmcm2 * state.r_ct * common / (1 + own[3])
    found[2:] = r_p, r_n, kappa
    return found / area
