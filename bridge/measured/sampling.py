"""Sampling of scans: one for a whole set, even in time, and resampled to the release's 100 steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bridge.measured.channels import ChannelMap
from bridge.measured.signals import RawScan
from dataset_card.contract.schema import T
from dataset_card.storage.columns import unit_factor
from dataset_card.storage.faults import Fault, require

GAP = 1.5
"""An interval this many times the scan's own median is a gap."""

JITTER = 0.01
"""A clock whose intervals stray by more than this share is uneven: its scan is brought to even steps in time."""

INTERVAL_TOLERANCE = 0.05
"""Scans whose median interval differs by more than this share are of another sampling."""

POINTS = 16
"""Points over which a window's mean is taken."""


@dataclass(frozen=True)
class Sampling:
    """How a set was sampled.

    Attributes:
        steps: Steps of every scan.
        interval_s: Seconds between steps, the median over scans; None where no scan tells.
        jittered: Scans whose clock was uneven.
        jitter: The most that an interval strayed from its scan's median, as a share of it.
    """

    steps: int
    interval_s: float | None
    jittered: int = 0
    jitter: float = 0.0

    @property
    def method(self) -> str:
        """What was done to have 100 steps: `none`, `linear` or `window means`."""
        return "none" if self.steps == T else "linear" if self.steps < T else "window means"

    @property
    def note(self) -> str:
        """The same in a sentence for the card."""
        clock = (
            f" The clocks of {self.jittered} scans strayed by up to {100 * self.jitter:.0f} % of a step (at most "
            f"{100 * (GAP - 1):.0f} % is taken); they were brought to even steps in time, between neighbours."
            if self.jittered
            else ""
        )
        if self.steps == T:
            return f"Every scan has {T} steps as measured.{clock}"
        how = {
            "linear": "between neighbouring steps, which smooths noise and adds no detail",
            "window means": "as means over windows that meet, so that what is too fast for 100 steps is not "
            "folded back",
        }[self.method]
        return (
            f"Scans of {self.steps} steps were resampled to {T} {how} ({self.method}, the same for every scan); "
            f"noise and mains lines are not those of the raw scans.{clock}"
        )


def evenly_sampled(scans: Sequence[RawScan], channels: ChannelMap) -> tuple[list[RawScan], Sampling]:
    """The scans in even steps of time, and the sampling of the set.

    Raises:
        FaultyInput: Steps differ between scans, time runs backwards, has a gap, or is in another unit than declared.
    """
    faults: list[Fault] = []
    counts = Counter(_steps(scan) for scan in scans)
    steps = counts.most_common(1)[0][0]
    for scan in scans:
        if _steps(scan) != steps:
            faults.append(
                Fault(
                    scan.file,
                    scan.where,
                    f"{_steps(scan)} steps",
                    f"{steps}, as {counts[steps]} other scans have",
                    "mixed sampling: adopt each apart, or cut the scans to one length",
                )
            )
    intervals = {}
    for i, scan in enumerate(scans):
        name, unit = _time(scan, channels)
        if name is None:
            continue
        found = _steps_fault(scan, name) if unit == "step" else _time_fault(scan, name)
        if found is not None:
            faults.append(found)
        elif unit != "step":
            intervals[i] = float(np.median(np.diff(scan.columns[name]))) * _seconds(unit)
    typical = float(np.median(list(intervals.values()))) if intervals else 0.0
    for i, interval in intervals.items():
        if abs(interval / typical - 1) > INTERVAL_TOLERANCE:
            faults.append(
                Fault(
                    scans[i].file,
                    scans[i].where,
                    f"{interval:.6g} s between steps",
                    f"{typical:.6g} s, as most scans have",
                    "mixed sampling: adopt each apart, or correct the time's unit",
                )
            )
    require(faults)
    strayed = {i: _jitter(scans[i].columns[_time(scans[i], channels)[0] or ""]) for i in intervals}
    jittered = {i for i, share in strayed.items() if share > JITTER}
    even = [_even(scan, channels) if i in jittered else scan for i, scan in enumerate(scans)]
    worst = max((strayed[i] for i in jittered), default=0.0)
    return even, Sampling(steps, typical or None, len(jittered), worst)


def _jitter(time: np.ndarray) -> float:
    """How far an interval strays from the median, as a share of it."""
    interval = np.diff(time)
    return float(np.abs(interval / np.median(interval) - 1).max())


def _even(scan: RawScan, channels: ChannelMap) -> RawScan:
    """A scan interpolated linearly to even steps between its first and its last."""
    name, _ = _time(scan, channels)
    time = scan.columns[name or ""]
    grid = np.linspace(time[0], time[-1], len(time))
    return replace(scan, columns={key: np.interp(grid, time, values) for key, values in scan.columns.items()})


def _steps(scan: RawScan) -> int:
    return len(next(iter(scan.columns.values())))


def _seconds(unit: str) -> float:
    factor = unit_factor(unit, "s")
    assert factor is not None  # as the channel map's reader made sure
    return factor[0]


def _time(scan: RawScan, channels: ChannelMap) -> tuple[str | None, str]:
    """The scan's time column and its unit."""
    if channels.time is not None:
        return channels.time
    for name, unit in (("step", "step"), ("time_s", "s")):
        if name in scan.columns:
            return name, unit
    return None, ""


def _steps_fault(scan: RawScan, name: str) -> Fault | None:
    values = scan.columns[name]
    wrong = np.flatnonzero(values != np.arange(len(values)))
    if not len(wrong):
        return None
    i = int(wrong[0])
    seconds = np.isfinite(values).all() and not (values == np.round(values)).all()
    fix = (
        "it looks like seconds: name the column time_s"
        if seconds
        else "number the steps from 0, or leave the column out"
    )
    return Fault(scan.file, f"{scan.at(i)}, column {name!r}", f"{values[i]:g}", f"{i}", fix)


def _time_fault(scan: RawScan, name: str) -> Fault | None:
    time = scan.columns[name]
    bad = np.flatnonzero(~np.isfinite(time))
    if len(bad):
        return Fault(scan.file, f"{scan.at(int(bad[0]))}, column {name!r}", "no number", "a time", "fill it in")
    interval = np.diff(time)
    back = np.flatnonzero(interval <= 0)
    if len(back):
        i = int(back[0]) + 1
        return Fault(
            scan.file,
            f"{scan.at(i)}, column {name!r}",
            f"{time[i]:g} after {time[i - 1]:g}",
            "time that increases",
            "time runs backwards or stands still: sort the rows or correct the clock",
        )
    typical = float(np.median(interval))
    gap = np.flatnonzero(interval > GAP * typical)
    if len(gap):
        i = int(gap[0]) + 1
        return Fault(
            scan.file,
            f"{scan.at(i)}, column {name!r}",
            f"{interval[i - 1]:g} after the step before",
            f"{typical:g}, as the other steps have",
            "a gap: steps are missing; remove the scan or fill it in",
        )
    return None


def resampling_matrix(steps: int) -> np.ndarray:
    """(100, steps) weights that bring evenly spaced steps to 100, ends kept.

    Fewer than 100 steps are interpolated linearly. More are averaged over windows a new step wide, cut at the ends.
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
