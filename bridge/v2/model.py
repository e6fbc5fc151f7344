"""The scan map: v2's model of an archive's scans, as plain arrays that can be hashed and shipped."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.v2.covariance import BINS
from bridge.v2.lines import LINES
from dataset_card.contract.schema import CHANNELS, MEASURED_CHANNELS, T
from dataset_card.errors import MagBridgeError
from dataset_card.storage.archives import read_npz
from dataset_card.storage.files import replacing

EDGE = 4
"""Number of steps of the start transient and of the end transient."""

MAX_BYTES = 64 * 2**20
"""Largest permitted unpacked size of a file; a map of five anchors takes half a megabyte."""


def _array(*shape: int | str):
    """Declare an array by its shape; A is the number of anchors, K the number of polynomials."""
    return dataclasses.field(metadata={"shape": shape})


@dataclass(frozen=True)
class ScanMap:
    """A fitted scan map: float64 arrays for A anchors, K polynomials and the channels Y1, Z1, Y2, Z2, in nT.

    Attributes:
        voltages: (A,) anchor voltages in V, ascending.
        positions: () number P of lateral positions of the archive.
        mean: (A, T, 6) mean trajectories of all channels: the noise-free replicas.
        polynomials: (K, K + 1) coefficients of phi_k in powers of u, which runs from -1 to 1 over the positions.
        beta: (A, K, T, 4) trajectories weighted by the polynomials.
        offset_root: (A, 4, 4) transported roots of the offsets' covariance.
        line_frequency: (2,) frequencies of the mains lines in 1 / step; a line that was not found has no amplitude.
        line_spread: (2,) population standard deviations of these frequencies over scans, in 1 / step.
        line_root: (A, 2, 2, 4, 4) transported roots of the lines' covariance: anchor, line, real and imaginary part.
        noise_root: (A, 2, 4, 4, 129) transported roots of the noise spectrum, frequency last.
        start: (4, 4) mean height of the start transient, step by channel.
        end: (4,) mean height of the end transient.
        onset: (4,) probability that the end transient has begun, at each of the last steps.
        unseen: (A, 2) mean square of the field that Y and Z of each sensor do not see, in nT^2.
        unseen_shape: (T, 2) course of this mean square along the scan, with mean 1, pooled over anchors.
        sheet: () 1 if the field of the nominal sheet was subtracted from the scans before the fit, else 0.
        scale: (A, T, 4) factor of the fluctuation; 1 unless published statistics are imposed.
    """

    voltages: np.ndarray = _array("A")
    positions: np.ndarray = _array()
    mean: np.ndarray = _array("A", T, len(CHANNELS))
    polynomials: np.ndarray = _array("K", "K+1")
    beta: np.ndarray = _array("A", "K", T, MEASURED_CHANNELS)
    offset_root: np.ndarray = _array("A", MEASURED_CHANNELS, MEASURED_CHANNELS)
    line_frequency: np.ndarray = _array(LINES)
    line_spread: np.ndarray = _array(LINES)
    line_root: np.ndarray = _array("A", LINES, 2, MEASURED_CHANNELS, MEASURED_CHANNELS)
    noise_root: np.ndarray = _array("A", 2, MEASURED_CHANNELS, MEASURED_CHANNELS, BINS)
    start: np.ndarray = _array(EDGE, MEASURED_CHANNELS)
    end: np.ndarray = _array(MEASURED_CHANNELS)
    onset: np.ndarray = _array(EDGE)
    unseen: np.ndarray = _array("A", 2)
    unseen_shape: np.ndarray = _array(T, 2)
    sheet: np.ndarray = _array()
    scale: np.ndarray = _array("A", T, MEASURED_CHANNELS)

    def __post_init__(self):
        lengths = {"A": len(np.atleast_1d(self.voltages)), "K": len(np.atleast_1d(self.polynomials))}
        lengths["K+1"] = lengths["K"] + 1
        for field in dataclasses.fields(self):
            array = np.asarray(getattr(self, field.name))
            shape = tuple(lengths.get(n, n) for n in field.metadata["shape"])
            if array.dtype != np.float64 or array.shape != shape:
                found = f"{array.dtype} of shape {array.shape}"
                raise MagBridgeError(f"scan map: {field.name!r} is {found}; expected float64 of {shape}")
            if not np.isfinite(array).all():
                raise MagBridgeError(f"scan map: {field.name!r} contains NaN or infinity; expected finite numbers")
            array = np.ascontiguousarray(array).reshape(shape)
            array.flags.writeable = False
            object.__setattr__(self, field.name, array)
        if lengths["A"] < 2 or (np.diff(self.voltages) <= 0).any():
            raise MagBridgeError(f"scan map: anchors {self.voltages.tolist()} V; expected at least two, ascending")
        if self.sheet not in (0, 1) or (self.unseen < 0).any() or (self.unseen_shape < 0).any():
            raise MagBridgeError("scan map: 'sheet' is not 0 or 1, or a mean square is negative; expected a fitted map")
        if not 2 <= self.positions == int(self.positions):
            raise MagBridgeError(f"scan map: {self.positions:g} positions; expected an integer of at least 2")

    @property
    def sha256(self) -> str:
        """SHA-256 of the names, shapes and bytes of all arrays, in hex."""
        digest = hashlib.sha256()
        for field in dataclasses.fields(self):
            array = getattr(self, field.name)
            digest.update(f"{field.name}{array.shape}".encode())
            digest.update(array.astype("<f8").tobytes())
        return digest.hexdigest()

    def save(self, path: Path | str) -> None:
        """Write the map to one npz file, replacing any existing file."""
        with replacing(Path(path)) as partial, open(partial, "wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)})

    @classmethod
    def load(cls, path: Path | str, sha256: str | None = None) -> ScanMap:
        """Read a map that `save` wrote; pickled contents are refused.

        Args:
            path: The npz file.
            sha256: The map's expected SHA-256, or None to accept any.

        Raises:
            MagBridgeError: If the file is not a map or is too large; if an array is missing, has another shape or is
                not finite; or if the SHA-256 differs.
        """
        shapes = {
            field.name: tuple(n if isinstance(n, int) else None for n in field.metadata["shape"])
            for field in dataclasses.fields(cls)
        }
        arrays = read_npz(Path(path), shapes, MAX_BYTES)
        try:
            scan_map = cls(**arrays)
        except MagBridgeError as error:
            raise MagBridgeError(f"{path}: {error}") from error
        if sha256 is not None and scan_map.sha256 != sha256:
            raise MagBridgeError(f"{path}: SHA-256 {scan_map.sha256} of its arrays; expected {sha256}")
        return scan_map


def evaluate_polynomials(coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Evaluate phi_k at places u by Horner's rule, element by element; return (len(u), K)."""
    out = np.zeros((len(u), len(coefficients)))
    for power in range(coefficients.shape[1] - 1, -1, -1):
        out = out * u[:, None] + coefficients[:, power]
    return out
