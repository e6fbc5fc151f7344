"""The bridge's distribution for every measured scan, at the same SOH, SOC and voltage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.errors import refusal
from bridge.identity import sample_seed
from bridge.release.folder import SCAN_MAP
from bridge.v2 import BridgeV2, BridgeV2Config, ScanMap
from dataset_card.contract.editions import V2, edition_of
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.errors import MagBridgeError
from dataset_card.storage.reading import read_manifest

DRAWS = 39
"""Draws of the bridge per scan: exactly 36 / 40 = .90 of its scans lie between the second and the 38th draw."""

LOW, HIGH = 1, DRAWS - 2
NOMINAL = (HIGH - LOW) / (DRAWS + 1)
"""Share of the bridge's own scans that lie in the band."""

FLOOR_PAIRS = 8
"""Pairs of the bridge's own sets, whose difference is the floor of the two-sample test."""

EXTRA = 2 + 2 * FLOOR_PAIRS
"""Draws besides the band's: one in place of the measurements, one to compare with both, and the floor's pairs."""

CHUNK = 64
"""Scans whose draws are in memory at the same time."""


@dataclass(frozen=True)
class Labels:
    """Labels of n scans, within what the bridge can generate.

    Attributes:
        cell: (n,) names.
        chemistry: (n,) names.
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
    """

    cell: np.ndarray
    chemistry: np.ndarray
    voltage: np.ndarray
    soc: np.ndarray
    soh: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)

    def take(self, rows: np.ndarray) -> Labels:
        """Return the labels of some of the scans."""
        return Labels(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Residuals:
    """Position of a set of scans within the bridge's distributions.

    Attributes:
        z: (n, 6) mean over steps of the residual, in the bridge's standard deviations.
        z_square: (n, 6) mean over steps of its square; 1 for scans like the bridge's.
        rms: (n, 6) root mean square residual in nT.
        coverage: (n, 6) share of steps inside the bridge's 90 % band.
        by_cell: (cells, T, 6) mean residual of each cell in nT.
    """

    z: np.ndarray
    z_square: np.ndarray
    rms: np.ndarray
    coverage: np.ndarray
    by_cell: np.ndarray


@dataclass(frozen=True)
class Matched:
    """Measured scans paired with the bridge's.

    Attributes:
        measured: Residuals of the measured scans.
        itself: Residuals of a draw of the bridge in their place.
        band: (2, T, 6) lower and upper edge of the band minus its mean, averaged over scans, in nT.
        own: (n, T, 6) the draw in place of the measurements, in nT.
        generated: (n, T, 6) the draw that both are compared with, in nT.
        pairs: (FLOOR_PAIRS, 2, m, T, 6) draws at the scans `sampled`, in nT.
        sampled: (m,) rows of the scans that the two-sample test uses.
    """

    measured: Residuals
    itself: Residuals
    band: np.ndarray
    own: np.ndarray
    generated: np.ndarray
    pairs: np.ndarray
    sampled: np.ndarray


def match(
    bridge: BridgeV2, labels: Labels, signals: np.ndarray, sampled: np.ndarray, seed: int, workers: int | None = None
) -> Matched:
    """Draw the bridge at the labels of every scan.

    Draws with the same number give each measured cell one virtual cell over all its scans, as each measured cell has
    one make.

    Args:
        bridge: The bridge.
        labels: Labels of n scans, within the bridge's range.
        signals: (n, T, 6) measured scans in nT.
        sampled: Rows that the two-sample test uses.
        seed: Seed of the draws.
        workers: Threads.
    """
    n, cells = len(labels), np.unique(labels.cell)
    of_cell = np.searchsorted(cells, labels.cell)
    own, generated = np.empty_like(signals), np.empty_like(signals)
    pairs = np.empty((FLOOR_PAIRS, 2, len(sampled), T, len(CHANNELS)))
    place = np.full(n, -1)
    place[sampled] = np.arange(len(sampled))
    band = np.zeros((2, T, len(CHANNELS)))
    parts: dict[str, list] = {"measured": [], "itself": []}
    by_cell = {name: np.zeros((len(cells), T, len(CHANNELS))) for name in parts}
    for start in range(0, n, CHUNK):
        rows = np.arange(start, min(start + CHUNK, n))
        draws = _draws(bridge, labels, rows, DRAWS + 2, 0, seed, workers)
        own[rows], generated[rows], draws = draws[:, 0], draws[:, 1], draws[:, 2:]
        mean = draws.mean(axis=1)
        # A new draw's deviation from the mean of n others has 1 + 1/n times the variance of a draw.
        std = draws.std(axis=1, ddof=1) * np.sqrt(1 + 1 / DRAWS)
        ordered = np.partition(draws, (LOW, HIGH), axis=1)
        low, high = ordered[:, LOW], ordered[:, HIGH]
        band += np.stack([(low - mean).sum(axis=0), (high - mean).sum(axis=0)])
        for name, x in (("measured", signals[rows]), ("itself", own[rows])):
            residual = x - mean
            z = np.divide(residual, std, out=np.zeros_like(residual), where=std > 0)
            inside = ((x > low) & (x < high)).mean(axis=1)
            square, rms = (z**2).mean(axis=1), np.sqrt((residual**2).mean(axis=1))
            parts[name].append(np.stack([z.mean(axis=1), square, rms, inside]))
            np.add.at(by_cell[name], of_cell[rows], residual)
        kept = rows[place[rows] >= 0]
        if len(kept):
            extra = _draws(bridge, labels, kept, 2 * FLOOR_PAIRS, DRAWS + 2, seed, workers)
            pairs[:, :, place[kept]] = extra.swapaxes(0, 1).reshape(FLOOR_PAIRS, 2, len(kept), T, len(CHANNELS))
    counts = np.bincount(of_cell, minlength=len(cells))[:, None, None]
    names = ("z", "z_square", "rms", "coverage")
    measured, itself = (
        Residuals(**dict(zip(names, np.concatenate(of, axis=1))), by_cell=by_cell[name] / counts)
        for name, of in parts.items()
    )
    return Matched(measured, itself, band / n, own, generated, pairs, sampled)


def _draws(
    bridge: BridgeV2, labels: Labels, rows: np.ndarray, count: int, first: int, seed: int, workers
) -> np.ndarray:
    """Return draws (rows, count, T, 6) in nT, numbered from `first`."""
    at = np.repeat(rows, count)
    number = np.tile(np.arange(first, first + count), len(rows))
    seeds = [sample_seed(seed, "residuals", int(i), int(d), bits=63) for i, d in zip(at, number)]
    cells = [f"{labels.cell[i]}/{d}" for i, d in zip(at, number)]
    x = bridge.generate_many(labels.voltage[at], labels.soc[at], labels.soh[at], seeds, cells, workers)
    return x.reshape(len(rows), count, T, len(CHANNELS))


def bridge_of(release: Path) -> BridgeV2:
    """Return the bridge of a v2 release, from its fitted map, configuration and master seed.

    Raises:
        MagBridgeError: If the release is not of v2, or its map or configuration is damaged.
    """
    release = Path(release)
    manifest = read_manifest(release)
    version = str(manifest.get("bridge_version"))
    if edition_of(version) is not V2:
        raise refusal("no_bridge", release=release, version=version)
    path = release / SCAN_MAP
    if not path.is_file():
        raise refusal("no_map", path=path)
    try:
        config = BridgeV2Config.of(manifest["config"])
    except (KeyError, AttributeError, TypeError) as error:
        raise MagBridgeError(f"{release}: its manifest has no v2 configuration ({error}); restore it") from error
    if config.hash() != manifest.get("bridge_config_hash"):
        raise refusal("other_config", release=release, found=config.hash(), stated=manifest.get("bridge_config_hash"))
    return BridgeV2(None, config, ScanMap.load(path), int(manifest["master_seed"]))
