"""How the morphology of scans answers to SOH: a slope with its interval by cell, and its null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bridge.measured.matched import Labels
from dataset_card.schema import T

MEASURED = 4
EDGE = 4
"""Steps at each end that the acquisition disturbs; they are not read."""

RESAMPLES = 2000
SHUFFLES = 999
FOUND_BELOW = 0.01
"""A response is found where fewer than this share of shuffles by cell have as steep a slope."""

LEVEL = 0.95


@dataclass(frozen=True)
class Slope:
    """A slope on SOH.

    Attributes:
        value: Change of relative amplitude per unit of SOH; positive where the signal shrinks with ageing.
        low: Lower end of its 95 % interval by cell.
        high: Upper end.
        p: Share of shuffles of SOH over cells with as steep a slope.
        draws: (RESAMPLES,) slopes over resampled cells.
    """

    value: float
    low: float
    high: float
    p: float
    draws: np.ndarray

    @property
    def found(self) -> bool:
        """Whether there is a response."""
        return self.p < FOUND_BELOW


def amplitude(signals: np.ndarray, chemistry: np.ndarray) -> np.ndarray:
    """(n,) relative amplitude: projection of each scan's shape on its chemistry's mean shape, 1 on average.

    The shape is Y and Z of both sensors, inner steps, each channel less its own mean. Being relative to the set's own
    shape, it means the same whatever the geometry of the scan.
    """
    x = _shape(signals)
    out = np.empty(len(x))
    for name in np.unique(chemistry):
        rows = chemistry == name
        mean = x[rows].mean(axis=0)
        out[rows] = x[rows] @ mean / (mean @ mean)
    return out


def _shape(signals: np.ndarray) -> np.ndarray:
    x = signals[:, EDGE : T - EDGE, :MEASURED]
    return (x - x.mean(axis=1, keepdims=True)).reshape(len(x), -1)


def design(labels: Labels) -> np.ndarray:
    """(n, k) what a scan's amplitude depends on beside SOH: chemistry, voltage and SOC, smoothly."""
    voltage = labels.voltage - labels.voltage.mean()
    soc = (labels.soc - labels.soc.mean()) / 50
    columns = [(labels.chemistry == name).astype(float) for name in np.unique(labels.chemistry)]
    for values, degree in ((voltage / max(np.ptp(voltage), 1e-9), 3), (soc, 2)):
        columns += [values**k for k in range(1, degree + 1)]
    q, r = np.linalg.qr(np.stack(columns, axis=1))
    return q[:, np.abs(np.diag(r)) > 1e-9 * np.abs(r).max()]


def soh_slope(y: np.ndarray, labels: Labels, seed: int) -> Slope:
    """Slope of y on SOH at equal chemistry, voltage and SOC, with its interval over resampled cells.

    Args:
        y: (n,) what may depend on SOH.
        labels: Of the scans.
        seed: Of resampling and shuffling.
    """
    rng = np.random.default_rng(seed)
    cells, of_cell = np.unique(labels.cell, return_inverse=True)
    basis = design(labels)
    x = np.column_stack([basis, labels.soh - labels.soh.mean()])
    gram = np.zeros((len(cells), x.shape[1], x.shape[1]))
    moment = np.zeros((len(cells), x.shape[1]))
    np.add.at(gram, of_cell, x[:, :, None] * x[:, None, :])
    np.add.at(moment, of_cell, x * y[:, None])
    value = float(_solve(gram.sum(axis=0), moment.sum(axis=0))[-1])
    weights = rng.multinomial(len(cells), np.full(len(cells), 1 / len(cells)), RESAMPLES).astype(float)
    p = x.shape[1]
    grams = (weights @ gram.reshape(len(cells), -1)).reshape(-1, p, p)
    draws = _solve(grams, weights @ moment)[:, -1]
    # Percentiles of few resampled cells are too narrow: widened as Student's distribution is beside the normal one.
    freedom = max(len(cells) - 2, 1)
    widen = stats.t.ppf((1 + LEVEL) / 2, freedom) / stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(len(cells) / freedom)
    draws = value + widen * (draws - value)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Slope(value, float(low), float(high), _shuffled(y, labels, basis, of_cell, value, rng), draws)


def _solve(gram: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Least squares from normal equations; a resampling without enough cells gets the least solution."""
    return (np.linalg.pinv(gram, hermitian=True) @ moment[..., None])[..., 0]


def _shuffled(y, labels: Labels, basis: np.ndarray, of_cell: np.ndarray, value: float, rng) -> float:
    """Share of shuffles of cells' SOH within their chemistry, the true order among them, with as steep a slope."""
    counts = np.bincount(of_cell)
    mean = np.bincount(of_cell, labels.soh) / counts
    within = labels.soh - mean[of_cell]
    first = np.unique(of_cell, return_index=True)[1]
    rest = y - basis @ (basis.T @ y)
    steep = 1
    for _ in range(SHUFFLES):
        soh = (shuffle_cells(mean, labels.chemistry[first], rng))[of_cell] + within
        soh = soh - basis @ (basis.T @ soh)
        norm = soh @ soh
        steep += norm <= 0 or abs(soh @ rest / norm) >= abs(value)
    return steep / (SHUFFLES + 1)


def shuffle_cells(values: np.ndarray, chemistry: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values of cells, shuffled within each chemistry."""
    out = values.copy()
    for name in np.unique(chemistry):
        rows = np.flatnonzero(chemistry == name)
        out[rows] = values[rng.permutation(rows)]
    return out


def response_trajectory(signals: np.ndarray, labels: Labels) -> np.ndarray:
    """(T, 4) change of each step and channel per unit of lost SOH, in nT, at equal chemistry, voltage and SOC."""
    basis = design(labels)
    soh = labels.soh - basis @ (basis.T @ labels.soh)
    norm = float(soh @ soh)
    x = signals[..., :MEASURED].reshape(len(signals), -1)
    return -(soh @ x / norm).reshape(T, MEASURED) if norm > 0 else np.zeros((T, MEASURED))
