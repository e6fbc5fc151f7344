"""The response of scan morphology to SOH: a slope with its interval by cell, and its null."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bridge.errors import refusal
from bridge.measured.matched import Labels
from dataset_card.contract.schema import MEASURED_CHANNELS, T

EDGE = 4
"""Steps at each end that the acquisition disturbs; they are not used."""

SHUFFLES = 999
FOUND_BELOW = 0.01
"""A response is found if fewer than this share of shuffles by cell have as steep a slope."""

LEVEL = 0.95


@dataclass(frozen=True)
class Slope:
    """A slope on SOH.

    Attributes:
        value: Change of relative amplitude per unit of SOH; positive if the signal shrinks with ageing.
        low: Lower end of its 95 % interval by cell.
        high: Upper end.
        p: Share of shuffles of SOH over cells with as steep a slope.
    """

    value: float
    low: float
    high: float
    p: float

    @property
    def found(self) -> bool:
        """Whether there is a response."""
        return self.p < FOUND_BELOW


def amplitude(signals: np.ndarray, chemistry: np.ndarray) -> np.ndarray:
    """Return the relative amplitude (n,): each scan's shape projected on its chemistry's mean shape, 1 on average.

    The shape is Y and Z of both sensors over the inner steps, each channel minus its own mean. As it is relative to the
    set's own shape, the amplitude means the same whatever the geometry of the scan.
    """
    x = _shape(signals)
    out = np.empty(len(x))
    for name in np.unique(chemistry):
        rows = chemistry == name
        mean = x[rows].mean(axis=0)
        out[rows] = x[rows] @ mean / (mean @ mean)
    return out


def _shape(signals: np.ndarray) -> np.ndarray:
    x = signals[:, EDGE : T - EDGE, :MEASURED_CHANNELS]
    return (x - x.mean(axis=1, keepdims=True)).reshape(len(x), -1)


def design(labels: Labels) -> np.ndarray:
    """Return a basis (n, k) of what a scan's amplitude depends on besides SOH: chemistry, voltage and SOC, smoothly."""
    voltage = labels.voltage - labels.voltage.mean()
    soc = (labels.soc - labels.soc.mean()) / 50
    columns = [(labels.chemistry == name).astype(float) for name in np.unique(labels.chemistry)]
    for values, degree in ((voltage / max(np.ptp(voltage), 1e-9), 3), (soc, 2)):
        columns += [values**k for k in range(1, degree + 1)]
    q, r = np.linalg.qr(np.stack(columns, axis=1))
    return q[:, np.abs(np.diag(r)) > 1e-9 * np.abs(r).max()]


def soh_slope(y: np.ndarray, labels: Labels, seed: int) -> Slope:
    """Return the slope of y on SOH at equal chemistry, voltage and SOC, with its interval by cell and its null.

    Args:
        y: (n,) quantity that may depend on SOH.
        labels: Labels of the n scans.
        seed: Seed of the shuffles.

    Raises:
        MagBridgeError: As for `slope_interval`.
    """
    slope = slope_interval(y, labels)
    return Slope(*slope, p=_shuffled(y, labels, slope[0], np.random.default_rng(seed)))


def slope_interval(y: np.ndarray, labels: Labels) -> tuple[float, float, float]:
    """Return the slope of y on SOH at equal chemistry, voltage and SOC, and its 95 % interval by cell.

    Scans of a cell may be correlated in any way. The variance is the cluster-robust one, unbiased (CR2) if cells differ
    as much as scans of one cell do, with Bell and McCaffrey's degrees of freedom, after Pustejovsky and Tipton (2018,
    doi:10.1080/07350015.2016.1247004). Percentiles of resampled cells are too narrow: with 5 to 50 cells they covered
    92 to 94 %.

    Args:
        y: (n,) quantity that may depend on SOH.
        labels: Labels of the n scans.

    Raises:
        MagBridgeError: If SOH is fully determined by chemistry, voltage and SOC.
    """
    basis, of_cell = design(labels), np.unique(labels.cell, return_inverse=True)[1]
    soh = labels.soh - basis @ (basis.T @ labels.soh)
    norm = float(soh @ soh)
    if norm <= 1e-9 * len(soh) * labels.soh.var():
        raise refusal("soh_follows")
    value = float(soh @ y / norm)
    rest = y - basis @ (basis.T @ y) - value * soh

    def sums(values: np.ndarray) -> np.ndarray:
        out = np.zeros((of_cell.max() + 1, *values.shape[1:]))
        np.add.at(out, of_cell, values)
        return out

    # covariance of the cells' scores if scans of a cell share nothing, and if they share everything
    square, total, mixed = sums(soh**2), sums(soh), sums(basis * soh[:, None])
    alone = np.diag(square) - mixed @ mixed.T - np.outer(square, square) / norm
    shared = np.diag(total) - mixed @ sums(basis).T - np.outer(square, total) / norm
    covariance, wanted = alone + shared @ shared.T, square + total**2
    unbiased = wanted / np.maximum(np.diag(covariance), 1e-9 * wanted.max())
    error = np.sqrt(unbiased @ sums(soh * rest) ** 2) / norm
    freedom = wanted.sum() ** 2 / (unbiased @ covariance**2 @ unbiased)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom) * error)
    return value, value - reach, value + reach


def _shuffled(y: np.ndarray, labels: Labels, value: float, rng: np.random.Generator) -> float:
    """Return the share of shuffles of cells' SOH within chemistries, including the true order, that are as steep."""
    basis = design(labels)
    rest = y - basis @ (basis.T @ y)
    steep = 1
    for soh in shuffled_soh(labels, rng, SHUFFLES):
        soh = soh - basis @ (basis.T @ soh)
        norm = soh @ soh
        steep += bool(norm <= 0 or abs(soh @ rest / norm) >= abs(value))
    return steep / (SHUFFLES + 1)


def shuffled_soh(labels: Labels, rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """Yield `count` times SOH (n,) whose means over cells are shuffled within each chemistry."""
    _, first, of_cell = np.unique(labels.cell, return_index=True, return_inverse=True)
    chemistry, mean = labels.chemistry[first], np.bincount(of_cell, labels.soh) / np.bincount(of_cell)
    alike = [np.flatnonzero(chemistry == name) for name in np.unique(chemistry)]
    within, other = labels.soh - mean[of_cell], mean.copy()
    for _ in range(count):
        for rows in alike:
            other[rows] = mean[rng.permutation(rows)]
        yield other[of_cell] + within


def response_trajectory(signals: np.ndarray, labels: Labels) -> np.ndarray:
    """Return the change (T, 4) of each step and channel in nT per unit of SOH lost.

    It is taken at equal chemistry, voltage and SOC.
    """
    basis = design(labels)
    soh = labels.soh - basis @ (basis.T @ labels.soh)
    norm = float(soh @ soh)
    x = signals[..., :MEASURED_CHANNELS].reshape(len(signals), -1)
    return -(soh @ x / norm).reshape(T, MEASURED_CHANNELS) if norm > 0 else np.zeros((T, MEASURED_CHANNELS))
