"""Virtual cells: their identity, ageing and defects, each drawn from its own seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bridge.identity import sample_seed
from bridge.v3.config import CHEMISTRIES, KNOWLEDGE, STACKS, PhysicsConfig
from bridge.v3.design import PouchCell
from bridge.v3.state import DEFECTS, MAP_MODES, CellState, Defect, Mesh, Variation

BLOCK = (20, 6, 6, 6, 6, 6)
"""Number of cells of each class of `DEFECTS` among fifty in a row, half with either stack: shares .4 and .12."""
MOST_UNITS = 20
MOST_LOST = np.array([0.20, 0.15, 0.15, 1.0, 1.0])
"""Largest values at the end of life: LLI, LAM_PE, LAM_NE, growth of ohmic and of charge-transfer resistance [C]."""
GRADIENT_SD = np.array([0.02, 0.05])
"""Standard deviations of the gradients of LLI and of resistance [C]."""
UNIT_SD = np.array([0.003, 0.002, 0.02, 0.003])
"""Standard deviations over units: LLI, LAM, resistance, loading [C]."""


class Request(NamedTuple):
    """Identity of a row, together with the master seed and the configuration.

    Attributes:
        chemistry: `NMC` or `LFP`.
        knowledge: `as_received` or `known_soc`.
        number: Number of the cell among those of its chemistry and knowledge, from 0, unlimited.
        visit: Number of the visit, from 0.
    """

    chemistry: str
    knowledge: str
    number: int
    visit: int


def requests(cells: int, visits: int) -> list[Request]:
    """Return the requests for `cells` cells of each chemistry and knowledge, at `visits` visits each."""
    return [
        Request(chemistry, knowledge, number, visit)
        for chemistry in CHEMISTRIES
        for knowledge in KNOWLEDGE
        for number in range(cells)
        for visit in range(visits)
    ]


@dataclass(frozen=True)
class VirtualCell:
    """A cell at one visit.

    Attributes:
        name: Opaque name, the same at each visit.
        stack: `symmetric` or `asymmetric`.
        cell: The design.
        state: Charge and age at the visit.
        defect: The defect.
        variation: Deviations from the design.
        mesh: The mesh.
        seed: Seed of the visit's placement and noise.
    """

    name: str
    stack: str
    cell: PouchCell
    state: CellState
    defect: DrawnDefect
    variation: Variation
    mesh: Mesh
    seed: int


def class_and_stack(request: Request, master_seed: int) -> tuple[str, str]:
    """Draw class and stack of a cell, with exact shares among every fifty cells of a chemistry and knowledge."""
    size = sum(BLOCK)
    pairs = [
        (kind, stack)
        for kind, count in zip(DEFECTS, BLOCK, strict=True)
        for stack in STACKS
        for _ in range(count // len(STACKS))
    ]
    seed = sample_seed(master_seed, "v3", "block", *request[:2], request.number // size, bits=63)
    return pairs[int(np.random.default_rng(seed).permutation(size)[request.number % size])]


def draw_cell(request: Request, config: PhysicsConfig, master_seed: int) -> VirtualCell:
    """Draw the cell of a request at its visit; every class draws the same numbers in the same order."""
    kind, stack = class_and_stack(request, master_seed)
    cell = config.cell(request.chemistry, stack)
    cell_seed = sample_seed(master_seed, "v3", "cell", *request[:3], bits=63)
    rng = np.random.default_rng(cell_seed)
    most = rng.random(5) * MOST_LOST
    gradient = rng.standard_normal(2) * GRADIENT_SD
    common = rng.standard_normal(6)
    maps = rng.standard_normal((5, *MAP_MODES))
    units = rng.standard_normal((4, MOST_UNITS))
    defect = draw_defect(kind, cell, rng)
    variation = scattered(common, maps, units[:, : cell.units])
    seed = sample_seed(master_seed, "v3", "visit", *request, bits=63)
    rng = np.random.default_rng(seed)
    age = (request.visit + rng.random()) / config.visits
    soc = 0.2 + 0.6 * rng.random(), 0.5 + 0.005 * rng.standard_normal()
    state = aged(float(soc[KNOWLEDGE.index(request.knowledge)]), most * age, gradient)
    mesh = Mesh.uniform(cell, *config.mesh).through(*defect.line)
    name = f"cell-{sample_seed(master_seed, 'v3', 'name', *request[:3], bits=63):016x}"
    return VirtualCell(name, stack, cell, state, defect, variation, mesh, seed)


def aged(soc: float, losses: np.ndarray, gradients: np.ndarray) -> CellState:
    """Build the state of an aged cell.

    Args:
        soc: Charge, 0 to 1.
        losses: (5,) LLI, LAM_PE, LAM_NE and growth of ohmic and charge-transfer resistance.
        gradients: (2,) gradients of LLI and resistance.
    """
    lli, lam_pe, lam_ne, r_ohm, r_ct = losses.tolist()
    return CellState(soc, lli, lam_pe, lam_ne, 1 + r_ohm, 1 + r_ct, *gradients.tolist())


def scattered(common: np.ndarray, maps: np.ndarray, units: np.ndarray) -> Variation:
    """Scale standard normal numbers to a cell's deviations from its design.

    Args:
        common: (6,) numbers of the whole cell.
        maps: (5, 9, 7) numbers of its maps.
        units: (4, U) numbers of its units.
    """
    return Variation(
        loading=0.01 * common[0],
        lithium=0.01 * common[1],
        resistance=float(np.exp(0.05 * common[2])) - 1,
        sheet=(0.02 * common[3], 0.02 * common[4]),
        edge=common[5],
        maps=maps,
        units=UNIT_SD[:, None] * units,
    )


def draw(rows: Sequence[Request], config: PhysicsConfig, master_seed: int) -> list[VirtualCell]:
    """Draw the cells of many requests."""
    return [draw_cell(row, config, master_seed) for row in rows]


SHARES = {
    "none": (1.0, 1.0),
    "weld": (0.05, 0.8),
    "tear": (0.03, 0.8),
    "layer": (0.05, 2.0),
    "dry": (0.01, 0.12),
    "plating": (0.01, 0.12),
}
"""Smallest and largest share of each class [C]; a share above 1 is a foil off its tab."""


class DrawnDefect(NamedTuple):
    """A defect, and the place (x, y) in m through which an edge of the mesh passes, whatever the class."""

    defect: Defect
    line: tuple[float, float]


def draw_defect(kind: str, cell: PouchCell, rng: np.random.Generator) -> DrawnDefect:
    """Draw a defect of a class from twelve uniform numbers."""
    u = rng.random(12)
    low, high = SHARES[kind]
    share = float(low * (high / low) ** u[0])
    length = 0.3 + 0.5 * float(u[1])
    torn_x = (0.1 + 0.8 * float(u[2])) * cell.length_mm
    start_low = bool(u[3] < 0.5)
    tip = (length if start_low else 1 - length) * cell.width_mm
    values: dict = {"positive": bool(u[4] < 0.5), "low": start_low}
    if kind == "tear":
        values |= {"share": min(share, length), "length": length, "x_mm": torn_x}
    elif kind == "layer":
        values |= {"share": min(share, 1.0), "depth": int((cell.units // 2 + cell.units % 2) * u[5])}
    elif kind in ("dry", "plating"):
        aspect = float(np.exp(1.2 * (u[6] - 0.5)))
        size = np.sqrt(share * aspect), np.sqrt(share / aspect)
        x, y = ((part / 2 + (1 - part) * float(v)) for part, v in zip(size, u[7:9], strict=True))
        values |= {"share": share, "aspect": aspect, "loss": 0.15 + 0.25 * float(u[9])}
        values |= {"x_mm": float(x * cell.length_mm), "y_mm": float(y * cell.width_mm)}
    elif kind == "weld":
        values["share"] = share
    return DrawnDefect(Defect(kind, **values), (torn_x * 1e-3, tip * 1e-3))
