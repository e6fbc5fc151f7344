"""Bring raw scans to a common, even sampling, and to the channels and 100 steps of a release."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bridge.measured.channels import ChannelMap
from bridge.measured.signals import RawScan
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.running.templates import macros
from dataset_card.storage.columns import UNITS, known_unit
from dataset_card.storage.faults import Fault, require

GAP = 1.5
"""An interval this many times the scan's own median is a gap."""

JITTER = 0.01
"""A clock whose intervals deviate by more than this share is uneven: its scan is interpolated to even time steps."""

INTERVAL_TOLERANCE = 0.05
"""Scans whose median interval differs by more than this share have another sampling."""

POINTS = 16
"""Points over which the mean of a window is taken."""


@dataclass(frozen=True)
class Sampling:
    """How a set of scans was sampled.

    Attributes:
        steps: Steps of every scan.
        interval_s: Seconds between steps, the median over scans; None if no scan has a clock.
        jittered: Number of scans whose clock was uneven.
        jitter: Largest deviation of an interval from its scan's median, as a share of the median.
    """

    steps: int
    interval_s: float | None
    jittered: int = 0
    jitter: float = 0.0

    @property
    def method(self) -> str:
        """How the scans were brought to 100 steps: `none`, `linear` or `window means`."""
        return "none" if self.steps == T else "linear" if self.steps < T else "window means"

    @property
    def note(self) -> str:
        """The method as a sentence for the card."""
        return macros("bridge.measured", "notes.txt").sampling(self, T, 100 * (GAP - 1))


@dataclass(frozen=True)
class ScanSet:
    """Scans of one sampling, even in time.

    Attributes:
        scans: Each scan as it was read.
        mapping: The channels that all scans have.
        sampling: How they were sampled.
        x: (n, N, C) their values in nT.
    """

    scans: Sequence[RawScan]
    mapping: ChannelMap
    sampling: Sampling
    x: np.ndarray

    def released(self) -> np.ndarray:
        """Return the scans (n, 100, 6) in nT, resampled; magnitudes are derived if they were not measured."""
        x, steps = self.x, self.sampling.steps
        x = x if steps == T else resampling_matrix(steps) @ x
        out = np.empty((*x.shape[:2], len(CHANNELS)))
        out[..., [CHANNELS.index(name) for name in self.mapping.names]] = x
        for sensor in range(2):
            if CHANNELS[4 + sensor] not in self.mapping.names:
                out[..., 4 + sensor] = np.hypot(out[..., 2 * sensor], out[..., 2 * sensor + 1])
        return out

    def notes(self) -> list[str]:
        """Describe in sentences the sampling, units, signs and derived channels."""
        channels = self.mapping.channels
        words = [f"{c.name} from {c.column!r} in {c.unit}{', sign reversed' if c.sign < 0 else ''}" for c in channels]
        notes = [self.sampling.note, "Channels: " + "; ".join(words) + "."]
        derived = " and ".join(name for name in CHANNELS if name not in self.mapping.names)
        if derived:
            notes.append(f"{derived} derived as the magnitude of Y and Z, because not every scan has them.")
        return notes


def evenly_sampled(scans: Sequence[RawScan], channels: ChannelMap) -> ScanSet:
    """Return the scans in even steps of time.

    Raises:
        FaultyInput: If steps differ between scans, or time runs backwards, has a gap or is not in the declared unit.
    """
    counts = Counter(scan.steps for scan in scans)
    steps = counts.most_common(1)[0][0]
    faults = [
        scan.fault("mixed_steps", steps=scan.steps, usual=steps, others=counts[steps])
        for scan in scans
        if scan.steps != steps
    ]
    intervals: dict[int, float] = {}
    clocks = {i: clock for i, scan in enumerate(scans) if (clock := _clock(scan, channels)) is not None}
    for i, (name, unit) in clocks.items():
        found = _steps_fault(scans[i], name) if unit == "step" else _time_fault(scans[i], name)
        faults += found
        if not found and unit != "step":
            intervals[i] = float(np.median(np.diff(scans[i].columns[name]))) * UNITS["s"][known_unit(unit, "s") or unit]
    typical = float(np.median(list(intervals.values()))) if intervals else 0.0
    faults += [
        scans[i].fault("mixed_clock", interval=interval, usual=typical)
        for i, interval in intervals.items()
        if abs(interval / typical - 1) > INTERVAL_TOLERANCE
    ]
    require(faults)
    strayed = {i: _jitter(scans[i].columns[clocks[i][0]]) for i in intervals}
    jittered = {i: share for i, share in strayed.items() if share > JITTER}
    even = [_even(scan, clocks[i][0]) if i in jittered else scan for i, scan in enumerate(scans)]
    sampling = Sampling(steps, typical or None, len(jittered), max(jittered.values(), default=0.0))
    common = [c for c in channels.channels if all(c.column in scan.columns for scan in even)]
    x = np.stack([[scan.columns[c.column] for c in common] for scan in even]).swapaxes(1, 2)
    return ScanSet(even, ChannelMap(tuple(common), channels.time), sampling, x * [c.factor for c in common])


def _jitter(time: np.ndarray) -> float:
    """Return the largest deviation of an interval from the median, as a share of the median."""
    interval = np.diff(time)
    return float(np.abs(interval / np.median(interval) - 1).max())


def _even(scan: RawScan, name: str) -> RawScan:
    """Interpolate a scan linearly to even steps between its first and its last, by the named clock."""
    time = scan.columns[name]
    grid = np.linspace(time[0], time[-1], len(time))
    return replace(scan, columns={key: np.interp(grid, time, values) for key, values in scan.columns.items()})


def _clock(scan: RawScan, channels: ChannelMap) -> tuple[str, str] | None:
    """Return the scan's time column and its unit, or None."""
    known = (("step", "step"), ("time_s", "s"))
    return channels.time or next((clock for clock in known if clock[0] in scan.columns), None)


def _steps_fault(scan: RawScan, name: str) -> list[Fault]:
    values = scan.columns[name]
    wrong = np.flatnonzero(values != np.arange(len(values)))
    if not len(wrong):
        return []
    i = int(wrong[0])
    seconds = np.isfinite(values).all() and not (values == np.round(values)).all()
    mistake = "step_seconds" if seconds else "step_number"
    return [scan.fault(mistake, f"column {name!r}", i, value=values[i], usual=i)]


def _time_fault(scan: RawScan, name: str) -> list[Fault]:
    time, column = scan.columns[name], f"column {name!r}"
    bad = np.flatnonzero(~np.isfinite(time))
    if len(bad):
        return [scan.fault("no_clock", column, int(bad[0]))]
    interval = np.diff(time)
    typical = float(np.median(interval))
    for mistake, places in (("backwards", interval <= 0), ("gap", interval > GAP * typical)):
        if places.any():
            i = int(places.argmax()) + 1
            values = {"now": time[i], "before": time[i - 1], "interval": interval[i - 1], "usual": typical}
            return [scan.fault(mistake, column, i, **values)]
    return []


def resampling_matrix(steps: int) -> np.ndarray:
    """Return weights (100, steps) that resample evenly spaced steps to 100 and keep the ends.

    Fewer than 100 steps are interpolated linearly. More are averaged over windows as wide as a new step, cut off at the
    ends.
    """
    if steps == T:
        return np.eye(T)
    centre = np.linspace(0, steps - 1, T)
    if steps < T:
        points = centre[:, None]
    else:
        width = (steps - 1) / (T - 1)
        first, last = np.maximum(centre - width / 2, 0), np.minimum(centre + width / 2, steps - 1)
        points = first[:, None] + (last - first)[:, None] * (np.arange(POINTS) + 0.5) / POINTS
    low = np.minimum(points.astype(int), steps - 2)
    share = points - low
    out = np.zeros((T, steps))
    rows = np.broadcast_to(np.arange(T)[:, None], low.shape)
    np.add.at(out, (rows, low), (1 - share) / points.shape[1])
    np.add.at(out, (rows, low + 1), share / points.shape[1])
    return out
