"""From design, state and defect to the numbers of every patch and every unit."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from bridge.v3.chemistry import GRAPHITE, potential, slope, susceptibility
from bridge.v3.design import PouchCell
from bridge.v3.impedance import LADDER, ladder
from bridge.v3.state import EDGE_M, LIVE_DRY, MAP_MODES, CellState, Defect, Mesh, Variation, map_amplitudes
from bridge.v3.thermodynamics import anodes_near, window
from dataset_card.errors import MagBridgeError
from dataset_card.running.compiled import compiled

STATES = 2 + 2 * LADDER
"""Of a patch's impedance: charge transfer, two ladders, charge."""
GROUP = np.array([1] + [2] * LADDER + [3] * LADDER + [4])
"""Which scale each state belongs to (see `network.march`)."""
OFF = 1e6
"""Factor on the resistance of units whose foil is off its tab."""

_jit = compiled(nogil=True, error_model="numpy")


class Patches(NamedTuple):
    """A cell on its mesh; (nx, ny) unless said, areas of the whole stack.

    Attributes:
        ocv_V: Open-circuit voltage.
        soh: Capacity over the nominal one.
        scale: (5, nx, ny) as in `network.march`.
        weight, time: (J,) shares and time constants in s of the states.
        gxp, gyp, gxn, gyn: Conductances between patches in S.
        tau_p, tau_n: Shares of the current that leave at each patch.
        moment: Moment an area over the applied field B_0 / mu_0, in m.
        lithium: Stoichiometries y and x, (2, nx, ny).
        unit_scale: (5, U) as in `network.share`, the first the instant resistance; and of the mean unit, (5, 1).
    """

    ocv_V: float
    soh: float
    scale: np.ndarray
    weight: np.ndarray
    time: np.ndarray
    gxp: np.ndarray
    gyp: np.ndarray
    gxn: np.ndarray
    gyn: np.ndarray
    tau_p: np.ndarray
    tau_n: np.ndarray
    moment: np.ndarray
    lithium: np.ndarray
    unit_scale: np.ndarray
    mean_scale: np.ndarray


@_jit
def _scales(material, x, n_p, n_n, n_li, tau_p, tau_n):
    """Stoichiometry y, diffusion scales in ohm m2 and capacity term in V m2/C of one unit, for flat arrays."""
    out = np.empty((4, len(x)))
    for k in range(len(x)):
        y = (n_li[k] - n_n[k] * x[k]) / n_p[k]
        rise_p = slope(material, y) / (3600 * n_p[k])
        rise_n = slope(GRAPHITE, x[k]) / (3600 * n_n[k])
        out[0, k], out[1, k], out[2, k], out[3, k] = y, rise_p * tau_p, rise_n * tau_n, rise_p + rise_n
    return out


@_jit
def _susceptibilities(material, s):
    out = np.empty(len(s))
    for k in range(len(s)):
        out[k] = susceptibility(material, s[k])
    return out


def patches(cell: PouchCell, state: CellState, defect: Defect, variation: Variation, mesh: Mesh) -> Patches:
    """The numbers of every patch and unit of a cell at rest.

    Raises:
        MagBridgeError: The state holds no charge window, or the defect does not fit the cell.
    """
    shape = len(mesh.x) - 1, len(mesh.y) - 1
    maps, rim = _maps(cell, variation, mesh)
    loading = 1 + variation.loading + 0.01 * maps[0]
    excess = variation.edge * 0.3 * rim
    lli, lam_p, lam_n = (
        np.clip(loss * (1 + 0.3 * maps[k] + excess), -0.05, 0.6)
        for k, loss in ((2, state.lli), (3, state.lam_pe), (4, state.lam_ne))
    )
    live = np.ones(shape)
    region = np.zeros(shape)
    if defect.kind in ("dry", "plating"):
        region = mesh.overlap(*defect.region(cell))
        if defect.kind == "dry":
            live = 1 - (1 - LIVE_DRY) * region
        else:
            lli = lli + defect.loss * region
    n_p = (cell.n_p_Ahm2 * loading * (1 - lam_p)).ravel()
    n_n = (cell.n_n_Ahm2 * loading * (1 - lam_n)).ravel()
    n_li = (cell.n_li_Ahm2 * (1 + variation.lithium) * (1 - lli)).ravel()

    material, units = cell.material, cell.units
    area = (np.diff(mesh.x)[:, None] * np.diff(mesh.y)).ravel()
    works = area * live.ravel()
    mean_p, mean_n, mean_li = ((n * works).sum() / works.sum() for n in (n_p, n_n, n_li))
    empty, full = window(material, cell.v_min, cell.v_max, mean_p, mean_n, mean_li)
    if not full - empty > 0.01:
        raise MagBridgeError(f"no capacity between {cell.v_min} and {cell.v_max} V: {state}")
    anode = empty + state.soc * (full - empty)
    cathode = (mean_li - mean_n * anode) / mean_p
    ocv = _ocv(material, cathode, anode)
    idle = _unit_resistance(cell, defect) >= OFF
    capacity = mean_n * (full - empty) * works.sum() * (units - idle.sum())

    x = anodes_near(material, ocv, n_p, n_n, n_li, anode)
    y, r_p, r_n, kappa = _scales(material, x, n_p, n_n, n_li, cell.tau_p_s, cell.tau_n_s)
    rungs_p, times_p, instant_p = ladder(cell.tau_p_s, cell.two_modes)
    rungs_n, times_n, instant_n = ladder(cell.tau_n_s, cell.two_modes)
    r = ((1 + variation.resistance) * (1 + 0.03 * maps[1]) * _slope(cell, variation, mesh)).ravel() * 1e-4
    scale = np.stack(
        [
            cell.r_0_ohmcm2 * state.r_ohm * r + instant_p * r_p + instant_n * r_n,
            cell.r_ct_ohmcm2 * state.r_ct * r / loading.ravel(),
            r_p,
            r_n,
            kappa,
        ]
    ) / (units * live.ravel())

    sheet_p, sheet_n = (s * (1 + v) for s, v in zip(cell.sheet_S, variation.sheet, strict=True))
    gxp, gyp = _conductances(mesh, sheet_p, _torn(cell, defect, mesh, True))
    gxn, gyn = _conductances(mesh, sheet_n, _torn(cell, defect, mesh, False))

    dry_y, dry_x = _discharged(cell)
    dead = (1 - live).ravel()
    chi_p = (1 - dead) * _susceptibilities(material, y) + dead * _susceptibilities(material, np.array([dry_y]))
    chi_n = (1 - dead) * _susceptibilities(GRAPHITE, x) + dead * _susceptibilities(GRAPHITE, np.array([dry_x]))
    solid_p, solid_n = cell.solid_m
    moment = units * (solid_p * chi_p + solid_n * chi_n) * loading.ravel()

    fixed = np.array([cell.r_0_ohmcm2 * state.r_ohm, cell.r_ct_ohmcm2 * state.r_ct]) * (1 + variation.resistance) * 1e-4
    return Patches(
        ocv_V=ocv,
        soh=capacity / cell.nominal_Ah,
        scale=scale.reshape(5, *shape),
        weight=np.concatenate([[1.0], rungs_p, rungs_n, [1.0]]),
        time=np.concatenate([[cell.tau_ct_s], times_p, times_n, [0.0]]),
        gxp=gxp,
        gyp=gyp,
        gxn=gxn,
        gyn=gyn,
        tau_p=_tab(cell, defect, mesh, True),
        tau_n=_tab(cell, defect, mesh, False),
        moment=moment.reshape(shape),
        lithium=np.stack([y, x]).reshape(2, *shape),
        unit_scale=_units(cell, state, defect, variation, ocv, anode, (mean_p, mean_n, mean_li), fixed, works.sum()),
        mean_scale=_units(
            cell, _level(state), Defect(), Variation(), ocv, anode, (mean_p, mean_n, mean_li), fixed, works.sum()
        )[:, :1],
    )


@cache
def _discharged(cell: PouchCell) -> tuple[float, float]:
    """Stoichiometries y and x of the fresh cell at its lowest voltage, in which a region that dries stays."""
    empty, _ = window(cell.material, cell.v_min, cell.v_max, cell.n_p_Ahm2, cell.n_n_Ahm2, cell.n_li_Ahm2)
    return (cell.n_li_Ahm2 - cell.n_n_Ahm2 * empty) / cell.n_p_Ahm2, empty


def _level(state: CellState) -> CellState:
    return CellState(**{**vars(state), "gradient_lli": 0.0, "gradient_r": 0.0})


def _ocv(material: int, cathode: float, anode: float) -> float:
    return float(potential(material, cathode) - potential(GRAPHITE, anode))


def _maps(cell: PouchCell, variation: Variation, mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """The five maps (5, nx, ny) of unit variance, and the rim's standardised indicator (nx, ny)."""
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


def _slope(cell: PouchCell, variation: Variation, mesh: Mesh) -> np.ndarray:
    x, _ = mesh.centres
    return (1 + variation.slope * (x / mesh.x[-1] - 0.5))[:, None]


def _conductances(mesh: Mesh, sheet: float, across: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Conductances in S between neighbours along x (nx - 1, ny) and y (nx, ny - 1)."""
    x, y = mesh.centres
    gx = sheet * np.diff(mesh.y) / np.diff(x)[:, None]
    gy = sheet * np.diff(mesh.x)[:, None] / np.diff(y)
    return (gx if across is None else gx * across), gy


def _torn(cell: PouchCell, defect: Defect, mesh: Mesh, positive: bool) -> np.ndarray | None:
    """Factor (nx - 1, ny) on a foil's conductance across each face along x."""
    if defect.kind != "tear" or defect.positive != positive:
        return None
    x, y0, y1 = defect.cut(cell)
    factor = np.ones((len(mesh.x) - 2, len(mesh.y) - 1))
    cut = min(defect.share / defect.length, 0.999)
    factor[int(np.argmin(np.abs(mesh.x[1:-1] - x)))] -= cut * mesh.overlap(0, 1, y0, y1)[0]
    return factor


def _tab(cell: PouchCell, defect: Defect, mesh: Mesh, positive: bool) -> np.ndarray:
    low, high = defect.tab(cell, positive)
    tau = np.zeros((len(mesh.x) - 1, len(mesh.y) - 1))
    width = np.minimum(mesh.y[1:], high) - np.maximum(mesh.y[:-1], low)
    tau[-1 if cell.opposite and not positive else 0] = np.maximum(width, 0) / (high - low)
    return tau


def _unit_resistance(cell: PouchCell, defect: Defect) -> np.ndarray:
    """(U,) factor on the resistance of each unit."""
    factor = np.ones(cell.units)
    if defect.kind == "layer":
        foils = (cell.units + 1) // 2
        if not 0 <= defect.depth < foils:
            raise MagBridgeError(f"layer at depth {defect.depth}: expected aluminium foil 0 to {foils - 1}")
        factor[2 * defect.depth : 2 * defect.depth + 2] = OFF if defect.share >= 1 else 1 / (1 - defect.share)
    return factor


def _units(cell, state, defect, variation, ocv, anode, means, fixed, area) -> np.ndarray:
    """(5, U) resistances in ohm and capacity term in V/C of each unit as a lump (see `network.share`)."""
    units = cell.units
    depth = np.linspace(-1, 1, units) if units > 1 else np.zeros(1)
    own = np.zeros((4, units)) if variation.units is None else variation.units
    n_p, n_n, n_li = means
    n_p = n_p * (1 - own[1]) * (1 + own[3])
    n_n = n_n * (1 - own[1]) * (1 + own[3])
    n_li = n_li - cell.n_li_Ahm2 * (state.gradient_lli * depth + own[0])
    x = anodes_near(cell.material, ocv, n_p, n_n, n_li, anode)
    _, r_p, r_n, kappa = _scales(cell.material, x, n_p, n_n, n_li, cell.tau_p_s, cell.tau_n_s)
    instant = ladder(cell.tau_p_s, cell.two_modes)[2] * r_p + ladder(cell.tau_n_s, cell.two_modes)[2] * r_n
    r = (1 + state.gradient_r * depth) * (1 + own[2])
    found = np.stack([fixed[0] * r + instant, fixed[1] / (1 + own[3]) * np.ones(units), r_p, r_n, kappa]) / area
    found[0] *= _unit_resistance(cell, defect)
    return found
