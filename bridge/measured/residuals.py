"""Compare measured cells with a bridge: every figure of the comparison, with its null."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from bridge.errors import refusal
from bridge.measured import readers
from bridge.measured.matched import NOMINAL, Labels, Matched, Residuals, bridge_of, match
from bridge.measured.response import Slope, amplitude, response_trajectory, shuffled_soh, slope_interval, soh_slope
from bridge.v2 import BridgeV2
from dataset_card.contract.editions import MEASURED, edition_of
from dataset_card.contract.measured import SOH_MAX
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.running.templates import macros
from dataset_card.storage.arrays import signals
from dataset_card.storage.reading import one_release, read_manifest, read_table

SEED = 7
SAMPLED = 400
"""Scans of each side in the two-sample test, drawn evenly from the cells."""

FEWEST_CELLS = 5
LEAST_SOH_RANGE = 0.02
SHUFFLED_READOUTS = 5
EDGE = 4
FLOOR_LEVEL = 0.99


@dataclass(frozen=True)
class Interval:
    """A mean or a slope over cells, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Side:
    """Figures of one set of scans, measured or the bridge's own, against the bridge.

    Attributes:
        residual_nT: Root mean square residual of each channel.
        z: Mean residual of each channel in the bridge's standard deviations.
        z_rms: Root mean square of the same; 1 for scans like the bridge's.
        coverage: Share of steps inside the 90 % band, by channel and over the four measured ones (`all`).
        correlation: Greatest difference of the mean correlations between channels within a scan.
        spectrum_dB: Root mean square difference of the mean spectra, over frequencies and channels.
        auc: AUC of the two-sample test.
        slope: Response of the amplitude to SOH.
        slope_difference: Slope minus that of the bridge's draw, with its interval.
        shape: Cosine similarity of the response trajectory with the bridge's.
        within: Readout of SOH trained and tested on this set.
        from_bridge: Readout trained on the bridge's draw, tested on this set.
        to_bridge: Readout trained on this set, tested on the bridge's draw.
    """

    residual_nT: dict[str, Interval]
    z: dict[str, Interval]
    z_rms: dict[str, float]
    coverage: dict[str, Interval]
    correlation: float
    spectrum_dB: float
    auc: float
    slope: Slope
    slope_difference: Interval
    shape: float
    within: readers.Score
    from_bridge: readers.Score
    to_bridge: readers.Score


@dataclass(frozen=True)
class Comparison:
    """Measured cells compared with the bridge.

    Attributes:
        name: Name of the measured release.
        digest: Digest of its rows.
        against: Bridge version, and digest of the release that the bridge comes from.
        cells: Cells compared.
        scans: Scans compared.
        left_out: Scans that the bridge cannot generate, by reason.
        caveats: What the comparison cannot show, in sentences.
        measured: The measured scans.
        itself: A draw of the bridge in their place: the null of every figure.
        generated_slope: Response of the draw that both are compared with.
        floor: AUC of each pair of the bridge's own sets.
        shuffled: R2 of readouts of measured scans whose SOH was shuffled by cell.
        labels: Labels of the scans compared.
        matched: The draws, for figures.
        x: (n, T, 6) the scans compared, in nT.
    """

    name: str
    digest: str
    against: str
    cells: int
    scans: int
    left_out: dict[str, int]
    caveats: tuple[str, ...]
    measured: Side
    itself: Side
    generated_slope: Slope
    floor: tuple[float, ...]
    shuffled: tuple[float, ...]
    labels: Labels
    matched: Matched
    x: np.ndarray

    @property
    def floor_high(self) -> float:
        """AUC that one more pair of the bridge's own sets stays below in 99 of 100 cases, by Student's distribution."""
        pairs = len(self.floor)
        reach = stats.t.ppf(FLOOR_LEVEL, pairs - 1) * np.sqrt(1 + 1 / pairs)
        return float(np.mean(self.floor) + reach * np.std(self.floor, ddof=1))

    def verdict(self) -> list[str]:
        """Describe what the figures show, one sentence each."""
        return macros("bridge.measured", "residuals.md").verdict(self, NOMINAL).splitlines()

    def as_dict(self) -> dict:
        """Return all figures as plain values, for JSON."""
        without: Any = {"labels": None, "matched": None, "x": None}
        out = {name: value for name, value in asdict(replace(self, **without)).items() if name not in without}
        return {"schema_version": "1.0", "nominal_coverage": NOMINAL, "floor_high": self.floor_high, **out}


def compare(release: Path, against: Path, seed: int = SEED, workers: int | None = None) -> Comparison:
    """Compare a release of measured cells with the bridge of a v2 release.

    Args:
        release: Release folder of measured cells.
        against: Release folder of v2.
        seed: Seed of draws, folds and resampling.
        workers: Threads; figures do not depend on them.

    Raises:
        MagBridgeError: If these are not such releases, or the bridge can generate none of the measured scans.
    """
    with one_release(release) as folder, one_release(against) as other_folder:
        manifest, other = read_manifest(folder), read_manifest(other_folder)
        if edition_of(str(manifest.get("bridge_version"))) is not MEASURED:
            raise refusal("not_measured", release=release, version=manifest.get("bridge_version"))
        bridge, table = bridge_of(other_folder), read_table(folder)
    fields = {"cell": "battery_id", **{name: name for name in ("chemistry", "voltage", "soc", "soh")}}
    labels = Labels(**{name: np.array(table[field].to_pylist()) for name, field in fields.items()})
    x = signals(table)
    kept, left_out = _askable(labels, bridge)
    return compare_scans(
        labels.take(kept),
        x[kept],
        bridge,
        seed=seed,
        workers=workers,
        name=str(manifest["name"]),
        digest=manifest["dataset_digest"],
        against=f"{other['bridge_version']}, digest {other['dataset_digest'][:12]}",
        left_out=left_out,
        derived=tuple(c for c in CHANNELS[4:] if c not in manifest.get("config", {}).get("channels", {})),
        notes=tuple(manifest.get("notes", ())),
    )


def _askable(labels: Labels, bridge: BridgeV2) -> tuple[np.ndarray, dict[str, int]]:
    """Return the scans that the bridge can generate, and the number of the others by reason."""
    low, high = bridge.scan_map.voltages[[0, -1]].tolist()
    outside = (labels.voltage < low) | (labels.voltage > high)
    above = ~outside & (labels.soh > SOH_MAX)
    reasons = {f"voltage outside {low:g} to {high:g} V": int(outside.sum()), f"SOH above {SOH_MAX:g}": int(above.sum())}
    return np.flatnonzero(~outside & ~above), {reason: n for reason, n in reasons.items() if n}


def compare_scans(
    labels: Labels,
    x: np.ndarray,
    bridge: BridgeV2,
    *,
    seed: int = SEED,
    workers: int | None = None,
    name: str = "scans",
    digest: str = "",
    against: str = "",
    left_out: dict[str, int] | None = None,
    derived: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Comparison:
    """Compare labelled scans (n, T, 6) in nT with a bridge; the other arguments are as in `Comparison`.

    Raises:
        MagBridgeError: If there are too few cells, or their SOH does not differ.
    """
    cells = np.unique(labels.cell)
    spread = float(np.ptp(labels.soh)) if len(labels) else 0.0
    if len(cells) < FEWEST_CELLS or spread < LEAST_SOH_RANGE:
        least = {"least": FEWEST_CELLS, "range": LEAST_SOH_RANGE}
        said = {"name": name, "cells": len(cells), "spread": spread, "left_out": left_out or "none"}
        raise refusal("few_to_compare", **said, **least)
    rng = np.random.default_rng(seed)
    each = max(1, SAMPLED // len(cells))
    sampled = np.sort(np.concatenate([rng.permutation(np.flatnonzero(labels.cell == c))[:each] for c in cells]))
    matched = match(bridge, labels, x, sampled, seed, workers)
    reference = soh_slope(amplitude(matched.generated, labels.chemistry), labels, seed)
    floor = tuple(
        readers.auc(readers.features(a), readers.features(b), labels.cell[sampled], seed) for a, b in matched.pairs
    )
    cosines = readers.cosines(x)
    shuffled = tuple(
        readers.within(cosines, soh, labels, seed).r2 for soh in shuffled_soh(labels, rng, SHUFFLED_READOUTS)
    )
    measured = _side(matched.measured, x, labels, matched, seed)
    itself = _side(matched.itself, matched.own, labels, matched, seed)
    left_out, others = left_out or {}, set(labels.chemistry) != {"LFP"}
    words = macros("bridge.measured", "residuals.md").caveats(len(cells), labels.soh, others, derived, left_out)
    caveats = (*words.splitlines(), *(note for note in notes if "resampled" in note))
    about = (name, digest, against, len(cells), len(x), left_out, caveats)
    return Comparison(*about, measured, itself, reference, floor, shuffled, labels, matched, x)


def _side(found: Residuals, x: np.ndarray, labels: Labels, matched: Matched, seed: int) -> Side:
    names, of_cell = np.unique(labels.cell, return_inverse=True)

    def mean(values: np.ndarray) -> dict[str, Interval]:
        return {c: over_cells(values[:, i], of_cell, len(names)) for i, c in enumerate(CHANNELS)}

    relative, of_reference = (amplitude(signals, labels.chemistry) for signals in (x, matched.generated))
    own, theirs = (response_trajectory(signals, labels).ravel() for signals in (x, matched.generated))
    cosines, of_bridge = readers.cosines(x), readers.cosines(matched.generated)
    rows, soh = matched.sampled, labels.soh
    own_features, its_features = (readers.features(scans[rows]) for scans in (x, matched.generated))
    of_all = over_cells(found.coverage[:, :4].mean(axis=1), of_cell, len(names))
    return Side(
        residual_nT=mean(found.rms),
        z=mean(found.z),
        z_rms={c: float(np.sqrt(found.z_square[:, i].mean())) for i, c in enumerate(CHANNELS)},
        coverage=mean(found.coverage) | {"all": of_all},
        correlation=float(np.abs(correlations(x) - correlations(matched.generated)).max()),
        spectrum_dB=float(np.sqrt(((spectra(x) - spectra(matched.generated)) ** 2).mean())),
        auc=readers.auc(own_features, its_features, labels.cell[rows], seed),
        slope=soh_slope(relative, labels, seed),
        slope_difference=Interval(*slope_interval(relative - of_reference, labels)),
        shape=float(own @ theirs / (np.linalg.norm(own) * np.linalg.norm(theirs) + 1e-300)),
        within=readers.within(cosines, soh, labels, seed),
        from_bridge=readers.across(of_bridge, cosines, soh),
        to_bridge=readers.across(cosines, of_bridge, soh),
    )


def over_cells(values: np.ndarray, of_cell: np.ndarray, cells: int) -> Interval:
    """Return the mean over cells of their means over scans, with its interval by Student's distribution."""
    means = np.bincount(of_cell, values, cells) / np.bincount(of_cell, minlength=cells)
    mean, reach = float(means.mean()), float(stats.t.ppf(0.975, cells - 1) * means.std(ddof=1) / np.sqrt(cells))
    return Interval(mean, mean - reach, mean + reach)


def correlations(x: np.ndarray) -> np.ndarray:
    """Return the mean over scans of the six correlations between measured channels within a scan, (6,)."""
    inner = x[:, EDGE : T - EDGE, :4]
    inner = inner - inner.mean(axis=1, keepdims=True)
    unit = inner / np.maximum(np.linalg.norm(inner, axis=1, keepdims=True), 1e-12)
    return np.einsum("ntc,ntd->cd", unit, unit)[np.triu_indices(4, 1)] / len(x)


def spectra(x: np.ndarray) -> np.ndarray:
    """Return the mean power spectra (frequencies, 4) of the measured channels, inner steps, in dB of nT^2 per bin."""
    inner = x[:, EDGE : T - EDGE, :4]
    inner = (inner - inner.mean(axis=1, keepdims=True)) * np.hanning(T - 2 * EDGE)[:, None]
    return 10 * np.log10((np.abs(np.fft.rfft(inner, axis=1)[:, 1:]) ** 2).mean(axis=0) + 1e-12)
