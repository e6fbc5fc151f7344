"""Parameters of the simulated upstream, as arrays by name.

The values are in `simulated_parameters.json`, each with its unit and meaning, which are documented only there; it
contains every number of the simulator that could be fitted. The file is part of the package, and its SHA-256 is among
the sources of every simulated release.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.errors import refusal
from dataset_card.storage.documents import read_json

PARAMETER_FILE = Path(__file__).with_name("simulated_parameters.json")


class Anchors:
    """Parameters that change from anchor to anchor; the first axis of each runs over `voltage`."""

    def at(self, voltage: float) -> dict[str, np.ndarray]:
        """Interpolate every parameter to a voltage in V, linearly between the anchors.

        Raises:
            MagBridgeError: If the voltage is outside the range of the anchors.
        """
        volts = vars(self)["voltage"]
        if not volts[0] <= voltage <= volts[-1]:
            raise refusal("fitted_range", voltage=voltage, low=volts[0], high=volts[-1])
        upper = min(max(1, int(np.searchsorted(volts, voltage))), len(volts) - 1)
        share = (voltage - volts[upper - 1]) / (volts[upper] - volts[upper - 1])
        return {name: (1 - share) * values[upper - 1] + share * values[upper] for name, values in vars(self).items()}


@dataclass(frozen=True)
class SimulationParameters:
    """All parameters of the simulated upstream: a frozen dataclass of arrays for each group of the file.

    Attributes:
        scan: Geometry and noise of the scans.
        anchors: Parameters that change from anchor to anchor, as `Anchors`.
        pulse_table: Cells, open-circuit voltage and resistances of the pulse test.
    """

    scan: Any
    anchors: Any
    pulse_table: Any


def load_parameters() -> SimulationParameters:
    """Read the parameter file."""
    document = read_json(PARAMETER_FILE)
    groups = {field.name: document[field.name] for field in dataclasses.fields(SimulationParameters)}
    return SimulationParameters(
        **{
            group: as_arrays({name: entry["value"] for name, entry in entries.items()}, group)
            for group, entries in groups.items()
        }
    )


def as_arrays(values: dict[str, Any], group: str) -> Any:
    """Build a frozen dataclass of read-only float arrays with these names."""
    arrays = {name: np.array(value, float) for name, value in values.items()}
    for array in arrays.values():
        array.flags.writeable = False
    bases = (Anchors,) if group == "anchors" else ()
    return dataclasses.make_dataclass(group, list(arrays), bases=bases, frozen=True)(**arrays)
