"""Cells to voltages and fields: `simulate` for one, `simulate_cases` for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bridge.v3 import network
from bridge.v3.design import PouchCell
from bridge.v3.field import MU0_4PI, current_terms, moment_field, wire_field
from bridge.v3.layers import Layers, layers
from bridge.v3.patches import GROUP, Patches, patches
from bridge.v3.protocol import Noise, Placement, Protocol, SensorArray
from bridge.v3.state import CellState, Defect, Mesh, Variation
from dataset_card.running.compiled import compiled

FLICKER_S = (1.0, 10.0, 100.0, 1000.0)
"""Time constants of the processes that make 1/f noise."""
RETURN_M = 0.3
"""How far below the cell the leads of opposite tabs return [C]."""

_jit = compiled(nogil=True, error_model="numpy")


@dataclass(frozen=True)
class Case:
    """One measurement to simulate: a cell in a state, on a mesh, with the array somewhere.

    Attributes:
        placement: Where the array sits; its nominal place where None.
    """

    cell: PouchCell
    state: CellState = CellState()
    defect: Defect = Defect()
    variation: Variation = field(default_factory=Variation)
    mesh: Mesh | None = None
    placement: Placement | None = None


@dataclass(frozen=True)
class Simulation:
    """What a measurement of one cell gives, and the maps behind it. Fields in T, along x, y, z.

    Attributes:
        time_s, voltage_V: (33,) time and terminal voltage.
        load_T: (S, 3) at the end of the pulse.
        rest_s, rest_T: (7,) time after the pulse and (7, S, 3).
        scan_T: (S, 3) in the applied field, which is taken off.
        soh: Capacity over the nominal one.
        current_Am2: (8, nx, ny) current density through the stack: under load, then at rest.
        sheet_Am: (8, 2, 2, nx, ny) sheet current of aluminium and copper along x and y.
        units_A: (8, U) each unit's current.
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
    current_Am2: np.ndarray
    sheet_Am: np.ndarray
    units_A: np.ndarray
    lithium: np.ndarray
    mesh: Mesh


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
        noise: What readings add; None for the physics alone.
        protocol: The pulse and the applied field; by default 1C and 1 mT.
        defect: What is wrong with the cell; nothing by default.
        variation: How the cell differs from its design; not at all by default.
        mesh: Patches; 24 x 16 by default, with an edge along a tear.
        rng: Draws the noise.

    Raises:
        MagBridgeError: A sensor is inside the cell, the defect does not fit it, or its state holds no capacity.

    Example:
        >>> cell = PouchCell.preset("nmc")
        >>> found = simulate(cell, CellState(soc=0.5), sensors=SensorArray.grid(cell), noise=None)
        >>> found.voltage_V.shape, found.load_T.shape, found.rest_T.shape, found.scan_T.shape
        ((33,), (24, 3), (7, 24, 3), (24, 3))
    """
    rng = np.random.default_rng() if rng is None else rng
    placement = None if noise is None else noise.place(rng, sensors)
    case = Case(cell, state, defect or Defect(), variation or Variation(), mesh, placement)
    found = simulate_cases([case], sensors, protocol or Protocol())[0]
    return found if noise is None else read(found, cell, sensors, protocol or Protocol(), noise, placement, rng)


def simulate_cases(cases: Sequence[Case], sensors: SensorArray, protocol: Protocol) -> list[Simulation]:
    """Simulate measurements without noise; meshes of one batch have one shape, and no case depends on another.

    Raises:
        MagBridgeError: As `simulate`.
    """
    found: list[Simulation] = []
    shared = _Shared(sensors)
    for first in range(0, len(cases), network.LANES):
        group = cases[first : first + network.LANES]
        meshes = [_mesh(case) for case in group]
        numbers = [
            patches(case.cell, case.state, case.defect, case.variation, mesh)
            for case, mesh in zip(group, meshes, strict=True)
        ]
        voltages, maps, spreads = _march(group, numbers, meshes, protocol)
        for c, (case, own, mesh) in enumerate(zip(group, numbers, meshes, strict=True)):
            found.append(
                _assemble(case, own, mesh, voltages[:, c], maps[..., c], [s[..., c] for s in spreads], shared, protocol)
            )
    return found


def _mesh(case: Case) -> Mesh:
    if case.mesh is not None:
        return case.mesh
    mesh = Mesh.uniform(case.cell)
    if case.defect.kind != "tear":
        return mesh
    x, y0, y1 = case.defect.cut(case.cell)
    tip = y1 if case.defect.low else y0
    return mesh.through(x, tip) if 0 < tip < mesh.y[-1] else mesh.through(x, float(mesh.y[1]))


def _march(group, numbers: list[Patches], meshes: list[Mesh], protocol: Protocol):
    """Voltages, maps and patterns of evenly spread currents of a group, padded to the lanes with its first."""

    def lanes(arrays) -> np.ndarray:
        padded = [*arrays, *[arrays[0]] * (network.LANES - len(arrays))]
        return np.ascontiguousarray(np.stack(padded, axis=-1))

    area = lanes([np.diff(mesh.x)[:, None] * np.diff(mesh.y) for mesh in meshes])
    columns = {name: lanes([getattr(own, name) for own in numbers]) for name in Patches._fields[2:11]}
    current = protocol.rate_C * lanes([protocol.on * case.cell.nominal_Ah for case in group])
    keep = np.full(len(protocol.dt_s), -1)
    keep[[protocol.load_step, *protocol.rest_steps]] = range(1 + len(protocol.rest_steps))
    even = area / area.sum(axis=(0, 1))
    spreads = [
        network.spread(columns["gxp"], columns["gyp"], even - columns["tau_p"]),
        network.spread(columns["gxn"], columns["gyn"], columns["tau_n"] - even),
    ]
    voltage, maps = network.march(
        columns["gxp"],
        columns["gyp"],
        columns["gxn"],
        columns["gyn"],
        columns["tau_p"],
        columns["tau_n"],
        area,
        lanes([np.float64(own.ocv_V) for own in numbers]),
        columns["scale"],
        GROUP,
        columns["weight"],
        columns["time"],
        protocol.dt_s,
        current,
        keep,
    )
    return voltage, maps, spreads


def _sheet(potential, gx, gy, mesh: Mesh, inflow: np.ndarray) -> np.ndarray:
    """(..., 2, nx, ny) sheet current in A/m of each patch, the mean of its faces.

    Args:
        potential: (..., nx, ny) in V.
        gx, gy: Conductances in S.
        mesh: The patches.
        inflow: (..., 2, ny) current in A that enters along +x through the edges x = 0 and x = length.
    """
    dx, dy = np.diff(mesh.x), np.diff(mesh.y)
    through_x = gx * -np.diff(potential, axis=-2)
    through_y = gy * -np.diff(potential, axis=-1)
    faces = np.concatenate([inflow[..., :1, :], through_x, inflow[..., 1:, :]], axis=-2) / dy
    kx = (faces[..., 1:, :] + faces[..., :-1, :]) / 2
    rim = np.zeros((*through_y.shape[:-1], 1))
    faces = np.concatenate([rim, through_y, rim], axis=-1) / dx[:, None]
    return np.stack([kx, (faces[..., 1:] + faces[..., :-1]) / 2], axis=-3)


def _inflow(tau: np.ndarray, current: np.ndarray, positive: bool) -> np.ndarray:
    """(T, 2, ny) current along +x through both short edges: out of the positive tab, into the negative one."""
    near, far = tau[0] * current[:, None], tau[-1] * current[:, None]
    return np.stack([-near, far] if positive else [near, -far], axis=1)


class _Shared:
    """What cases share: layers, integrals and leads of a design, an array and a mesh."""

    def __init__(self, sensors: SensorArray):
        self.sensors = sensors
        self.kept: dict[tuple, tuple[np.ndarray, Layers, np.ndarray, np.ndarray]] = {}

    def of(self, case: Case, mesh: Mesh):
        """Positions, layers, integrals and the field of 1 A in tabs and leads."""
        key = (case.cell, mesh.x.tobytes(), mesh.y.tobytes())
        if case.placement is None and key in self.kept:
            return self.kept[key]
        self.sensors.require_outside(case.cell)
        position = self.sensors.position_mm * 1e-3
        if case.placement is not None:
            position = case.placement.moved(self.sensors, case.cell)
        nearest = float(np.abs(self.sensors.position_mm[:, 2]).min()) * 1e-3
        stack = layers(case.cell, nearest)
        made = position, stack, current_terms(position, mesh.x, mesh.y, stack.z), outer_field(case.cell, position)
        if case.placement is None:
            self.kept[key] = made
        return made


def outer_field(cell: PouchCell, position: np.ndarray) -> np.ndarray:
    """Field (S, 3) in T of 1 A of discharge in tabs and leads.

    Tabs are rectangles and leads straight wires at z = 0. The lead's far ends are joined: on one edge by a straight
    wire, of opposite tabs by a return .3 m below the cell.

    Args:
        cell: The design.
        position: (S, 3) in m.
    """
    from bridge.v3.field import sheet_field

    total = np.zeros((len(position), 3))
    half, tab, lead = cell.tab_width_mm * 5e-4, cell.tab_length_mm * 1e-3, cell.lead_mm * 1e-3
    length, far = cell.length_mm * 1e-3, []
    for middle, out in ((cell.tab_p_mm * 1e-3, True), (cell.tab_n_mm * 1e-3, False)):
        opposite = cell.opposite and not out
        edge, away = (length, 1.0) if opposite else (0.0, -1.0)
        end = edge + away * tab
        flow = away if out else -away  # along x: out of the positive tab, into the negative one
        k = np.zeros((2, 1, 1))
        k[0] = flow / (2 * half)
        x = np.sort([edge, end])
        total += sheet_field(position, x, np.array([middle - half, middle + half]), 0.0, k)
        tip = np.array([end + away * lead, middle, 0.0])
        points = np.array([[end, middle, 0.0], tip])
        total += wire_field(position, points if out else points[::-1])
        far.append(tip)
    if cell.closed_leads:
        below = np.array([0, 0, -RETURN_M]) if cell.opposite else np.zeros(3)
        path = [far[0], far[0] + below, far[1] + below, far[1]] if cell.opposite else far
        total += wire_field(position, np.array(path))
    return total


@_jit
def _field(terms, foil_p, foil_n, gap, sheet, density):
    """Field (T, S, 3) in T of currents that all heights share.

    Args:
        terms: (S, M, 3, nx, ny) integrals.
        foil_p, foil_n, gap: (M,) weights.
        sheet: (T, 2, 2, nx, ny) sheet currents of aluminium and copper in A/m.
        density: (T, nx, ny) current density in A/m2.
    """
    times, (count, heights, _, nx, ny) = len(sheet), terms.shape
    found = np.zeros((times, count, 3))
    kernel = np.empty((3, 3, ny))
    for s in range(count):
        for i in range(nx):
            kernel[:] = 0.0
            for m in range(heights):
                for q in range(3):
                    for j in range(ny):
                        term = terms[s, m, q, i, j]
                        kernel[0, q, j] += foil_p[m] * term
                        kernel[1, q, j] += foil_n[m] * term
                        kernel[2, q, j] += gap[m] * term
            for t in range(times):
                bx, by, bz = 0.0, 0.0, 0.0
                for j in range(ny):
                    for f in range(2):
                        kx, ky = sheet[t, f, 0, i, j], sheet[t, f, 1, i, j]
                        bx += ky * kernel[f, 0, j]
                        by -= kx * kernel[f, 0, j]
                        bz += kx * kernel[f, 1, j] - ky * kernel[f, 2, j]
                    bx -= density[t, i, j] * kernel[2, 1, j]
                    by += density[t, i, j] * kernel[2, 2, j]
                found[t, s, 0] += bx
                found[t, s, 1] += by
                found[t, s, 2] += bz
    return MU0_4PI * found


@_jit
def _height_field(terms, sheet, density):
    """Field (3, M, S, 3) in T per unit of weight at each height: of aluminium, of copper, of vertical current."""
    count, heights, _, nx, ny = terms.shape
    found = np.zeros((3, heights, count, 3))
    for s in range(count):
        for m in range(heights):
            for i in range(nx):
                for j in range(ny):
                    omega, a, c = terms[s, m, 0, i, j], terms[s, m, 1, i, j], terms[s, m, 2, i, j]
                    for f in range(2):
                        kx, ky = sheet[f, 0, i, j], sheet[f, 1, i, j]
                        found[f, m, s, 0] += ky * omega
                        found[f, m, s, 1] -= kx * omega
                        found[f, m, s, 2] += kx * a - ky * c
                    found[2, m, s, 0] -= density * a
                    found[2, m, s, 1] += density * c
    return MU0_4PI * found


def _assemble(case, own: Patches, mesh: Mesh, voltage, maps, spreads, shared: _Shared, protocol) -> Simulation:
    """Adds the stack's deviations to the solution in the plane, and the fields."""
    cell = case.cell
    steps = [protocol.load_step, *protocol.rest_steps]
    current = protocol.rate_C * cell.nominal_Ah * protocol.on
    states = GROUP, own.weight, own.time, protocol.dt_s
    stack_V, units = network.share(own.ocv_V, own.unit_scale[0].copy(), own.unit_scale, *states, current)
    mean_V, _ = network.share(own.ocv_V, own.mean_scale[0].copy(), own.mean_scale, *states, current / cell.units)

    position, stack, terms, outer = shared.of(case, mesh)
    ones = np.ones(1)
    sheet = np.stack(
        [
            _sheet(maps[:, 1], own.gxp, own.gyp, mesh, _inflow(own.tau_p, current[steps], True)),
            _sheet(maps[:, 2], own.gxn, own.gyn, mesh, _inflow(own.tau_n, current[steps], False)),
        ],
        axis=1,
    )
    even = np.stack(
        [
            _sheet(spreads[0][None], own.gxp, own.gyp, mesh, _inflow(own.tau_p, ones, True))[0],
            _sheet(spreads[1][None], own.gxn, own.gyn, mesh, _inflow(own.tau_n, ones, False))[0],
        ]
    )
    density = np.ascontiguousarray(maps[:, 0])
    b = _field(terms, stack.foil_p, stack.foil_n, stack.gap, sheet, density)
    apart = units[steps] - current[steps, None] / cell.units
    at_height = _height_field(terms, even, 1 / cell.area_m2)
    for f, weight in enumerate((stack.unit_p, stack.unit_n, stack.unit_gap)):
        b += np.einsum("tm,msk->tsk", np.einsum("tu,um->tm", apart, weight), at_height[f])
    b += current[steps, None, None] * outer
    scan = moment_field(position, mesh.x, mesh.y, stack.z, stack.solid, own.moment * applied_A(protocol))
    if case.placement is not None:
        turned = case.placement.rotation()
        b, scan = (np.einsum("...j,jk->...k", value, turned) for value in (b, scan))
    return Simulation(
        protocol.time_s,
        voltage + (stack_V - mean_V),
        b[0],
        protocol.rest_s,
        b[1:],
        scan,
        own.soh,
        density,
        sheet,
        units[steps],
        own.lithium,
        mesh,
    )


def applied_A(protocol: Protocol) -> float:
    """B_0 / mu_0 in A/m."""
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
    """The simulation as instruments read it: dipole, gains, white and 1/f noise, each reading its own."""
    import dataclasses

    count = len(sensors.position_mm)
    position = sensors.position_mm * 1e-3 if placement is None else placement.moved(sensors, cell)
    moment = noise.dipole_Am2 * rng.standard_normal(3)
    away = position - np.array([0, cell.width_mm * 5e-4, 0])
    r = np.sqrt((away**2).sum(axis=1))[:, None]
    dipole = MU0_4PI * (3 * away * (away * moment).sum(axis=1)[:, None] / r**5 - moment / r**3)
    gain = 1 + noise.gain_common * rng.standard_normal() + noise.gain_channel * rng.standard_normal((count, 3))
    times = np.concatenate([[protocol.time_s[protocol.load_step]], protocol.time_s[list(protocol.rest_steps)]])
    sd = noise.field_nT * 1e-9
    white = sd * rng.standard_normal((len(times) + 1, count, 3))
    slow = sd * noise.flicker * _flicker(times, rng.standard_normal((len(FLICKER_S), len(times), count, 3)))
    scan_slow = sd * noise.flicker * rng.standard_normal((count, 3))
    fields = gain * np.concatenate([found.load_T[None], found.rest_T, (found.scan_T + dipole)[None]])
    fields += white + np.concatenate([slow, scan_slow[None]])
    voltage = found.voltage_V + noise.voltage_V * rng.standard_normal(len(found.voltage_V))
    return dataclasses.replace(found, voltage_V=voltage, load_T=fields[0], rest_T=fields[1:-1], scan_T=fields[-1])


def _flicker(times: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Unit-variance 1/f noise at `times` (T,) from normal (K, T, ...): the mean of K Ornstein-Uhlenbeck processes."""
    total = np.zeros(normal.shape[1:])
    for process, scale in zip(normal, FLICKER_S, strict=True):
        value = process[0]
        total[0] += value
        for t in range(1, len(times)):
            keep = np.exp(-(times[t] - times[t - 1]) / scale)
            value = keep * value + np.sqrt(1 - keep**2) * process[t]
            total[t] += value
    return total / np.sqrt(len(FLICKER_S))
