"""How large a defect must be to be found: smallest share with 95 % power at 5 % false alarms.

For each defect the best linear test of a known change against healthy cells (a matched filter) is fitted on one half of
healthy virtual cells and judged on the other: thresholds are the healthy scores' 95th percentile there. Knowing the
change makes it a bound: a test that must search for size and place needs more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bridge.v3.cells import MOST_UNITS, UNIT_SD
from bridge.v3.defects import SHARES, draw_defect
from bridge.v3.experiment import Experiment
from bridge.v3.protocol import SensorArray
from bridge.v3.simulation import Case, Simulation, simulate_cases
from bridge.v3.state import DEFECTS, MAP_MODES, CellState, Mesh, Variation

POWER, FALSE_ALARMS = 0.95, 0.05
HEALTHY = 240
"""Healthy virtual cells, half to fit and half to judge."""
PLACES = 5
"""Places of each defect, drawn as the dataset draws them."""
SIZES = 9
MESH = (18, 12)
_LOAD, _REST, _SCAN = slice(33, 105), slice(105, 609), slice(609, 681)
CHANNELS = {
    "load": (_LOAD,),
    "rest": (_REST,),
    "scan": (_SCAN,),
    "magnetics": (_LOAD, _REST, _SCAN),
    "terminals": (slice(0, 33),),
}
"""Blocks of readings of each channel."""
SEED = 0


@dataclass(frozen=True)
class Detection:
    """The smallest share of one defect that one channel finds.

    Attributes:
        defect: Class.
        channel: One of `CHANNELS`: the field under load, at rest, in the scan, all of these, or the voltage alone.
        distance_mm: Of the sensors from the surface.
        noise_nT: White noise of a field reading.
        share: None where not even the largest is found; the smallest tried where that is found already.
        largest, power: Largest share tried, and how many of its cells are found.
    """

    defect: str
    channel: str
    distance_mm: float
    noise_nT: float
    share: float | None
    largest: float
    power: float

    def text(self) -> str:
        """The share for people."""
        return f"{self.power:.0%} of {self.largest:.3g}" if self.share is None else f"{self.share:.3g}"


def detect(plan: Experiment, distances_mm: Sequence[float], noises_nT: Sequence[float]) -> list[Detection]:
    """Smallest detectable shares of every defect by channel, distance and noise.

    Args:
        plan: Cell, protocol and noise; charge is known to .005, ageing is drawn as in the dataset.
        distances_mm: Of a grid of 24 sensors from the surface.
        noises_nT: White noise of a field reading.
    """
    arrays = [SensorArray.grid(plan.cell, distance_mm=distance) for distance in distances_mm]
    array = SensorArray(np.concatenate([one.position_mm for one in arrays]))
    rng = np.random.default_rng(SEED)
    mesh = Mesh.uniform(plan.cell, *MESH)
    cases = [replace(_healthy(plan, array, rng), mesh=mesh) for _ in range(HEALTHY)]
    healthy = _features(simulate_cases(cases, array, plan.protocol, uniform_foils=True), len(arrays))
    healthy = _with_gains(healthy, plan, rng)
    noise = rng.standard_normal(healthy.shape)
    found = []
    for kind in DEFECTS[1:]:
        shares, changes = _changes(kind, plan, array, mesh, len(arrays))
        for d, distance in enumerate(distances_mm):
            for sd in noises_nT:
                scale = np.concatenate([np.full(33, plan.noise.voltage_V), np.full(648, sd)])
                parts = healthy[:, d] / scale, noise[:, d], changes[..., d, :] / scale
                for channel, blocks in CHANNELS.items():
                    power = _power(*parts, blocks)
                    smallest = _smallest(shares, power)
                    found.append(Detection(kind, channel, distance, sd, smallest, float(shares[-1]), float(power[-1])))
    return found


def _healthy(plan: Experiment, array: SensorArray, rng: np.random.Generator) -> Case:
    """A healthy cell of the design at some age, and an array that sits somewhere."""
    loss, grow = rng.random(5), rng.standard_normal(9)
    units = UNIT_SD[:, None] * rng.standard_normal((4, max(plan.cell.units, MOST_UNITS)))[:, : plan.cell.units]
    return Case(
        plan.cell,
        CellState(
            soc=float(np.clip(plan.state.soc + 0.005 * grow[0], 0, 1)),
            lli=0.2 * loss[0],
            lam_pe=0.15 * loss[1],
            lam_ne=0.15 * loss[2],
            r_ohm=1 + loss[3],
            r_ct=1 + loss[4],
            gradient_lli=0.02 * grow[1],
            gradient_r=0.05 * grow[2],
        ),
        variation=Variation(
            loading=0.01 * grow[3],
            lithium=0.01 * grow[4],
            resistance=float(np.exp(0.05 * grow[5])) - 1,
            sheet=(0.02 * grow[6], 0.02 * grow[7]),
            edge=grow[8],
            maps=rng.standard_normal((5, *MAP_MODES)),
            units=units,
        ),
        placement=plan.noise.place(rng, array),
    )


def _features(found: list[Simulation], blocks: int) -> np.ndarray:
    """(n, blocks, 681) voltage in V, load, rest and scan in nT of each simulation and each block of sensors."""

    def split(field: np.ndarray) -> np.ndarray:
        return 1e9 * np.moveaxis(field.reshape(*field.shape[:-2], blocks, -1), -2, 0).reshape(blocks, -1)

    rows = []
    for one in found:
        voltage = np.repeat(one.voltage_V[None], blocks, axis=0)
        rows.append(np.concatenate([voltage, split(one.load_T), split(one.rest_T), split(one.scan_T)], axis=1))
    return np.array(rows)


def _with_gains(values: np.ndarray, plan: Experiment, rng: np.random.Generator) -> np.ndarray:
    """Calibration errors of each array, the same under load, at rest and in the scan."""
    n, blocks, _ = values.shape
    gain = 1 + plan.noise.gain_common * rng.standard_normal((n, blocks, 1))
    gain = gain + plan.noise.gain_channel * rng.standard_normal((n, blocks, 72))
    return values * np.concatenate([np.ones((n, blocks, 33)), np.tile(gain, 9)], axis=2)


def _changes(kind: str, plan: Experiment, array: SensorArray, mesh: Mesh, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares (SIZES,), and what each does at each place, (SIZES, PLACES, blocks, 681)."""
    low, high = SHARES[kind]
    shares = np.geomspace(low / 30, min(high, 1.0), SIZES)
    state = replace(plan.state, lli=max(plan.state.lli, 0.1), lam_pe=max(plan.state.lam_pe, 0.07))
    cases = []
    for place in range(PLACES):
        drawn = draw_defect(kind, plan.cell, np.random.default_rng([SEED, place]))
        own = mesh.through(*drawn.line) if kind == "tear" else mesh
        cases.append(Case(plan.cell, state, mesh=own))
        for share in shares:
            length = max(drawn.defect.length, share)
            cases.append(
                Case(plan.cell, state, replace(drawn.defect, share=float(share), length=float(length)), mesh=own)
            )
    features = _features(simulate_cases(cases, array, plan.protocol), blocks)
    features = features.reshape(PLACES, 1 + SIZES, blocks, -1)
    return shares, np.moveaxis(features[:, 1:] - features[:, :1], 0, 1)


def _power(healthy: np.ndarray, noise: np.ndarray, changes: np.ndarray, blocks: Sequence[slice]) -> np.ndarray:
    """(SIZES,) share of cells with the defect that the filters find; everything in units of the noise.

    Each block of readings has a filter of its own; their scores are added, each by its shift over its variance.
    """
    half = len(healthy) // 2
    power = np.zeros(len(changes))
    for fit, judge in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
        score, shift = np.zeros((half, changes[..., 0].size)), np.zeros(changes[..., 0].size)
        for block in blocks:
            own, change = healthy[fit, block], changes[..., block].reshape(len(shift), -1)
            # White noise and what healthy cells do, inverted through the directions that the cells span (Woodbury).
            _, s, vt = np.linalg.svd((own - own.mean(axis=0)) / np.sqrt(half - 1), full_matrices=False)
            filters = change - (change @ vt.T * (s**2 / (1 + s**2))) @ vt
            part = (healthy[judge, block] + noise[judge, block] - own.mean(axis=0)) @ filters.T
            moved = (filters * change).sum(axis=1)
            weight = moved / np.maximum(part.var(axis=0), 1e-30)  # a block that the change leaves alone weighs nothing
            score += part * weight
            shift += moved * weight
        found = score + shift > np.quantile(score, 1 - FALSE_ALARMS, axis=0)
        power += found.mean(axis=0).reshape(changes.shape[:-1]).mean(axis=1) / 2
    return power


def _smallest(shares: np.ndarray, power: np.ndarray) -> float | None:
    """Share from which the power stays at `POWER`, between the sizes tried by its logarithm."""
    enough = np.flatnonzero(power < POWER)
    k = int(enough[-1]) + 1 if len(enough) else 0
    if k == len(shares):
        return None
    if k == 0:
        return float(shares[0])
    part = (POWER - power[k - 1]) / (power[k] - power[k - 1])
    return float(np.exp(np.log(shares[k - 1]) + part * np.log(shares[k] / shares[k - 1])))


def table(found: list[Detection], distance_mm: float, noise_nT: float) -> str:
    """Smallest shares by defect and channel at one distance and noise, as text."""
    own = {
        (one.defect, one.channel): one for one in found if (one.distance_mm, one.noise_nT) == (distance_mm, noise_nT)
    }
    lines = [
        f"smallest share found with {POWER:.0%} at {FALSE_ALARMS:.0%} false alarms, sensors at {distance_mm:g} mm, "
        f"{1e3 * noise_nT:g} pT a reading; or how many are found of the largest share",
        f"{'defect':10s}" + "".join(f"{channel:>14s}" for channel in CHANNELS),
    ]
    for kind in DEFECTS[1:]:
        lines.append(f"{kind:10s}" + "".join(f"{own[kind, channel].text():>14s}" for channel in CHANNELS))
    return "\n".join(lines)
