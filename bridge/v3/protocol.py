"""The measurement: the pulse, the sensors and their placement, and the noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bridge.v3.design import Bounded, PouchCell, check_number, number
from dataset_card.errors import MagBridgeError

RELAXATION_S = (0.5, 1.931286, 7.459733, 28.813757, 111.295224)
"""Step lengths of the relaxation in s, each used four times: 600 s in geometric progression."""


@dataclass(frozen=True)
class Protocol(Bounded):
    """1 s of rest, a 30 s discharge pulse, 600 s of relaxation in 33 steps; then a scan in an applied field.

    Attributes:
        rate_C: Current of the pulse over the nominal capacity, in 1/h.
        applied_mT: Field along x during the scan.

    Raises:
        MagBridgeError: If a value is impossible.
    """

    rate_C: float = number(1.0, above=0, most=20)
    applied_mT: float = number(1.0, above=0, most=1000)

    @cached_property
    def dt_s(self) -> np.ndarray:
        """(33,) length of each step in s; 0 if the current jumps."""
        return np.concatenate([[1, 0], np.full(10, 3.0), [0], np.repeat(RELAXATION_S, 4)])

    @cached_property
    def time_s(self) -> np.ndarray:
        """(33,) time of each voltage in s."""
        return np.cumsum(self.dt_s)

    @cached_property
    def on(self) -> np.ndarray:
        """(33,) 1 while the pulse's current flows, else 0."""
        return np.concatenate([[0.0], np.ones(11), np.zeros(21)])

    load_step: int = field(default=11, init=False)
    """Number of the step of the load reading, at the pulse's end."""
    rest_steps: tuple[int, ...] = field(default=(14, 16, 18, 21, 25, 29, 32), init=False)
    """Numbers of the steps of the seven rest readings: 1, 2, 5.863, 17.185, 68.378, 266.114, 600 s after the pulse."""

    @property
    def rest_s(self) -> np.ndarray:
        """(7,) time of each reading at rest after the pulse, in s."""
        return self.time_s[list(self.rest_steps)] - self.time_s[12]


@dataclass(frozen=True)
class SensorArray:
    """Three-axis sensors at fixed places, in the cell's coordinates.

    Attributes:
        position_mm: (S, 3) positions; z is measured from the middle of the stack.
    """

    position_mm: np.ndarray

    @classmethod
    def grid(
        cls, cell: PouchCell, columns: int = 6, rows: int = 4, distance_mm: float = 10.0, *, two_sided: bool = False
    ) -> SensorArray:
        """Arrange columns x rows of sensors over the cell, x slowest, at a distance from its surface.

        Args:
            cell: The design.
            columns: Number of sensors along x.
            rows: Number of sensors along y.
            distance_mm: Distance from the cell's surface.
            two_sided: Whether to place a second, mirrored set below the cell.

        Raises:
            MagBridgeError: If a number is impossible.
        """
        for name, value in (("columns", columns), ("rows", rows)):
            if not isinstance(value, int) or not 1 <= value <= 32:
                raise MagBridgeError(f"sensor {name} {value!r}: expected a whole number from 1 to 32")
        check_number("distance_mm", distance_mm, above=0, most=1000)
        x = (np.arange(columns) + 0.5) / columns * cell.length_mm
        y = (np.arange(rows) + 0.5) / rows * cell.width_mm
        z = cell.thickness_mm / 2 + distance_mm
        above = np.array([(a, b, z) for a in x for b in y])
        return cls(np.concatenate([above, above * [1, 1, -1]]) if two_sided else above)

    def require_outside(self, cell: PouchCell, half_thicknesses: float = 1.2) -> None:
        """Raise an error if a sensor is inside the cell or too near to its middle plane.

        Args:
            cell: The design.
            half_thicknesses: Least distance from the middle plane, in half thicknesses of the stack.

        Raises:
            MagBridgeError: If a sensor is too near, or if a position is not finite.
        """
        position = np.asarray(self.position_mm, float)
        if position.ndim != 2 or position.shape[1] != 3 or not len(position) or not np.isfinite(position).all():
            raise MagBridgeError("sensor positions: expected (S, 3) finite numbers in mm")
        least = cell.thickness_mm / 2 * half_thicknesses
        low = np.abs(position[:, 2]) < least
        if low.any():
            k = int(np.argmax(low))
            raise MagBridgeError(
                f"sensor {k} at z = {position[k, 2]:g} mm: inside the cell or too near to it; expected at least "
                f"{least:.3g} mm from the middle of the stack"
            )


@dataclass(frozen=True)
class Placement:
    """The actual placement of an array: shifted, rotated about the cell's middle, each sensor displaced.

    Attributes:
        shift_mm: (3,) translation.
        turn_rad: (3,) rotation vector.
        error_mm: (S, 3) displacement of each sensor.
    """

    shift_mm: np.ndarray
    turn_rad: np.ndarray
    error_mm: np.ndarray

    def rotation(self) -> np.ndarray:
        """Return the (3, 3) rotation of the array and its axes (Rodrigues' formula)."""
        angle = float(np.sqrt((self.turn_rad**2).sum()))
        x, y, z = self.turn_rad
        k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        if angle < 1e-12:
            return np.eye(3) + k
        return np.eye(3) + np.sin(angle) / angle * k + (1 - np.cos(angle)) / angle**2 * _product(k, k)

    def moved(self, sensors: SensorArray, cell: PouchCell) -> np.ndarray:
        """Return the (S, 3) true positions in m."""
        middle = np.array([cell.length_mm / 2, cell.width_mm / 2, 0.0])
        position = sensors.position_mm + self.error_mm - middle
        return (_product(position, self.rotation().T) + middle + self.shift_mm) * 1e-3


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute a small matrix product whose bits do not depend on a BLAS library."""
    return (a[:, :, None] * b[None]).sum(axis=1)


@dataclass(frozen=True)
class Noise(Bounded):
    """Standard deviations of measurement errors. All are [C] unless stated otherwise.

    Attributes:
        voltage_V: White noise of each voltage.
        field_nT: White noise of each field reading; 50 pT for a fluxgate in a shield.
        flicker: 1/f noise over white noise: Ornstein-Uhlenbeck processes of 1, 10, 100 and 1,000 s in each channel.
        gain_common, gain_channel: Relative calibration error of the array and of each channel, the same under load,
            at rest and in the scan.
        dipole_Am2: Moment along each axis of a static dipole at the tabs' edge, seen in the scan.
        shift_mm, turn_rad, error_mm: Placement: translation along x, y, z; rotation about each axis; displacement of
            each sensor.

    Raises:
        MagBridgeError: If a value is negative or not a number.
    """

    voltage_V: float = number(1e-4, least=0)
    field_nT: float = number(0.05, least=0)
    flicker: float = number(0.5, least=0)
    gain_common: float = number(1e-3, least=0)
    gain_channel: float = number(2e-4, least=0)
    dipole_Am2: float = number(1e-7, least=0)
    shift_mm: tuple[float, float, float] = number((0.2, 0.2, 0.1), least=0)
    turn_rad: float = number(2e-3, least=0)
    error_mm: float = number(0.01, least=0)

    def __post_init__(self) -> None:
        if not isinstance(self.shift_mm, tuple) or len(self.shift_mm) != 3:
            raise MagBridgeError(f"shift_mm {self.shift_mm!r}: expected three numbers, along x, y and z")
        super().__post_init__()

    def place(self, rng: np.random.Generator, sensors: SensorArray) -> Placement:
        """Draw the placement of the array."""
        return Placement(
            np.array(self.shift_mm) * rng.standard_normal(3),
            self.turn_rad * rng.standard_normal(3),
            self.error_mm * rng.standard_normal(sensors.position_mm.shape),
        )
