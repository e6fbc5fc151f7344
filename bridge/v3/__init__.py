"""v3: voltage and magnetic field computed from the physics of a cell, given its design, state, protocol and sensors.

Examples:
    >>> from bridge.v3 import CellState, PouchCell, SensorArray, simulate
    >>> cell = PouchCell.preset("nmc")
    >>> found = simulate(cell, CellState(soc=0.5, lli=0.05), sensors=SensorArray.grid(cell), noise=None)
    >>> found.load_T.shape
    (24, 3)
"""

from bridge.v3.design import PouchCell
from bridge.v3.protocol import Noise, Protocol, SensorArray
from bridge.v3.simulation import Simulation, simulate
from bridge.v3.state import CellState, Defect, Variation

__all__ = [
    "CellState",
    "Defect",
    "Noise",
    "PouchCell",
    "Protocol",
    "SensorArray",
    "Simulation",
    "Variation",
    "simulate",
]
