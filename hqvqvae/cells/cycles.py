"""Discharges of a whole test: where cycles begin, the direction of the current, and which part of a cycle discharges.

Thresholds are shares of the cell's own current and charge, so coin cells and pouch cells are treated alike.
"""

from dataclasses import dataclass

import numpy as np

from dataset_card.errors import MagBridgeError

from .features import LOAD_CURRENT_A, MIN_LOAD_S, MIN_LOADED_SAMPLES

LOAD_SHARE = 0.01
"""A current above this share of the cell's greatest, or above 0.1 A, counts as a load or a charge."""

GIVEN_BACK = 0.2
"""A charge ends a discharge once it has returned this share of the greatest charge or discharge. A smaller one is
regeneration in a drive cycle, unless it lasts longer than `MIN_LOAD_S` without a rest."""

FULL = 0.5
"""A further discharge in a cycle counts separately if it has at least this share of the charge of the greatest one."""

MOVES = 20
"""Number of pieces that a stretch of current is cut into; their voltage changes reveal the sign of the current."""

SMALL = 0.1
"""If cycles are counted, a discharge with less than this share of the usual charge is ignored."""

RESTART_SHARE = 0.01
"""A test counts as restarted if its time begins within this share of the first test's duration from its start."""

MAGNITUDE_SHARE = 0.2
"""A current of one sign is a magnitude if the voltage's smaller move under it exceeds this share of its larger one."""

GAP_SHARE = 0.2
"""An interval with more than this share of a discharge's charge, and `GAP_STEPS` times the usual length, is a gap in
the record: the load during it is unknown."""

GAP_STEPS = 10
"""See `GAP_SHARE`."""


@dataclass(frozen=True)
class Trace:
    """One cell's samples as in its file, (n,) each: time in s, voltage in V, current in A, cycle if given."""

    time: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    cycle: np.ndarray | None

    def take(self, rows: np.ndarray | slice) -> "Trace":
        """Select some of the samples."""
        cycle = None if self.cycle is None else self.cycle[rows]
        return Trace(self.time[rows], self.voltage[rows], self.current[rows], cycle)


def load_current(current: np.ndarray) -> float:
    """Compute the current in A above which a cell with these currents (n,) in A is loaded."""
    known = np.abs(current[np.isfinite(current)])
    top = float(np.quantile(known, 0.999)) if known.size else 0.0
    return min(-LOAD_CURRENT_A, LOAD_SHARE * top)


def blocks(trace: Trace, cell: str) -> list[slice]:
    """Cut a file into stretches in which the cycle number, or time if there are no cycle numbers, never falls.

    Raises:
        MagBridgeError: If the rows are out of order: a stretch is shorter than a few samples.
    """
    step = np.diff(trace.time if trace.cycle is None else trace.cycle)
    starts = np.r_[0, np.flatnonzero(step < 0) + 1, len(trace.time)]
    lengths = np.diff(starts)
    distinct = len(lengths) if trace.cycle is None else len(np.unique(trace.cycle))
    out_of_order = len(starts) > 2 and (lengths.min() < MIN_LOADED_SAMPLES or len(lengths) > distinct)
    for first, start, stop in zip(starts, starts[1:-1], starts[2:]):
        time = trace.time[first:start]
        new = trace.time[start:stop]
        # A test that continues has later times; one that restarts begins near the first one's start and overlaps it.
        beside = ((new >= time[0]) & (new <= time.max())).any()
        anew = beside and new[0] <= time[0] + RESTART_SHARE * (time.max() - time[0])
        out_of_order |= new[0] < time[-1] and not anew
    if out_of_order:
        what = "time runs back" if trace.cycle is None else "the cycle falls"
        seen = f"{what} {len(starts) - 2} times, first at sample {starts[1]}, where no test restarts"
        order = "expected each cycle's rows together and in time order; sort the table by cell, cycle and time"
        raise MagBridgeError(f"cell {cell}: {seen}; {order}")
    return [slice(int(a), int(b)) for a, b in zip(starts[:-1], starts[1:])]


def signed(trace: Trace, step_type: np.ndarray | None, told: str | None, cell: str) -> tuple[np.ndarray, str]:
    """Return the current (n,) in A, negative in discharge, and a note on what was done to it.

    Args:
        trace: A cell's samples.
        step_type: Name of each sample's step, if the file gives it.
        told: `negative` or `positive`: the sign of a discharge; None to detect it.
        cell: Its name, for messages.

    Raises:
        MagBridgeError: If the voltage rises under what is called discharge, or the current has no sign.
    """
    current, note = trace.current, ""
    if told is None and step_type is not None:
        current, note = _by_steps(current, step_type)
    if told == "positive":
        current, note = -current, "Discharge is positive in the file, as stated."
    load = load_current(current)
    down = _move(trace, current < -load)
    up = _move(trace, current > load)
    if told is not None or (down.size == 0 and up.size == 0):
        return current, note
    if not (up.size and down.size):
        moves, never = (up, "negative") if up.size else (down, "positive")
        rise, fall = moves.clip(min=0).sum(), -moves.clip(max=0).sum()
        if min(rise, fall) > MAGNITUDE_SHARE * max(rise, fall):
            seen = f"the current is never {never}, and the voltage both rises and falls under it"
            why = "it is a magnitude, without the sign that distinguishes charge from discharge"
            fix = "export it with its sign, or with a column of step types (charge, discharge, rest)"
            raise MagBridgeError(f"cell {cell}: {seen}: {why}; {fix}")
    if up.sum() - down.sum() < 0:
        seen = f"the voltage {'rises under discharge' if down.size else 'falls under charge'} if discharge is negative"
        half = "if this is an anode half cell, in which that is correct, pass --current-sign negative"
        told = "if discharge is positive in your file, pass --current-sign positive"
        raise MagBridgeError(f"cell {cell}: {seen}; {told}; {half}")
    return current, note


def _by_steps(current: np.ndarray, step_type: np.ndarray) -> tuple[np.ndarray, str]:
    words = np.array([str(word).casefold() for word in step_type])
    out_of = [word for word in set(words) if "dis" in word or "dch" in word or word == "d"]
    discharge = np.isin(words, out_of)
    charge = np.isin(words, [word for word in {*words} - {*out_of} if "ch" in word or word == "c"])
    if not discharge.any() or not charge.any():
        return current, ""
    out, into = np.nanmean(current[discharge]), np.nanmean(current[charge])
    if out > 0 > into:
        return -current, "Discharge is positive in the file, according to its step types; sign reversed."
    if out > 0 and into > 0:
        return np.where(discharge, -current, current), "The sign of the current was taken from the step types."
    return current, ""


def _move(trace: Trace, loaded: np.ndarray) -> np.ndarray:
    """Compute voltage changes over pieces of each stretch loaded in one direction, within a cycle and a record."""
    with np.errstate(invalid="ignore", over="ignore"):  # a damaged file's times; later checks report them
        step = np.diff(trace.time, prepend=trace.time[:1])
    breaks = (step < 0) | (step > GAP_STEPS * np.median(step))
    if trace.cycle is not None:
        breaks |= np.diff(trace.cycle, prepend=trace.cycle[:1]) != 0
    stretch = np.cumsum(breaks | ~loaded)
    moves = []
    for rows in np.split(np.flatnonzero(loaded), np.flatnonzero(np.diff(stretch[loaded])) + 1):
        if len(rows) > 1:
            at = rows[np.unique(np.linspace(0, len(rows) - 1, MOVES + 1).astype(int))]
            moves.append(np.diff(trace.voltage[at]))
    found = np.concatenate(moves) if moves else np.zeros(0)
    return found[np.isfinite(found)]


@dataclass(frozen=True)
class Discharge:
    """One discharge of a group of samples: rows `start` to `stop`, and its charge in Ah."""

    start: int
    stop: int
    charge: float


def discharges(trace: Trace, load: float) -> list[Discharge]:
    """Find every discharge in a group of samples, each from the last rest before the load to the last loaded sample.

    Args:
        trace: Samples with the current negative in discharge.
        load: Current in A from `load_current`.

    Returns:
        The discharges in order; rows count from the first sample of `trace`.
    """
    current = np.where(np.isfinite(trace.current), trace.current, 0.0)
    steps = np.diff(trace.time, prepend=trace.time[:1])
    steps = np.where(np.isfinite(steps) & (steps > 0), steps, 0.0)
    mean = np.r_[0.0, (current[1:] + current[:-1]) / 2]
    charge = np.cumsum(mean * steps) / 3600
    sign = np.where(current < -load, -1, np.where(current > load, 1, 0))
    runs = _runs(sign, charge, trace.time)
    greatest = max((run.charge for run in runs), default=0.0)
    while True:  # a drive cycle's runs are small until they are joined
        found = _legs(runs, GIVEN_BACK * greatest)
        top = max((-(charge[stop - 1] - charge[start]) for start, stop in found), default=0.0)
        if top <= greatest:
            break
        greatest = top
    return [_trimmed(start, stop, sign, charge, steps) for start, stop in found]


@dataclass(frozen=True)
class _Run:
    """A stretch of current in one direction, ignoring rests: rows, longest time without a rest in s, charge in Ah."""

    start: int
    stop: int
    seconds: float
    charge: float
    is_charge: bool


def _runs(sign: np.ndarray, charge: np.ndarray, time: np.ndarray) -> list[_Run]:
    edges = np.flatnonzero(np.diff(np.r_[0, sign, 0]))
    runs: list[_Run] = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist()):
        if not sign[start]:
            continue
        seconds = float(time[stop - 1] - time[max(start - 1, 0)])
        if runs and runs[-1].is_charge == (sign[start] > 0):
            last = runs.pop()
            start, seconds = last.start, max(last.seconds, seconds)
        amount = abs(float(charge[stop - 1] - charge[max(start - 1, 0)]))
        runs.append(_Run(start, stop, seconds, amount, bool(sign[start] > 0)))
    return runs


def _legs(runs: list[_Run], least: float) -> list[tuple[int, int]]:
    """Join runs into discharges (start row, stop row), split by a charge of over `least` Ah or over `MIN_LOAD_S`."""
    legs: list[tuple[int, int]] = []
    back, joined = 0.0, False
    for run in runs:
        if run.is_charge:
            back += run.charge
            joined = joined and back <= least and run.seconds <= MIN_LOAD_S
        elif joined:
            legs[-1] = (legs[-1][0], run.stop)
            back = max(back - run.charge, 0.0)
        else:
            legs.append((run.start, run.stop))
            back, joined = 0.0, True
    return legs


def _trimmed(start: int, stop: int, sign: np.ndarray, charge: np.ndarray, steps: np.ndarray) -> Discharge:
    """Add the last rest sample before a discharge, unless it is so early that its interval would count as load."""
    near = steps[start] <= GAP_STEPS * np.median(steps[start + 1 : stop]) if stop > start + 1 else True
    first = start - 1 if start and sign[start - 1] == 0 and near else start
    return Discharge(first, stop, float(charge[first] - charge[stop - 1]))


def gap_reason(trace: Trace, load: float) -> str:
    """Explain why a discharge's charge cannot be computed from its samples; return "" if it can.

    Args:
        trace: Samples of one discharge, with the current negative in discharge.
        load: Current in A from `load_current`.

    Returns:
        A reason if the record has a gap under load, else "".
    """
    if len(trace.time) < MIN_LOADED_SAMPLES:
        return ""
    steps = np.diff(trace.time)
    loaded = np.maximum(trace.current[1:], trace.current[:-1]) < -load
    share = steps * np.abs(trace.current[1:] + trace.current[:-1]) * loaded
    worst = int(np.argmax(share))
    if share[worst] <= GAP_SHARE * share.sum() or steps[worst] < GAP_STEPS * np.median(steps):
        return ""
    return f"a gap of {steps[worst]:.0f} s under load after sample {worst}: the record was interrupted"
