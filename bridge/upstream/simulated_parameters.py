"""Parameters of the simulated upstream: their names, shapes and legal ranges, and the reader of the data file.

The values live in `simulated_parameters.json`, each with its unit and meaning, which stand there alone; nothing else in
the simulator is a number that could be fitted.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import read_json

PARAMETER_FILE = Path(__file__).with_name("simulated_parameters.json")

SENSORS, FIELD_CHANNELS, LINES, MOMENTS = 2, 4, 2, 3
"""Sensors; measured channels (s1Y, s1Z, s2Y, s2Z); mains lines; moments (mz, mx, my)."""


LARGEST = 1e9
"""The file's own numbers are at most 475 in their units; products of any that pass stay finite."""


def _parameter(*shape: int, minimum: float = -np.inf, maximum: float = np.inf, positive: bool = False) -> Any:
    """Declares what a parameter may be; a length of -1 stands for the number of anchors."""
    return dataclasses.field(metadata={"shape": shape, "minimum": minimum, "maximum": maximum, "positive": positive})


@dataclass(frozen=True)
class _Checked:
    """Turns every field into a float array of the declared shape and refuses values out of range."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _checked(field, getattr(self, field.name)))


@dataclass(frozen=True)
class ScanParameters(_Checked):
    """Geometry and noise of the scans; the meaning of each is in the data file."""

    h: np.ndarray = _parameter(SENSORS, positive=True)
    dy: np.ndarray = _parameter(positive=True)
    z0: np.ndarray = _parameter(SENSORS)
    y0: np.ndarray = _parameter(SENSORS)
    sheet_length: np.ndarray = _parameter(positive=True)
    sheet_width: np.ndarray = _parameter(positive=True)
    drift: np.ndarray = _parameter(FIELD_CHANNELS)
    white: np.ndarray = _parameter(FIELD_CHANNELS, minimum=0)
    edge: np.ndarray = _parameter(2)
    edge_shape: np.ndarray = _parameter(3)
    hum_gain_y: np.ndarray = _parameter()
    hum_gain_z2: np.ndarray = _parameter(LINES)
    hum_frequency: np.ndarray = _parameter(LINES, minimum=0, maximum=0.5)
    hum_spread: np.ndarray = _parameter(LINES, minimum=0)


@dataclass(frozen=True)
class AnchorParameters(_Checked):
    """What changes from anchor to anchor; the first axis runs over `voltage`."""

    voltage: np.ndarray = _parameter(-1, positive=True)
    moment: np.ndarray = _parameter(-1, MOMENTS)
    dz: np.ndarray = _parameter(-1)
    dp: np.ndarray = _parameter(-1)
    a: np.ndarray = _parameter(-1, FIELD_CHANNELS)
    b: np.ndarray = _parameter(-1, FIELD_CHANNELS)
    c: np.ndarray = _parameter(-1, FIELD_CHANNELS)
    sr: np.ndarray = _parameter(-1, FIELD_CHANNELS, minimum=0)
    hum: np.ndarray = _parameter(-1, LINES, minimum=0)

    def __post_init__(self):
        super().__post_init__()
        if len(self.voltage) < 2 or (np.diff(self.voltage) <= 0).any():
            raise MagBridgeError(f"anchor voltages {self.voltage.tolist()} V: expected at least two, ascending")
        for field in dataclasses.fields(self):
            if len(getattr(self, field.name)) != len(self.voltage):
                raise MagBridgeError(
                    f"simulation parameter {field.name!r} has {len(getattr(self, field.name))} rows: "
                    f"expected one for each of the {len(self.voltage)} anchor voltages"
                )

    def at(self, voltage: float) -> dict[str, np.ndarray]:
        """Every parameter at one voltage, linear between the anchors.

        Raises:
            MagBridgeError: The voltage is outside the anchors' range, or not a number.
        """
        low, high = self.voltage[0], self.voltage[-1]
        if not low <= voltage <= high:
            raise MagBridgeError(f"voltage {voltage} V: expected {low} to {high} V, the range of the fitted anchors")
        upper = min(max(1, int(np.searchsorted(self.voltage, voltage))), len(self.voltage) - 1)
        share = (voltage - self.voltage[upper - 1]) / (self.voltage[upper] - self.voltage[upper - 1])
        return {
            field.name: (1 - share) * getattr(self, field.name)[upper - 1] + share * getattr(self, field.name)[upper]
            for field in dataclasses.fields(self)
        }


@dataclass(frozen=True)
class PulseParameters(_Checked):
    """Cells, open-circuit voltage and resistances of the pulse test; the meaning of each is in the data file."""

    Q: np.ndarray = _parameter(positive=True)
    soh_mu: np.ndarray = _parameter(positive=True)
    soh_sd: np.ndarray = _parameter(positive=True)
    soh_lo: np.ndarray = _parameter(minimum=0)
    soh_hi: np.ndarray = _parameter(positive=True)
    E0: np.ndarray = _parameter(positive=True)
    A1: np.ndarray = _parameter()
    s1: np.ndarray = _parameter(positive=True)
    A2: np.ndarray = _parameter()
    s2: np.ndarray = _parameter()
    w2: np.ndarray = _parameter(positive=True)
    soc_err: np.ndarray = _parameter(minimum=0)
    ocv_noise: np.ndarray = _parameter(minimum=0)
    soh_ocv: np.ndarray = _parameter()
    R0: np.ndarray = _parameter(positive=True)
    R0_q: np.ndarray = _parameter()
    R0_s: np.ndarray = _parameter()
    R0_cv: np.ndarray = _parameter(minimum=0)
    rho_R: np.ndarray = _parameter(minimum=-1, maximum=1)
    P: np.ndarray = _parameter(positive=True)
    P_cv: np.ndarray = _parameter(minimum=0)
    rho_P: np.ndarray = _parameter(minimum=-1, maximum=1)
    rho_RP: np.ndarray = _parameter(minimum=-1, maximum=1)
    P_lo: np.ndarray = _parameter()
    P_lo_s: np.ndarray = _parameter(positive=True)
    kdir: np.ndarray = _parameter()
    kdir_s: np.ndarray = _parameter()
    kbv: np.ndarray = _parameter()
    kbv_I: np.ndarray = _parameter()
    Rs: np.ndarray = _parameter(minimum=0)
    Rs_lo: np.ndarray = _parameter()
    off: np.ndarray = _parameter(minimum=0, maximum=1)
    h: np.ndarray = _parameter()
    hlo: np.ndarray = _parameter()
    res_R: np.ndarray = _parameter(minimum=0)
    noise: np.ndarray = _parameter(minimum=0)

    def __post_init__(self):
        super().__post_init__()
        if not self.soh_lo < self.soh_mu < self.soh_hi:
            raise MagBridgeError(
                f"SOH bounds {self.soh_lo:g} and {self.soh_hi:g}: expected soh_lo < soh_mu ({self.soh_mu:g}) < soh_hi"
            )
        if np.linalg.eigvalsh(self.correlation).min() <= 0:
            raise MagBridgeError(
                f"correlations rho_R {self.rho_R:g}, rho_P {self.rho_P:g}, rho_RP {self.rho_RP:g}: "
                "no three variables can have them; expected a positive definite matrix"
            )

    @property
    def correlation(self) -> np.ndarray:
        """(3, 3) correlation matrix of SOH, ohmic resistance and polarisation over cells."""
        return np.array([[1, self.rho_R, self.rho_P], [self.rho_R, 1, self.rho_RP], [self.rho_P, self.rho_RP, 1]])


@dataclass(frozen=True)
class SimulationParameters:
    """Everything the simulated upstream is made from."""

    scan: ScanParameters
    anchors: AnchorParameters
    pulse_table: PulseParameters


def load_parameters(path: Path = PARAMETER_FILE) -> SimulationParameters:
    """Read a parameter file.

    Args:
        path: JSON with the groups `scan`, `anchors` and `pulse_table`; each parameter is an object
            with `value`, `unit` and `meaning`.

    Raises:
        MagBridgeError: Not JSON, a group or parameter is missing or unknown, or a value has another
            unit, shape or range than declared.
    """
    document, packaged = read_json(Path(path)), read_json(PARAMETER_FILE)
    kinds = {"scan": ScanParameters, "anchors": AnchorParameters, "pulse_table": PulseParameters}
    _same_keys(document, {"about", *kinds}, f"{path}")
    groups = {}
    for group, kind in kinds.items():
        _same_keys(document[group], {field.name for field in dataclasses.fields(kind)}, f"{path}, group {group!r}")
        for name, entry in document[group].items():
            _same_keys(entry, {"value", "unit", "meaning"}, f"{path}, parameter {group}.{name}")
            unit = packaged[group][name]["unit"]
            if entry["unit"] != unit:
                raise MagBridgeError(f"{path}, parameter {group}.{name} has unit {entry['unit']!r}: expected {unit!r}")
        groups[group] = kind(**{name: entry["value"] for name, entry in document[group].items()})
    return SimulationParameters(**groups)


def _same_keys(found, expected: set[str], where: str) -> None:
    if not isinstance(found, dict):
        raise MagBridgeError(f"{where}: expected an object with the keys {', '.join(sorted(expected))}")
    for kind, names in (("missing", expected - found.keys()), ("unknown", found.keys() - expected)):
        if names:
            raise MagBridgeError(
                f"{where}: {kind} key {sorted(names)[0]!r}; expected exactly {', '.join(sorted(expected))}"
            )


def _checked(field: dataclasses.Field, value) -> np.ndarray:
    rule = field.metadata
    try:
        array = np.array(value)
    except ValueError as error:  # ragged lists
        raise MagBridgeError(f"simulation parameter {field.name!r} is {value!r}: expected a full array") from error
    if array.dtype.kind not in "iuf":
        raise MagBridgeError(f"simulation parameter {field.name!r} is {value!r}: expected numbers")
    array = array.astype(float)
    shape = rule["shape"]
    if array.ndim != len(shape) or any(want not in (-1, got) for want, got in zip(shape, array.shape)):
        raise MagBridgeError(
            f"simulation parameter {field.name!r} has shape {array.shape}: expected "
            f"{tuple('anchors' if n == -1 else n for n in shape)}"
        )
    if not (np.abs(array) <= LARGEST).all():
        raise MagBridgeError(
            f"simulation parameter {field.name!r} holds NaN, infinity or a number beyond {LARGEST:g}: expected finite "
            "numbers"
        )
    low, high = rule["minimum"], rule["maximum"]
    if (array < low).any() or (array > high).any() or (rule["positive"] and (array <= 0).any()):
        bound = "above 0" if rule["positive"] else f"from {low:g} to {high:g}"
        raise MagBridgeError(f"simulation parameter {field.name!r} is {array.tolist()}: expected {bound}")
    array.flags.writeable = False
    return array
