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
"""Charge from .2 to .8 that nobody told, or .5 to within .005."""
STACKS = {"symmetric": 20, "asymmetric": 19}
"""Units of each stack: an even number ends in copper on both faces."""


@dataclass(frozen=True)
class PhysicsConfig(HashedConfig):
    """What a release draws and measures; the defaults are v3.0's.

    Attributes:
        visits: Measurements of each cell, at growing age.
        mesh: Patches along x and y; no reader's mesh divides it.
        columns, rows: Sensors along x and y, S = columns x rows.
        distance_mm: Of the sensors from the cell's surface.
        protocol, noise: See `bridge.v3.protocol`.

    Raises:
        MagBridgeError: A number is impossible.
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
        """S, the sensors of the array."""
        return self.columns * self.rows

    def cell(self, chemistry: str, stack: str) -> PouchCell:
        """The design of a chemistry and a stack."""
        full = PouchCell.preset(chemistry.lower())
        units = STACKS[stack]
        return PouchCell.preset(chemistry.lower(), units=units, nominal_Ah=full.nominal_Ah * units / full.units)

    def array(self, cell: PouchCell) -> SensorArray:
        """The sensors over a cell."""
        return SensorArray.grid(cell, self.columns, self.rows, self.distance_mm)
