"""Defects of virtual cells: sizes log-uniform from small to large, places continuous."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridge.v3.design import PouchCell
from bridge.v3.state import Defect

SHARES = {
    "none": (1.0, 1.0),
    "weld": (0.05, 0.8),
    "tear": (0.03, 0.8),
    "layer": (0.05, 2.0),
    "dry": (0.01, 0.12),
    "plating": (0.01, 0.12),
}
"""Smallest and largest share of each class [C]; what exceeds 1 is a foil off its tab."""


class DrawnDefect(NamedTuple):
    """A defect, and the place in m that an edge of the mesh goes through, whatever the class."""

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
        values |= {
            "share": share,
            "aspect": aspect,
            "x_mm": float(x * cell.length_mm),
            "y_mm": float(y * cell.width_mm),
        }
        values["loss"] = 0.15 + 0.25 * float(u[9])
    elif kind == "weld":
        values["share"] = share
    return DrawnDefect(Defect(kind, **values), (torn_x * 1e-3, tip * 1e-3))
