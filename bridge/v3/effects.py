"""Effects of one change at a time on voltage and fields of a design: a table for people who choose sensors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bridge.v3.design import PouchCell
from bridge.v3.protocol import Protocol, SensorArray
from bridge.v3.simulation import Case, Simulation, simulate_cases
from bridge.v3.state import CellState, Defect, Mesh, Variation
from dataset_card.running.templates import macros


@dataclass(frozen=True)
class Effect:
    """Effect of a change; for fields, the root mean square over sensors and axes.

    Attributes:
        change: Name of the change.
        load_nT: Field at the pulse's end.
        rest_pT: Field 1 s after the pulse.
        scan_nT: Field in the applied field.
        voltage_mV: Terminal voltage at the pulse's end, signed.
    """

    change: str
    load_nT: float
    rest_pT: float
    scan_nT: float
    voltage_mV: float


def changes(cell: PouchCell) -> dict[str, tuple[Case, Case]]:
    """Return, for each change by name, the case without it and the case with it."""
    aged = Case(cell, CellState(soc=0.5, lli=0.05, lam_pe=0.02))
    even = Case(cell, CellState(soc=0.5, lli=0.05))
    torn = 0.29167 * cell.length_mm
    mesh = Mesh.uniform(cell).through(torn * 1e-3, cell.width_mm * 5e-4)
    foils = (cell.units + 1) // 2

    def state(case: Case, **values) -> tuple[Case, Case]:
        return case, replace(case, state=replace(case.state, **values))

    def defect(case: Case, kind: str, **values) -> tuple[Case, Case]:
        return case, replace(case, defect=Defect(kind, **values))

    def tear(share: float) -> tuple[Case, Case]:
        return defect(replace(aged, mesh=mesh), "tear", share=share, length=0.5, x_mm=torn)

    depth = np.linspace(-1, 1, cell.units)
    bowl = np.zeros((4, cell.units))
    bowl[2] = 0.05 * (depth**2 - (depth**2).mean())
    return {
        "LLI +10 %, uniform": state(aged, lli=0.15),
        "LAM_PE +10 %": state(aged, lam_pe=0.12),
        "ohmic resistance x 1.5": state(aged, r_ohm=1.5),
        "resistance +20 % from tab to end": (aged, replace(aged, variation=Variation(slope=0.2))),
        "dry, 6 % of the area": defect(aged, "dry", share=0.06),
        "plated, 6 % of the area": defect(aged, "plating", share=0.06),
        "weld half torn": defect(aged, "weld", share=0.5, positive=False),
        "all Al foils torn to half width": tear(0.4995),
        "the same, a tenth of the foils": tear(0.05),
        "one Al foil off its tab, outer": defect(even, "layer", share=1.0, depth=0),
        "one Al foil off its tab, middle": defect(even, "layer", share=1.0, depth=foils // 2),
        "resistance +-5 % front to back": state(even, gradient_r=0.05),
        "the same, symmetric": (even, replace(even, variation=Variation(units=bowl))),
        "LLI +-2 % front to back": state(even, gradient_lli=0.02),
    }


def effects(cell: PouchCell, array: SensorArray | None = None, protocol: Protocol | None = None) -> list[Effect]:
    """Compute the total readings of an aged cell, then the effect of one change at a time, moved sensors last.

    Args:
        cell: The design.
        array: The sensors; 24 sensors 10 mm from the surface by default.
        protocol: The pulse and the applied field; 1C and 1 mT by default.
    """
    array, protocol = array or SensorArray.grid(cell), protocol or Protocol()
    pairs = changes(cell)
    found = simulate_cases([case for pair in pairs.values() for case in pair], array, protocol)
    parts = "load_T", "rest_T", "scan_T", "voltage_V"
    nothing = replace(found[0], **{name: 0 * getattr(found[0], name) for name in parts})
    table = [_effect("in all", nothing, found[0])]
    table += [_effect(name, *found[2 * k : 2 * k + 2]) for k, name in enumerate(pairs)]
    for name, move in (("lift-off +.1 mm", [0, 0, 0.1]), ("shift .2 mm along y", [0, 0.2, 0])):
        moved = simulate_cases([next(iter(pairs.values()))[0]], SensorArray(array.position_mm + move), protocol)[0]
        table.append(_effect(name, found[0], moved))
    return table


def _effect(name: str, before: Simulation, after: Simulation) -> Effect:
    def rms(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(((b - a) ** 2).mean()))

    return Effect(
        name,
        1e9 * rms(before.load_T, after.load_T),
        1e12 * rms(before.rest_T[0], after.rest_T[0]),
        1e9 * rms(before.scan_T, after.scan_T),
        1e3 * float(after.voltage_V[11] - before.voltage_V[11]),
    )


def table(found: list[Effect]) -> str:
    """Format the effects as a text table."""
    return macros("bridge.v3", "tables.txt").effects(found, figure).rstrip("\n")


def figure(value: float) -> str:
    """Format a figure of the table: three digits, or an upper bound if it is tiny."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 else "< 0.001" if value else "0"
