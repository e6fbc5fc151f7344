"""The configuration of a v3 release: visits, mesh, array, protocol and noise."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.config import HashedConfig
from bridge.v3.design import PouchCell, check_number
from bridge.v3.protocol import Noise, Protocol, SensorArray
from dataset_card.errors import MagBridgeError

BRIDGE_VERSION = "v3.0-physics"

CHEMISTRIES = ("NMC", "LFP")
KNOWLEDGE = ("as_received", "known_soc")
"""Knowledge of the state of charge: unknown, from .2 to .8, or known to be .5 within .005."""
STACKS = {"symmetric": 20, "asymmetric": 19}
"""Number of units of each stack: an even number ends in copper on both faces."""


@dataclass(frozen=True)
class PhysicsConfig(HashedConfig):
    """Parameters of what a release draws and measures; the defaults are those of v3.0.

    Attributes:
        visits: Number of measurements of each cell, at increasing age.
        mesh: Number of patches along x and y; no model's mesh divides it.
        columns, rows: Number of sensors along x and y; S = columns x rows.
        distance_mm: Distance of the sensors from the cell's surface.
        protocol, noise: See `bridge.v3.protocol`.

    Raises:
        MagBridgeError: If a number is out of range.
    """

    visits: int = 4
    mesh: tuple[int, int] = (29, 19)
    columns: int = 6
    rows: int = 4
    distance_mm: float = 10.0
    protocol: Protocol = field(default_factory=Protocol)
    noise: Noise = field(default_factory=Noise)

    def __post_init__(self) -> None:
        if not isinstance(self.visits, int) or not 1 <= self.visits <= 100:
            raise MagBridgeError(f"visits {self.visits!r}: expected a whole number from 1 to 100")
        check_number("distance_mm", self.distance_mm, above=0)

    @property
    def sensors(self) -> int:
        """Number S of sensors in the array."""
        return self.columns * self.rows

    def cell(self, chemistry: str, stack: str) -> PouchCell:
        """Return the design of a chemistry and a stack."""
        full = PouchCell.preset(chemistry.lower())
        units = STACKS[stack]
        return PouchCell.preset(chemistry.lower(), units=units, nominal_Ah=full.nominal_Ah * units / full.units)

    def array(self, cell: PouchCell) -> SensorArray:
        """Return the sensors over a cell."""
        return SensorArray.grid(cell, self.columns, self.rows, self.distance_mm)
