"""Simulate voltages and fields of cells: `simulate` for one, `simulate_cases` for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from bridge.v3 import network
from bridge.v3.design import PouchCell
from bridge.v3.field import MU0_4PI, moment_field
from bridge.v3.operators import Operators, flow_field, height_field
from bridge.v3.patches import GROUP, Patches, patches
from bridge.v3.protocol import Noise, Placement, Protocol, SensorArray
from bridge.v3.state import CellState, Defect, Mesh, Variation
from dataset_card.errors import MagBridgeError
from dataset_card.running.compiled import compiled

FLICKER_S = (1.0, 10.0, 100.0, 1000.0)
"""Time constants in s of the processes that make up 1/f noise."""

_jit = compiled(nogil=True, error_model="numpy")


@dataclass(frozen=True)
class Case:
    """One measurement to simulate: a cell in a state, on a mesh, with a placement of the array.

    Attributes:
        cell: The design.
        state: Charge and age.
        defect: The defect.
        variation: Deviations from the design.
        mesh: The mesh; if None, 24 x 16 patches with an edge along a tear.
        placement: The actual placement of the array; nominal if None.
    """

    cell: PouchCell
    state: CellState = CellState()
    defect: Defect = Defect()
    variation: Variation = field(default_factory=Variation)
    mesh: Mesh | None = None
    placement: Placement | None = None


@dataclass(frozen=True)
class Simulation:
    """Readings of one cell's measurement, and the maps behind them. Fields are in T, along x, y, z.

    Attributes:
        time_s, voltage_V: (33,) time and terminal voltage.
        load_T: (S, 3) field at the end of the pulse.
        rest_s, rest_T: (7,) time after the pulse and (7, S, 3) field at rest.
        scan_T: (S, 3) field in the applied field, which is subtracted.
        soh: Capacity over the nominal capacity.
        ocv_V: Open-circuit voltage before the pulse.
        flows: (nx, ny, 5, 8) under load, then at rest: current density through the stack in A/m2; sheet current of the
            aluminium along x and y, of the copper along x and y, in A/m.
        units_A: (8, U) current of each unit under load, then at rest.
        lithium: (2, nx, ny) stoichiometry of cathode and anode before the pulse.
        mesh: Edges of the patches.
    """

    time_s: np.ndarray
    voltage_V: np.ndarray
    load_T: np.ndarray
    rest_s: np.ndarray
    rest_T: np.ndarray
    scan_T: np.ndarray
    soh: float
    ocv_V: float
    flows: np.ndarray
    units_A: np.ndarray
    lithium: np.ndarray
    mesh: Mesh

    @property
    def fields_T(self) -> np.ndarray:
        """(9, S, 3) load, rest and scan, in the order of a release."""
        return np.concatenate([self.load_T[None], self.rest_T, self.scan_T[None]])


def simulate(
    cell: PouchCell,
    state: CellState,
    *,
    sensors: SensorArray,
    noise: Noise | None,
    protocol: Protocol | None = None,
    defect: Defect | None = None,
    variation: Variation | None = None,
    mesh: Mesh | None = None,
    rng: np.random.Generator | None = None,
) -> Simulation:
    """Simulate a pulse, the relaxation after it and a scan of one cell.

    Args:
        cell: The design.
        state: Charge and age.
        sensors: The array, outside the cell.
        noise: Measurement errors; None for the physics only.
        protocol: The pulse and the applied field; 1C and 1 mT by default.
        defect: The cell's defect; none by default.
        variation: The cell's deviations from its design; none by default.
        mesh: Patches; 24 x 16 by default, with an edge along a tear.
        rng: Generator of the noise; seeded from the system's entropy by default.

    Returns:
        Voltage in V and fields in T, with noise unless `noise` is None, and the maps behind them.

    Raises:
        MagBridgeError: If a sensor is inside the cell, the defect does not fit the cell, or the state leaves no
            capacity.

    Examples:
        >>> cell = PouchCell.preset("nmc")
        >>> found = simulate(cell, CellState(soc=0.5), sensors=SensorArray.grid(cell), noise=None)
        >>> found.voltage_V.shape, found.load_T.shape, found.rest_T.shape, found.scan_T.shape
        ((33,), (24, 3), (7, 24, 3), (24, 3))
    """
    rng = np.random.default_rng() if rng is None else rng
    placement = None if noise is None else noise.place(rng, sensors)
    protocol = protocol or Protocol()
    case = Case(cell, state, defect or Defect(), variation or Variation(), mesh, placement)
    found = simulate_cases([case], sensors, protocol)[0]
    return found if noise is None else read(found, cell, sensors, protocol, noise, placement, rng)


def simulate_cases(
    cases: Sequence[Case],
    sensors: SensorArray,
    protocol: Protocol,
    *,
    uniform_foils: bool = False,
    through_plane: bool = True,
) -> list[Simulation]:
    """Simulate measurements without noise; all meshes must have the same shape, and no case depends on another.

    Args:
        cases: The measurements to simulate.
        sensors: The array, outside every cell.
        protocol: The pulse and the applied field.
        uniform_foils: Whether to solve for one potential instead of two: this takes a third of the time and gives the
            same currents to 1e-9, but cannot represent tears.
        through_plane: Whether to include the field of the current between foils.

    Returns:
        One simulation per case, in order.

    Raises:
        MagBridgeError: As in `simulate`, or if there is a tear in uniform foils.
    """
    if uniform_foils and any(case.defect.kind == "tear" for case in cases):
        raise MagBridgeError("tear in uniform foils: expected other defects; use uniform_foils=False for tears")
    found: list[Simulation] = []
    operators = Operators(sensors, through_plane)
    for first in range(0, len(cases), network.LANES):
        group = cases[first : first + network.LANES]
        meshes = [case.mesh or case.defect.meshed(_uniform(case.cell), case.cell) for case in group]
        numbers = [patches(c.cell, c.state, c.defect, c.variation, mesh) for c, mesh in zip(group, meshes, strict=True)]
        voltages, flows, even = _march(group, numbers, meshes, protocol, 1 if uniform_foils else 2)
        for c, (case, own, mesh) in enumerate(zip(group, numbers, meshes, strict=True)):
            found.append(_assemble(case, own, mesh, voltages[:, c], flows[c], even[c], operators, protocol))
    return found


@lru_cache(maxsize=16)
def _uniform(cell: PouchCell) -> Mesh:
    return Mesh.uniform(cell)


def _march(group, numbers: list[Patches], meshes: list[Mesh], protocol: Protocol, unknowns: int):
    """Compute voltages (33, LANES), and currents of each case at its readings and for 1 A collected evenly.

    The currents are in the layout of `_flows`.
    """

    def lanes(arrays) -> np.ndarray:
        return np.stack([*arrays, *[arrays[0]] * (network.LANES - len(arrays))], axis=-1)

    area = lanes([mesh.areas for mesh in meshes])
    # the fields before `moment`, which have the same shape in every cell
    ocv, _, scale, weight, time, *stacked = (lanes([np.asarray(own[k]) for own in numbers]) for k in range(11))
    gxp, gyp, gxn, gyn, tau_p, tau_n = stacked
    foils = gxp, gyp, gxn, gyn, tau_p, tau_n
    current = protocol.rate_C * protocol.on[:, None] * lanes([np.float64(case.cell.nominal_Ah) for case in group])
    steps = [protocol.load_step, *protocol.rest_steps]
    keep = np.full(len(protocol.dt_s), -1)
    keep[steps] = range(len(steps))
    part = np.stack([gxn[0, 0], gxp[0, 0]]) / (gxn[0, 0] + gxp[0, 0])
    banded = network.banded(gxp, gyp, gxn, gyn, unknowns)
    psi = network.spread(gxp + gxn, gyp + gyn, tau_n - tau_p) if unknowns == 1 else area
    tabs = tau_p, tau_n, part[0] * tau_p + part[1] * tau_n
    states = area, ocv, scale, GROUP, weight, time
    voltage, maps = network.march(banded, psi, part, *tabs, *states, protocol.dt_s, current, keep)
    even = np.empty((1, *maps.shape[1:]))
    density = 1 / area.sum(axis=(0, 1))
    even[0, 0] = density
    even[0, 1] = network.spread(gxp, gyp, density * area - tau_p)
    even[0, 2] = network.spread(gxn, gyn, tau_n - density * area)
    dx, dy = lanes([np.diff(mesh.x) for mesh in meshes]), lanes([np.diff(mesh.y) for mesh in meshes])
    return voltage, _flows(maps, *foils, dx, dy, current[steps]), _flows(even, *foils, dx, dy, np.ones_like(part[:1]))


@_jit
def _flows(maps, gxp, gyp, gxn, gyn, tau_p, tau_n, dx, dy, current):
    """Compute the currents of every patch, (LANES, nx, ny, 5, T).

    They are the density in A/m2 and the sheet currents K_p along x and y, then K_n, in A/m. A sheet current is the mean
    over a patch's two faces; through a face with a tab flows the tab's current.
    """
    times, _, nx, ny, lanes = maps.shape
    out = np.zeros((lanes, nx, ny, 5, times))
    for c in range(lanes):
        for i in range(nx):
            for j in range(ny):
                for t in range(times):
                    out[c, i, j, 0, t] = maps[t, 0, i, j, c]
                for f in range(2):
                    gx, gy, tau = (gxp, gyp, tau_p) if f == 0 else (gxn, gyn, tau_n)
                    for t in range(times):
                        phi = maps[t, 1 + f]
                        # Current leaves the aluminium by its tab, against x at the near edge; it enters the copper.
                        rim = (-0.5 if f == 0 else 0.5) * current[t, c] * tau[i, j, c] / dy[j, c]
                        if i + 1 < nx:
                            half = 0.5 * gx[i, j, c] * (phi[i, j, c] - phi[i + 1, j, c]) / dy[j, c]
                            out[c, i, j, 1 + 2 * f, t] += half
                            out[c, i + 1, j, 1 + 2 * f, t] += half
                        else:
                            out[c, i, j, 1 + 2 * f, t] -= rim
                        if i == 0:
                            out[c, i, j, 1 + 2 * f, t] += rim
                        if j + 1 < ny:
                            half = 0.5 * gy[i, j, c] * (phi[i, j, c] - phi[i, j + 1, c]) / dx[i, c]
                            out[c, i, j, 2 + 2 * f, t] += half
                            out[c, i, j + 1, 2 + 2 * f, t] += half
    return out


def _assemble(case, own: Patches, mesh: Mesh, voltage, flows, even, operators: Operators, protocol) -> Simulation:
    """Add the stack's deviations to the solution in the plane, and compute the fields."""
    cell = case.cell
    steps = [protocol.load_step, *protocol.rest_steps]
    current = protocol.rate_C * cell.nominal_Ah * protocol.on
    states = GROUP, own.weight, own.time, protocol.dt_s
    stack_V, units = network.share(own.ocv_V, own.unit_scale[0].copy(), own.unit_scale, *states, current)
    mean_V, _ = network.share(own.ocv_V, own.mean_scale[0].copy(), own.mean_scale, *states, current / cell.units)

    position, stack, terms, kernels, outer = operators.of(case.cell, mesh, case.placement)
    b = flow_field(kernels, flows)
    apart = units[steps] - current[steps, None] / cell.units
    if np.abs(apart).max() > 1e-12 * np.abs(current).max():
        at_height = height_field(terms, even)
        for f, weight in enumerate((stack.unit_p, stack.unit_n, stack.unit_gap)):
            b += np.einsum("tm,msk->tsk", np.einsum("tu,um->tm", apart, weight), at_height[f])
    b += current[steps, None, None] * outer
    scan = moment_field(position, mesh.x, mesh.y, stack.z, stack.solid, own.moment * applied_A(protocol))
    if case.placement is not None:
        turned = case.placement.rotation()
        b, scan = (np.einsum("...j,jk->...k", value, turned) for value in (b, scan))
    readings = voltage + (stack_V - mean_V), b[0], protocol.rest_s, b[1:], scan
    return Simulation(protocol.time_s, *readings, own.soh, own.ocv_V, flows, units[steps], own.lithium, mesh)


def applied_A(protocol: Protocol) -> float:
    """Return B_0 / mu_0 in A/m."""
    return protocol.applied_mT * 1e-3 / (MU0_4PI * 4 * np.pi)


def read(
    found: Simulation,
    cell: PouchCell,
    sensors: SensorArray,
    protocol: Protocol,
    noise: Noise,
    placement: Placement | None,
    rng: np.random.Generator,
) -> Simulation:
    """Add measurement errors to a simulation: dipole and gains, and independent white and 1/f noise."""
    count = len(sensors.position_mm)
    position = sensors.position_mm * 1e-3 if placement is None else placement.moved(sensors, cell)
    moment = noise.dipole_Am2 * rng.standard_normal(3)
    away = position - np.array([0, cell.width_mm * 5e-4, 0])
    r = np.sqrt((away**2).sum(axis=1))[:, None]
    dipole = MU0_4PI * (3 * away * (away * moment).sum(axis=1)[:, None] / r**5 - moment / r**3)
    gain = 1 + noise.gain_common * rng.standard_normal() + noise.gain_channel * rng.standard_normal((count, 3))
    times = protocol.time_s[[protocol.load_step, *protocol.rest_steps]]
    sd = noise.field_nT * 1e-9
    white = sd * rng.standard_normal((len(times) + 1, count, 3))
    slow = sd * noise.flicker * _flicker(times, rng.standard_normal((len(FLICKER_S), len(times), count, 3)))
    scan_slow = sd * noise.flicker * rng.standard_normal((count, 3))
    fields = gain * replace(found, scan_T=found.scan_T + dipole).fields_T
    fields += white + np.concatenate([slow, scan_slow[None]])
    voltage = found.voltage_V + noise.voltage_V * rng.standard_normal(len(found.voltage_V))
    return replace(found, voltage_V=voltage, load_T=fields[0], rest_T=fields[1:-1], scan_T=fields[-1])


def _flicker(times: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Compute unit-variance 1/f noise as the normalised sum of K Ornstein-Uhlenbeck processes.

    Args:
        times: (T,) times in s.
        normal: (K, T, ...) standard normal numbers.

    Returns:
        (T, ...) noise.
    """
    total = np.zeros(normal.shape[1:])
    for process, scale in zip(normal, FLICKER_S, strict=True):
        value = process[0]
        total[0] += value
        for t in range(1, len(times)):
            keep = np.exp(-(times[t] - times[t - 1]) / scale)
            value = keep * value + np.sqrt(1 - keep**2) * process[t]
            total[t] += value
    return total / np.sqrt(len(FLICKER_S))
