"""How large a defect must be to be found: smallest share with 95 % power at 5 % false alarms.

For each defect, the best linear test of a known change against healthy cells (a matched filter) is fitted on one half
of the healthy virtual cells and judged on the other, where the threshold is the healthy scores' 95th percentile. Since
the change is known, the result is a lower bound: a test that must search for size and place needs a larger defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bridge.v3.cells import GRADIENT_SD, MOST_LOST, MOST_UNITS, SHARES, aged, draw_defect, scattered
from bridge.v3.experiment import Experiment
from bridge.v3.protocol import SensorArray
from bridge.v3.simulation import Case, Simulation, simulate_cases
from bridge.v3.state import DEFECTS, MAP_MODES, Mesh
from dataset_card.contract.editions import V3
from dataset_card.running.templates import macros
from dataset_card.storage.arrays import spans

POWER, FALSE_ALARMS = 0.95, 0.05
HEALTHY = 480
"""Number of healthy virtual cells, half to fit and half to judge."""
PLACES = 20
"""Number of places of each defect, drawn as for a release."""
SIZES = 9
MESH = (18, 12)
_TERMINALS, *_MAGNETICS = spans(V3).values()
CHANNELS = dict(zip(V3.channels[1:], zip(_MAGNETICS))) | {"magnetics": tuple(_MAGNETICS), "terminals": (_TERMINALS,)}
"""Blocks of readings of each channel."""
SENSORS = {24: tuple(range(24)), 6: (0, 2, 5, 18, 20, 23), 2: (8, 15)}
"""Sensors of the 6 x 4 array that are read: all, six around the rim, or two near the middle."""
SEED = 0


@dataclass(frozen=True)
class Detection:
    """The smallest share of one defect that one channel finds.

    Attributes:
        defect: Class.
        channel: One of `CHANNELS`: the field under load, at rest, in the scan, all of these, or only the voltage.
        distance_mm: Distance of the sensors from the surface.
        noise_nT: White noise of a field reading.
        sensors: Number of sensors read, a key of `SENSORS`; fewer than all only for `magnetics`.
        share: The smallest share found; None if not even the largest is found, the smallest tried if all are found.
        largest, power: Largest share tried, and the fraction of its cells that are found.
    """

    defect: str
    channel: str
    distance_mm: float
    noise_nT: float
    sensors: int
    share: float | None
    largest: float
    power: float

    def text(self) -> str:
        """Format the share for people."""
        return f"{self.power:.0%} of {self.largest:.3g}" if self.share is None else f"{self.share:.2g}"


def detect(plan: Experiment, distances_mm: Sequence[float], noises_nT: Sequence[float]) -> list[Detection]:
    """Find the smallest detectable share of every defect by channel, distance and noise.

    Args:
        plan: Cell, protocol and noise; charge is known to .005, and ageing is drawn as for a release.
        distances_mm: Distances of a grid of 24 sensors from the surface.
        noises_nT: White noise levels of a field reading.
    """
    arrays = [SensorArray.grid(plan.cell, distance_mm=distance) for distance in distances_mm]
    array = SensorArray(np.concatenate([one.position_mm for one in arrays]))
    mesh = Mesh.uniform(plan.cell, *MESH)
    cases = [replace(_healthy(plan, arrays, np.random.default_rng([SEED, k])), mesh=mesh) for k in range(HEALTHY)]
    healthy = _features(simulate_cases(cases, array, plan.protocol, uniform_foils=True), len(arrays))
    shares, changes = zip(*(_changes(kind, plan, array, mesh, len(arrays)) for kind in DEFECTS[1:]), strict=True)
    found = []
    for d, distance in enumerate(distances_mm):
        rng = np.random.default_rng([SEED, HEALTHY])
        gained = _with_gains(healthy[:, d], plan, rng)
        noise = rng.standard_normal(gained.shape)
        for sd in noises_nT:
            scale = np.concatenate([np.full(33, plan.noise.voltage_V), np.full(648, sd)])
            parts = gained / scale, noise, np.stack([change[..., d, :] for change in changes]) / scale
            for channel, blocks in CHANNELS.items():
                for count, kept in SENSORS.items() if channel == "magnetics" else [(len(SENSORS[24]), SENSORS[24])]:
                    power = _power(*parts, [_columns(block, kept) for block in blocks])
                    for kind, own, reached in zip(DEFECTS[1:], shares, power, strict=True):
                        smallest, most = _smallest(own, reached), float(reached[-1])
                        found.append(Detection(kind, channel, distance, sd, count, smallest, float(own[-1]), most))
    return found


def _columns(block: slice, kept: Sequence[int]) -> np.ndarray:
    """Return the columns of a block that the given sensors read."""
    every = np.arange(block.start, block.stop)
    return every if block.stop <= 33 else every.reshape(-1, 24, 3)[:, list(kept)].ravel()


def _healthy(plan: Experiment, arrays: Sequence[SensorArray], rng: np.random.Generator) -> Case:
    """Draw a healthy cell of the design at some age, with all arrays misplaced alike; each array is read separately."""
    loss, grow = rng.random(5), rng.standard_normal(9)
    units = rng.standard_normal((4, max(plan.cell.units, MOST_UNITS)))[:, : plan.cell.units]
    placement = plan.noise.place(rng, arrays[0])
    soc = float(np.clip(plan.state.soc + 0.005 * grow[0], 0, 1))
    return Case(
        plan.cell,
        aged(soc, loss * MOST_LOST, grow[1:3] * GRADIENT_SD),
        variation=scattered(grow[3:], rng.standard_normal((5, *MAP_MODES)), units),
        placement=replace(placement, error_mm=np.tile(placement.error_mm, (len(arrays), 1))),
    )


def _features(found: list[Simulation], blocks: int) -> np.ndarray:
    """Return (n, blocks, 681) voltage in V, load, rest and scan in nT of each simulation and block of sensors."""

    rows = []
    for one in found:
        fields = 1e9 * one.fields_T.reshape(9, blocks, -1).swapaxes(0, 1).reshape(blocks, -1)
        rows.append(np.concatenate([np.tile(one.voltage_V, (blocks, 1)), fields], axis=1))
    return np.array(rows)


def _with_gains(values: np.ndarray, plan: Experiment, rng: np.random.Generator) -> np.ndarray:
    """Apply calibration errors of each cell's array, the same under load, at rest and in the scan."""
    gain = 1 + plan.noise.gain_common * rng.standard_normal((len(values), 1))
    gain = gain + plan.noise.gain_channel * rng.standard_normal((len(values), 72))
    return values * np.concatenate([np.ones((len(values), 33)), np.tile(gain, 9)], axis=1)


def _changes(kind: str, plan: Experiment, array: SensorArray, mesh: Mesh, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Simulate the changes (SIZES, PLACES, blocks, 681) by defects; return the shares (SIZES,) and the changes."""
    low, high = SHARES[kind]
    shares = np.geomspace(low / 30, min(high, 1.0), SIZES)
    state = replace(plan.state, lli=max(plan.state.lli, 0.1), lam_pe=max(plan.state.lam_pe, 0.07))
    cases = []
    for place in range(PLACES):
        drawn = draw_defect(kind, plan.cell, np.random.default_rng([SEED, place]))
        own = mesh.through(*drawn.line) if kind == "tear" else mesh
        cases.append(Case(plan.cell, state, mesh=own))
        for share in shares.tolist():
            defect = replace(drawn.defect, share=share, length=max(drawn.defect.length, share))
            cases.append(Case(plan.cell, state, defect, mesh=own))
    features = _features(simulate_cases(cases, array, plan.protocol), blocks)
    features = features.reshape(PLACES, 1 + SIZES, blocks, -1)
    return shares, np.moveaxis(features[:, 1:] - features[:, :1], 0, 1)


def _power(healthy: np.ndarray, noise: np.ndarray, changes: np.ndarray, blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Compute the share (...,) of cells with changes (..., PLACES, 681) that the filters find, in units of the noise.

    Each block of readings has its own filter; the scores are added, weighted by shift over variance.
    """
    half = len(healthy) // 2
    power = np.zeros(changes.shape[:-2])
    for fit, judge in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
        score, shift = np.zeros((half, changes[..., 0].size)), np.zeros(changes[..., 0].size)
        for block in blocks:
            own, change = healthy[fit, block], changes[..., block].reshape(len(shift), -1)
            # Invert white noise plus variation of healthy cells through the directions that the cells span (Woodbury).
            _, s, vt = np.linalg.svd((own - own.mean(axis=0)) / np.sqrt(half - 1), full_matrices=False)
            filters = change - (change @ vt.T * (s**2 / (1 + s**2))) @ vt
            part = (healthy[judge, block] + noise[judge, block] - own.mean(axis=0)) @ filters.T
            moved = (filters * change).sum(axis=1)
            weight = moved / np.maximum(part.var(axis=0), 1e-30)  # zero for a block that the change does not affect
            score += part * weight
            shift += moved * weight
        found = score + shift > np.quantile(score, 1 - FALSE_ALARMS, axis=0)
        # A defect that changes no reading is found as often as a healthy cell.
        rate = np.where(shift > 0, found.mean(axis=0), FALSE_ALARMS)
        power += rate.reshape(changes.shape[:-1]).mean(axis=-1) / 2
    return power


def _smallest(shares: np.ndarray, power: np.ndarray) -> float | None:
    """Return the share above which the power stays at `POWER`, interpolated in the logarithm of the share."""
    k = int(np.flatnonzero(np.append(True, power < POWER))[-1])
    if k in (0, len(shares)):
        return None if k else float(shares[0])
    part = (POWER - power[k - 1]) / (power[k] - power[k - 1])
    return float(np.exp(np.log(shares[k - 1]) + part * np.log(shares[k] / shares[k - 1])))


def table(found: list[Detection], distance_mm: float, noise_nT: float) -> str:
    """Format the smallest shares by defect and channel, and by sensors read, at one distance and noise."""
    here = [one for one in found if (one.distance_mm, one.noise_nT) == (distance_mm, noise_nT)]
    own = {(one.defect, one.channel, one.sensors): one for one in here}
    columns = {channel: (channel, 24) for channel in CHANNELS}
    columns |= {f"{count} sensors": ("magnetics", count) for count in SENSORS if count < 24}
    head = {"power": f"{POWER:.0%}", "alarms": f"{FALSE_ALARMS:.0%}", "distance": distance_mm, "noise": 1e3 * noise_nT}
    return macros("bridge.v3", "tables.txt").detections(head, columns, DEFECTS[1:], own).rstrip("\n")
