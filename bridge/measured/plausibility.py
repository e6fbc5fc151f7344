"""What measured scans must be before they become a release: finite, unclipped, in nT, with axes as declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bridge.measured.channels import ChannelMap
from bridge.measured.signals import RawScan
from dataset_card.contract.schema import CHANNELS, MEASURED_CHANNELS
from dataset_card.storage.columns import UNITS
from dataset_card.storage.faults import Fault, require

LEAST_NT, GREATEST_NT = 5.0, 1e5
"""Typical greatest value of a scan: fields of cells are tens to thousands of nT, the Earth's 5e4."""

TYPICAL_NT = 100.0
"""Which unit puts the values nearest to this, in the sense of ratios, is the one that they are taken to be in."""

OTHER_UNIT = 150
"""A scan this many times larger or smaller than the others' median is in another unit."""

CLIPPED_SHARE, CLIPPED_LEAST = 0.06, 6
"""An extreme value taken at this share of the steps, and at this many at least, may be a sensor's limit."""

FULLER, BESIDE = 5, 3
"""It is one where it is taken so many times as often as any of so many levels beside it. A round peak, quantised, fills
its last level about 2.4 times as the one beside it, and 4 times at worst."""

SWAP_MARGIN = 0.5
"""By how much the correlation with the other scans must rise when Y and Z are swapped, to call them swapped."""

VOLTAGE_BIN = 0.1
"""Scans within such a range of voltage, in V, are compared with one another."""

FEWEST_OTHERS = 8

MAGNITUDE_SHARE = 0.9
"""A magnitude is at least this share of what its Y and Z alone give, root mean square."""


def check_scans(x: np.ndarray, scans: Sequence[RawScan], channels: ChannelMap, voltage: np.ndarray) -> None:
    """Check a set of scans.

    Args:
        x: (n, N, C) scans in nT, channels as in `channels`.
        scans: (n,) where each comes from.
        channels: Which channels they are.
        voltage: (n,) in V.

    Raises:
        FaultyInput: Names every scan that cannot be used.
    """
    faults = list(_finite(x, scans, channels))
    require(faults)  # nothing else can be told of scans with holes
    for check in (_clipped, _units, _swapped, _magnitudes, _repeated):
        faults += check(x, scans, channels, voltage)
    require(faults)


def _finite(x: np.ndarray, scans: Sequence[RawScan], channels: ChannelMap) -> Iterator[Fault]:
    bad = ~np.isfinite(x)
    for i in np.flatnonzero(bad.any(axis=(1, 2))):
        c = int(np.flatnonzero(bad[i].any(axis=0))[0])
        steps = np.flatnonzero(bad[i, :, c])
        run = int((np.cumsum(np.diff(steps, prepend=steps[0] - 1) != 1) == 0).sum())
        value = x[i, steps[0], c]
        yield Fault(
            scans[i].file,
            f"{scans[i].at(int(steps[0]))}, {channels.channels[c].column}",
            f"{'empty or NaN' if np.isnan(value) else value} for {run} steps",
            "a number at every step",
            "repair or remove the scan: nothing is filled in here",
        )


def _clipped(x, scans, channels, voltage) -> Iterator[Fault]:
    least = max(CLIPPED_LEAST, int(np.ceil(CLIPPED_SHARE * x.shape[1])))
    low, high = x.min(axis=1), x.max(axis=1)
    for i, c in np.argwhere(low == high):
        yield Fault(
            scans[i].file,
            f"{scans[i].where}, {channels.channels[c].column}",
            f"{low[i, c]:g} nT at every step",
            "a signal",
            "the sensor is dead or not connected: remove the scan",
        )
    for extreme, word in ((low, "lowest"), (high, "highest")):
        at = x == extreme[:, None]
        count = at.sum(axis=1)  # mains hum lifts a clipped signal off the limit now and then: no run is asked for
        for i, c in np.argwhere((count >= least) & (low < high)):
            levels = np.unique(x[i, :, c], return_counts=True)[1]
            beside = levels[1 : 1 + BESIDE] if word == "lowest" else levels[-1 - BESIDE : -1]
            if count[i, c] <= FULLER * beside.max():
                continue  # an instrument of coarse steps, inside its range
            yield Fault(
                scans[i].file,
                f"{scans[i].at(int(np.flatnonzero(at[i, :, c])[0]))}, {channels.channels[c].column}",
                f"{extreme[i, c]:g} nT, its {word} value, at {count[i, c]} steps and the next level at {beside.max()}",
                "a signal inside the sensor's range",
                "the channel is saturated: widen the range or remove the scan",
            )


def _units(x, scans, channels, voltage) -> Iterator[Fault]:
    top = np.abs(x[..., :MEASURED_CHANNELS]).max(axis=(1, 2))
    typical = float(np.median(top))
    if not LEAST_NT <= typical <= GREATEST_NT:
        i = int(np.argmin(np.abs(top - typical)))
        unit, factor = _unit_of(typical, scans[i], channels)
        yield Fault(
            scans[i].file,
            scans[i].where,
            f"a greatest value of {top[i]:.3g} nT, as most scans",
            f"{LEAST_NT:g} to {GREATEST_NT:g} nT",
            f"it looks like {unit}: declare it with --channels, or multiply by {factor:g}",
        )
        return
    for i in np.flatnonzero((top > OTHER_UNIT * typical) | (top < typical / OTHER_UNIT)):
        unit, _ = _unit_of(top[i], scans[i], channels)
        yield Fault(
            scans[i].file,
            scans[i].where,
            f"a greatest value of {top[i]:.3g} nT",
            f"about {typical:.3g} nT, as most scans have",
            f"it looks like {unit} among scans in {channels.channels[0].unit}: bring all to one unit",
        )


def _unit_of(nanotesla: float, scan: RawScan, channels: ChannelMap) -> tuple[str, float]:
    """The unit that a value taken to be in the channel's unit is in, and what would make that unit of it."""
    own = channels.channels[0].factor
    value = max(nanotesla / abs(own), 1e-300)
    unit = min(("T", "mT", "uT", "nT", "pT", "fT"), key=lambda u: abs(np.log(value * UNITS["nT"][u] / TYPICAL_NT)))
    return unit, UNITS["nT"][unit] / abs(own)


def _swapped(x, scans, channels, voltage) -> Iterator[Fault]:
    """Scans that look like the others only once Y and Z change places."""
    measured = x[..., :MEASURED_CHANNELS] - x[..., :MEASURED_CHANNELS].mean(axis=1, keepdims=True)
    group = np.round(voltage / VOLTAGE_BIN)
    for value in np.unique(group):
        rows = np.flatnonzero(group == value)
        if len(rows) < FEWEST_OTHERS:
            continue
        typical = np.median(measured[rows], axis=0)
        straight, swapped = (
            _correlation(measured[rows][..., order], typical) for order in ([0, 1, 2, 3], [1, 0, 3, 2])
        )
        for i in rows[swapped > straight + SWAP_MARGIN]:
            j = int(np.flatnonzero(rows == i)[0])
            yield Fault(
                scans[i].file,
                scans[i].where,
                f"a correlation of {straight[j]:.2f} with the other scans near {voltage[i]:.2f} V, "
                f"{swapped[j]:.2f} with Y and Z swapped",
                "Y across the scan's path and Z along it",
                "swapped axes: exchange the scan's columns",
            )


def _correlation(x: np.ndarray, typical: np.ndarray) -> np.ndarray:
    return (x * typical).sum(axis=(1, 2)) / np.sqrt((x**2).sum(axis=(1, 2)) * (typical**2).sum() + 1e-300)


def _magnitudes(x, scans, channels, voltage) -> Iterator[Fault]:
    for sensor in range(2):
        name = CHANNELS[4 + sensor]
        if name not in channels.names:
            continue
        c = channels.names.index(name)
        own = np.sqrt((x[..., c] ** 2).mean(axis=1))
        seen = np.sqrt((x[..., 2 * sensor] ** 2 + x[..., 2 * sensor + 1] ** 2).mean(axis=1))
        for i in np.flatnonzero(own < MAGNITUDE_SHARE * seen):
            yield Fault(
                scans[i].file,
                f"{scans[i].where}, {channels.channels[c].column}",
                f"a magnitude of {own[i]:.3g} nT",
                f"at least the {seen[i]:.3g} nT of its Y and Z",
                "channels or units mixed up? leave the column out to have it derived",
            )


def _repeated(x, scans, channels, voltage) -> Iterator[Fault]:
    first: dict[bytes, int] = {}
    for i, scan in enumerate(x):
        j = first.setdefault(scan.tobytes(), i)
        if j != i:
            yield Fault(
                scans[i].file,
                scans[i].where,
                f"the same numbers as {scans[j].where}",
                "a scan of its own",
                "one scan under two names: remove one",
            )
