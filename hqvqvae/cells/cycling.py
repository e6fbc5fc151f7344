"""A user's own cycling data as discharge segments: whole tests or discharges only; units are checked, not guessed.

===============  ======  ==============================================================================
column           unit    meaning
===============  ======  ==============================================================================
cell_id                  name of the cell; optional in a file of one cell, which is then named after the file
cycle                    cycle number, a whole number; if left out, cycles are counted by their discharges
time_s           s       time in the test or within the cycle, strictly increasing
voltage_V        V       terminal voltage
current_A        A       current, negative in discharge (unless `current_sign` is `positive`)
temperature_C    degC    cell temperature; if left out, `temp_mean` is empty unless an ambient one is given
capacity_Ah      Ah      optional: capacity reported for the discharge, the same in all its rows
===============  ======  ==============================================================================

Other names and units are read as described in `exports`, or through a column map. In a cycle with a charge, only the
discharge counts, from the last rest sample before the load to the last loaded one. The rows of a cycle without any
charge are taken whole; they may include one rest sample before the load and the recovery after it.
"""

import itertools
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.columns import Found, known_unit, split_unit
from dataset_card.storage.layout import RawTable

from . import cycles, exports
from .exports import CURRENT, CYCLE, STEP_TYPE, TEMPERATURE, TIME, VOLTAGE
from .features import MIN_LOAD_S, MIN_LOADED_SAMPLES, MIN_REPORTED_AH, Segment, charge_of, discharged_Ah, loaded_samples

CHANNELS = ("time_s", "voltage_V", "current_A", "temperature_C")

# Bounds that no single cell exceeds, but that an error by a factor of 1000 does.
MAX_VOLTAGE_V = 10.0
MIN_PEAK_VOLTAGE_V = 0.1
MAX_CURRENT_A = 300.0
TEMPERATURE_RANGE_C = (-60.0, 150.0)
MIN_PEAK_TEMPERATURE_C = 0.1  # if every reading is nearer to 0, the cell has no sensor, or one in kilodegrees
SPARSE = 0.8  # a sensor logged at a smaller share of the samples is slow, not broken
HOT_C = 60.0  # few cells are cycled above this, but room temperature in Fahrenheit lies above
KELVIN = (200.0, 400.0)
MAX_DURATION_S = 500 * 3600.0
MAX_CAPACITY_RATIO = 50.0  # reported capacity over the integral of the current, or the inverse
MAX_NOMINAL_RATIO = 2.0  # greatest discharge over nominal capacity, or the inverse: a full discharge of a live cell
COUNTER_TOLERANCE = 0.02  # between the integral of the current and the charge counted by the cycler
SIGNS = ("negative", "positive")
STAMP = r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T]+\d"
ISO_STAMP = r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}"
CLOCK_ROWS = 2000
CLOCK_UNITS = {"min": 60.0, "h": 3600.0, "ms": 1e-3}
CLOCK_TOLERANCE = 0.1  # of the median interval by time stamps, which often resolve only seconds


@dataclass(frozen=True)
class Reading:
    """Information about a file that the user supplies separately.

    Attributes:
        columns: A column map.
        current_sign: `negative` or `positive`: the sign of a discharge current in the file; None to detect it.
        ambient_C: Temperature of all samples, if the file has none.
        nominal_Ah: Nominal capacity of each cell, compared with its greatest discharge.
    """

    columns: Path | None = None
    current_sign: str | None = None
    ambient_C: float | None = None
    nominal_Ah: float | None = None

    def __post_init__(self) -> None:
        """Reject an invalid sign, capacity or temperature."""
        low, high = TEMPERATURE_RANGE_C
        if self.current_sign not in (None, *SIGNS):
            fault = (
                f"current sign {self.current_sign!r}: expected {' or '.join(SIGNS)}, the sign of a discharge current"
            )
        elif self.nominal_Ah is not None and not self.nominal_Ah > 0:
            fault = f"nominal capacity {self.nominal_Ah:g}: expected a positive number of Ah"
        elif self.ambient_C is not None and not low <= self.ambient_C <= high:
            fault = f"ambient temperature {self.ambient_C:g}: expected {low:g} to {high:g} degC"
        else:
            return
        raise MagBridgeError(fault)


@dataclass
class Cells:
    """The discharges of a file and notes on how it was read.

    Attributes:
        segments: In order of cell and cycle; those with a `fault` are kept to be counted.
        notes: How the file was read, in sentences.
    """

    segments: list[Segment]
    notes: list[str]


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV, XLSX or Parquet file as a table; a file without `cell_id` is one cell, named after the file.

    Raises:
        MagBridgeError: If there is no such file or it cannot be parsed.
    """
    raw = exports.read_raw(path)
    with _named(raw.path):
        return _with_cells(raw, raw.rows)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with its table."""
    try:
        yield
    except MagBridgeError as error:
        raise MagBridgeError(f"{path}: {error}") from error


def _with_cells(raw: RawTable, table: pd.DataFrame) -> pd.DataFrame:
    if "cell_id" not in table:
        return table.assign(cell_id=re.sub(r"\.bdf$", "", raw.path.stem))
    if table["cell_id"].isna().any():
        row = table.index[table["cell_id"].isna()][0]
        fix = "name the cell in every row, or leave the column out"
        raise MagBridgeError(f"row {row} has no cell_id; {fix}")
    return table


def read_cells(path: str | Path, reading: Reading | None = None) -> Cells:
    """Read the discharges in a cycler's file.

    Args:
        path: A table as described above, BDF, or a vendor's export that batterydf reads.
        reading: Information about the file that it does not contain.

    Returns:
        The discharges of all cells in the file, and notes on how they were read.

    Raises:
        MagBridgeError: If the file as a whole is unusable; one bad cycle is one segment with a `fault`.
    """
    reading = reading or Reading()
    return as_cells(*exports.read_samples(path, reading.columns), reading)


def as_cells(raw: RawTable, found: Found, reading: Reading) -> Cells:
    """Return the discharges in a table of samples whose columns are identified.

    Raises:
        MagBridgeError: As `read_cells` does; the message names the file.
    """
    notes = [*raw.notes, *found.notes]
    with _named(raw.path):
        table = _converted(raw, found)
        _check_clock(raw, found, table["time_s"])
        segments = _segments(_with_cells(raw, table), found, reading, notes)
    return Cells(segments, [_understood(table, found, segments), *notes])


def _understood(table: pd.DataFrame, found: Found, segments: list[Segment]) -> str:
    """Describe the ranges read, with units and their sources, so that the user can spot what no check can."""
    parts = []
    for each in (TIME, VOLTAGE, CURRENT, TEMPERATURE):
        if each.name not in table:
            continue
        column, values = found.columns[each.name], table[each.name].replace([np.inf, -np.inf], np.nan)
        unit, worth = ("h", 3600.0) if each is TIME else (each.unit, 1.0)
        quantity, name = each.name.split("_")[0], column.column
        told = f"unit {column.unit}" if column.unit.casefold() not in name.casefold() else ""
        if not column.unit and name != each.name and known_unit(name, each.unit) is None:
            told = f"no unit given, {each.unit} assumed"
        source = f"{name!r}{told and f': {told}'}"
        parts.append(f"{quantity} {values.min() / worth:.4g} to {values.max() / worth:.4g} {unit} ({source})")
    charges = [charge_of(segment) for segment in segments if not segment.fault and loaded_samples(segment).size]
    return f"Understood: {', '.join(parts)}; discharges of {min(charges):.4g} to {max(charges):.4g} Ah."


def _check_clock(raw: RawTable, found: Found, time: pd.Series) -> None:
    """Reject a time column whose unit contradicts the time stamps in the same table.

    Raises:
        MagBridgeError: If they disagree; the message names the column and its actual unit.
    """
    for name in found.ignored:
        stamps = raw.rows[name].head(CLOCK_ROWS) if name in raw.rows else pd.Series(dtype=object)
        if not stamps.dropna().astype(str).head(1).str.match(STAMP).any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats that pandas has to guess
            stamps = pd.to_datetime(stamps, errors="coerce", utc=True)
        ratio = stamps.diff().dt.total_seconds().median() / time.head(CLOCK_ROWS).diff().median()
        for unit, worth in CLOCK_UNITS.items():
            if abs(ratio / worth - 1) < CLOCK_TOLERANCE:
                column = found.columns["time_s"].column
                seen = (
                    f"{column!r} is in {unit} by the time stamps in {name!r}; declare that in a column map (--columns)"
                )
                raise MagBridgeError(f"{seen}: time_s: {{column: {column}, unit: {unit}}}")


def _converted(raw: RawTable, found: Found) -> pd.DataFrame:
    """Convert the identified fields to our names and units; in a column of numbers, text becomes NaN."""
    if not len(raw.rows):
        raise MagBridgeError(f"it has columns {', '.join(found.columns)} but no rows; expected samples")
    out = {}
    for name, column in found.columns.items():
        values = raw.rows[column.column]
        if name in ("cell_id", STEP_TYPE.name):
            out[name] = values if values.isna().any() else values.astype(str)
        elif name == TIME.name and (clock := _clock(values)) is not None:
            out[name] = clock
        else:
            out[name] = _numbers(values, name, column.column) * column.factor + column.offset
    return pd.DataFrame(out)


def _clock(values: pd.Series) -> pd.Series | None:
    """Parse times such as `26:10:05` or `1d 02:10:05`, or ISO stamps since the first, as seconds; else return None."""
    if values.dtype.kind == "M":
        return (values - values.min()).dt.total_seconds()
    if values.dtype.kind in "biuf":
        return None
    texts = values.astype("string").str.strip()
    if not texts.str.contains(":").mean() > 0.5:
        return None
    if texts.str.match(ISO_STAMP).mean() > 0.5:
        stamps = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601")
        return (stamps - stamps.min()).dt.total_seconds()
    seconds = pd.to_timedelta(texts.str.replace(r"(?<=\d)\s*d\b", " D", regex=True), errors="coerce").dt.total_seconds()
    return seconds if seconds.notna().mean() > 0.5 else None


def _numbers(values: pd.Series, name: str, column: str) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values) and values.dtype != bool:
        return values.astype(float)
    try:
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        text = numbers.isna() & values.notna() & values.astype(str).str.strip().ne("")
    except (OverflowError, TypeError, ValueError) as error:
        raise MagBridgeError(f"column {column!r} has values that are not numbers ({error}); correct it") from error
    if text.mean() > 0.5:
        clock = "seconds, HH:MM:SS or stamps such as 2026-03-01T08:00:00; is there another time column?"
        plain = "numbers; export them without units and separators of thousands"
        seen = f"{str(values[text].iloc[0])[:80]!r} in row {text.index[text][0]}"
        raise MagBridgeError(f"column {column!r} contains {seen}; expected {clock if name == TIME.name else plain}")
    return numbers


def _segments(table: pd.DataFrame, found: Found, reading: Reading, notes: list[str]) -> list[Segment]:
    segments: list[Segment] = []
    for cell, rows in table.groupby("cell_id", sort=True):
        of_cell = list(_of_cell(str(cell), rows, reading, notes))
        if not any(not segment.fault and loaded_samples(segment).size for segment in of_cell):
            if faulty := [segment for segment in of_cell if segment.fault]:
                raise MagBridgeError(f"cell {cell}: none of its {len(faulty)} discharges can be read; cycle "
                                   f"{faulty[0].cycle}: {faulty[0].fault}")  # fmt: skip
            low, high = rows["current_A"].min(), rows["current_A"].max()
            seen = f"no discharge in {len(rows)} rows: the current spans {low:g} to {high:g} A"
            expected = "loads, negative in discharge (or --current-sign positive)"
            raise MagBridgeError(f"cell {cell}: {seen}; expected {expected}")
        check_units(str(cell), [segment for segment in of_cell if not segment.fault], found, reading.nominal_Ah)
        segments += of_cell
    return segments


def _of_cell(cell: str, rows: pd.DataFrame, reading: Reading, notes: list[str]) -> Iterator[Segment]:
    """Yield one cell's discharges, numbered as in the file if its numbers are unique, else counted from the first."""
    samples = rows[list(CHANNELS[:3])].astype(float).replace([np.inf, -np.inf], np.nan)  # infinity is not a reading
    time, voltage, current = (samples[name].to_numpy() for name in samples)
    cycle = _cycle(cell, rows, notes)
    trace = cycles.Trace(time, voltage, current, cycle)
    types = rows["step_type"].to_numpy(object) if "step_type" in rows else None
    current, note = cycles.signed(trace, types, reading.current_sign, cell)
    notes += [f"{cell}: {note}"] if note else []
    trace = replace(trace, current=current)
    load = cycles.load_current(current)
    temperature = _temperature(cell, rows, reading, notes)
    unknown = pd.Series(np.nan, rows.index)
    counter, capacity = (rows.get(name, unknown).to_numpy(float) for name in ("counted_Ah", "capacity_Ah"))
    ratios, said = [], Counter[str]()
    restarts = cycles.blocks(trace, cell)
    found: list[tuple[float, Segment]] = []
    for group in itertools.chain.from_iterable(_groups(trace, block) for block in restarts):
        back = np.flatnonzero(np.diff(time[group]) < 0)
        for row in _discharges(trace.take(group), load, cycle is not None, said):
            at = slice(group.start + row.start, group.start + row.stop)
            segment = _segment(cell, trace.take(at), temperature[at], float(capacity[at.start]), load, said)
            if back.size:
                where = f"time_s runs back within the cycle, in row {rows.index[group.start + back[0] + 1]}"
                segment = replace(segment, fault=f"{where}; check that it is the test's time and sorted")
            found.append((np.nan if cycle is None else cycle[group.start], segment))
            own = np.diff(counter[at]).clip(min=0).sum()  # counters restart with each step
            if own > 0 and not segment.fault:
                ratios.append(discharged_Ah(segment, slice(None)) / own)
    numbers = np.array([number for number, _ in found])
    counted = cycle is None
    renumbered = counted or len(np.unique(numbers)) < len(numbers)
    if renumbered and len(found):
        numbers = (1 if counted else int(numbers[0])) + np.arange(len(found))
    if len(restarts) > 1:
        begins = f"{'time restarts' if counted else 'cycles restart'} in row {rows.index[restarts[1].start]}"
        notes.append(f"{cell}: {begins}; its {len(found)} discharges are numbered consecutively.")
    elif renumbered and not counted:
        notes.append(f"{cell}: some cycles have several full discharges; all {len(found)} are numbered consecutively.")
    off = float(np.median(ratios)) if ratios else 1.0
    if abs(off - 1) > COUNTER_TOLERANCE:
        share = f"the integral of the current is {off:.3f} of the charge counted by the cycler in most discharges"
        notes.append(f"{cell}: {share}; check for coarse currents or times, or a column in another unit")
    notes += [f"{cell}: {count} {what}." for what, count in sorted((+said).items())]
    for number, (_, segment) in zip(numbers, found):
        yield replace(segment, cycle=int(number))


def _cycle(cell: str, rows: pd.DataFrame, notes: list[str]) -> np.ndarray | None:
    """Return the file's cycle numbers if they are whole and distinguish cycles; else None, to count cycles instead."""
    if CYCLE.name not in rows:
        return None
    cycle = rows["cycle"].to_numpy(float)
    broken = ~np.isfinite(cycle) | (np.abs(cycle) > 1e9) | (cycle != np.round(cycle))
    charging = (rows["current_A"] > cycles.load_current(rows["current_A"].to_numpy(float))).any()
    if not broken.any():  # one number for a whole test distinguishes nothing
        return cycle if len(np.unique(cycle)) > 1 or not charging else None
    if not charging:
        raise MagBridgeError(f"cell {cell}: cycle contains {cycle[broken][0]:g}; expected whole numbers")
    holds = f"the cycle column contains {cycle[broken][0]:g}, which is not a whole number"
    notes.append(f"{cell}: {holds}; cycles were counted by their discharges.")
    return None


def _groups(trace: cycles.Trace, block: slice) -> list[slice]:
    """Split a block into the rows of each cycle; a block without cycles stays whole."""
    edges = [] if trace.cycle is None else (block.start + np.flatnonzero(np.diff(trace.cycle[block])) + 1).tolist()
    return [slice(*ends) for ends in itertools.pairwise([block.start, *edges, block.stop])]


def _discharges(trace: cycles.Trace, load: float, told: bool, said: Counter[str]) -> list[cycles.Discharge]:
    """Return a group's discharges: all its samples if none is a charge, else the full discharges among them."""
    if told and not (trace.current > load).any():
        return [cycles.Discharge(0, len(trace.time), 0.0)]
    found = cycles.discharges(trace, load)
    if not found:
        said["cycles without a discharge"] += 1
        return []
    charges = [each.charge for each in found]
    least = cycles.FULL * max(charges) if told else cycles.SMALL * float(np.quantile(charges, 0.9))
    kept = [each for each in found if each.charge >= least]
    pulses = "smaller discharges left out of cycles with a full one" if told else "small discharges left out"
    said[f"{pulses}, such as pulses"] += len(found) - len(kept)
    return kept


def _segment(
    cell: str, trace: cycles.Trace, temperature: np.ndarray, reported: float, load: float, said: Counter[str]
) -> Segment:
    """Make one segment, with time from its start; samples with the same time as the next are left out."""
    keep = np.r_[np.diff(trace.time) != 0, True]
    if not keep.all():
        said["samples left out because the next one has the same time"] += int((~keep).sum())
    part = trace.take(keep)
    own_clock = part.time - part.time[0]
    channels = dict(zip(CHANNELS, (own_clock, part.voltage, part.current, temperature[keep]), strict=True))
    segment = Segment(cell, 0, **channels, capacity_Ah=reported, load_A=load)
    low, high = TEMPERATURE_RANGE_C
    wild = np.flatnonzero((segment.temperature_C < low) | (segment.temperature_C > high))
    fault = segment.problem() or cycles.gap_reason(part, load)
    if not fault and wild.size:
        seen = f"{segment.temperature_C[wild[0]]:g} at sample {wild[0]} ({wild.size} such samples)"
        fault = f"temperature_C is {seen}; expected {low:g} to {high:g} degC"
    return replace(segment, fault=fault)


def _temperature(cell: str, rows: pd.DataFrame, reading: Reading, notes: list[str]) -> np.ndarray:
    """Return the temperature of each row in degC; NaN throughout if it is unknown.

    Raises:
        MagBridgeError: If most of the samples cannot be in degC.
    """
    values = rows["temperature_C"].to_numpy(float) if TEMPERATURE.name in rows else np.full(len(rows), np.nan)
    known = values[np.isfinite(values)]
    if not known.size or np.abs(known).max() < MIN_PEAK_TEMPERATURE_C:
        if reading.ambient_C is not None:
            return np.full(len(rows), reading.ambient_C)
        why = "stays at 0 (no sensor)" if known.size else "is not in the file"
        notes.append(f"{cell}: the temperature {why}; temp_mean has no value (give a temperature with --ambient).")
        return np.full(len(rows), np.nan)
    low, high = TEMPERATURE_RANGE_C
    middle, share = float(np.median(known)), known.size / len(values)
    if not low <= middle <= high:
        kelvin = KELVIN[0] < middle < KELVIN[1]
        looks = "kelvin: name it 'Temperature [K]', or map it with unit: K" if kelvin else "m°C: convert it"
        seen = f"temperature_C is {middle:g} in most samples; expected {low:g} to {high:g} degC"
        raise MagBridgeError(f"cell {cell}: {seen} (looks like {looks})")
    if middle > HOT_C:
        hot = f"the temperature is {middle:.0f} degC in most samples"
        notes.append(f"{cell}: {hot}; if it is in another unit, name it: 'Temperature [F]'.")
    if share < SPARSE:
        known_at = f"the temperature is known at {100 * share:.0f} % of the samples"
        notes.append(f"{cell}: {known_at} and interpolated in between.")
        return np.interp(np.arange(len(values)), np.flatnonzero(np.isfinite(values)), known)
    return values


def check_units(cell: str, segments: list[Segment], found: Found, nominal_Ah: float | None = None) -> None:
    """Reject a cell if a channel cannot be in its column's unit, or if its charge exceeds what the cell can hold.

    Raises:
        MagBridgeError: If it is rejected; the message names the cell, the column, the value seen and the likely unit.
    """

    def refuse(channel: str, seen: str, expected: str, looks_like: str) -> None:
        column = found.columns[channel].column
        named, own = (channel, channel.split("_")[0]) if column == channel else (f"{column!r} ({channel})", column)
        name = f"'{split_unit(own)[0]} [{looks_like.split(',')[0].split(' ')[0]}]'"
        fix = f"state the unit in its name, such as {name}, or in a column map"
        raise MagBridgeError(f"cell {cell}: {named} {seen}; expected {expected} (looks like {looks_like}); {fix}")

    peak = {name: max(float(np.abs(getattr(s, name)).max()) for s in segments) for name in CHANNELS[1:3]}
    for channel, unit, most in (("voltage_V", "V", MAX_VOLTAGE_V), ("current_A", "A", MAX_CURRENT_A)):
        if peak[channel] > most:
            looks = f"u{unit}" if peak[channel] > 1000 * most else f"m{unit}{', or a pack of cells' * (unit == 'V')}"
            refuse(channel, f"reaches {peak[channel]:g}", f"at most {most:g} {unit}", looks)
    if peak["voltage_V"] < MIN_PEAK_VOLTAGE_V:
        refuse("voltage_V", f"stays below {peak['voltage_V']:g}", f"at least {MIN_PEAK_VOLTAGE_V:g} V", "kV")
    loaded = [segment for segment in segments if loaded_samples(segment).size]
    durations = [s.time_s[-1] - s.time_s[0] for s in loaded if loaded_samples(s).size >= MIN_LOADED_SAMPLES]
    longest, least = max(durations, default=MIN_LOAD_S), f"at least {MIN_LOAD_S:g}"
    if longest > MAX_DURATION_S:
        refuse("time_s", f"runs {longest:g} in one discharge", f"at most {MAX_DURATION_S:g} s", "ms")
    if longest < MIN_LOAD_S and found.columns["time_s"].unit:
        seen = f"the longest discharge runs {longest:g} s by {found.columns['time_s'].column!r}"
        raise MagBridgeError(f"cell {cell}: {seen}; expected {least} s under load in one; pulses are not supported")
    if longest < MIN_LOAD_S:
        unit = f"{'minutes' if longest * 60 > MIN_LOAD_S else 'hours'}, or all discharges are too short"
        refuse("time_s", f"runs {longest:g} in the longest discharge", f"seconds, {least} in one of them", unit)
    top = max(charge_of(segment) for segment in loaded)
    if nominal_Ah is not None and not 1 / MAX_NOMINAL_RATIO < top / nominal_Ah < MAX_NOMINAL_RATIO:
        seen = f"gives {top:.4g} Ah in the greatest discharge"
        refuse("current_A", seen, f"about {nominal_Ah:g} Ah nominal", "mA, or time_s in another unit")
    for segment in loaded:
        if segment.capacity_Ah > MIN_REPORTED_AH:
            charge = discharged_Ah(segment, slice(None))
            ratio = segment.capacity_Ah / max(charge, MIN_REPORTED_AH * segment.load_A)
            if not 1 / MAX_CAPACITY_RATIO < ratio < MAX_CAPACITY_RATIO:
                reported = f"of cycle {segment.cycle} is {segment.capacity_Ah:g}"
                seen = f"{reported}, the integral of the current {charge:.4g} Ah"
                refuse("capacity_Ah", seen, "Ah", "mAh, or current_A or time_s in another unit")


def summary(table: pd.DataFrame) -> list[str]:
    """Summarise valid and dropped discharges in lines: first all cells, then each cell that lost some.

    Args:
        table: As returned by `features.feature_table`.
    """
    dropped = table[~table["valid"]]
    cells = table.groupby("cell_id")["valid"]
    count = table["cell_id"].nunique()
    lines = [f"{count:,} cell{'s' * (count != 1)}, {len(table):,} discharges, {int(table['valid'].sum()):,} valid"]
    if len(dropped):
        lines[0] += f"; {len(dropped)} dropped: {_kinds(dropped)}"
        if len(cells) > 1:
            for cell, rows in dropped.groupby("cell_id"):
                valid = cells.get_group(cell)
                lines.append(f"  {cell}: {int(valid.sum())} of {len(valid)} valid; {_kinds(rows)}")
    return lines


def _kinds(dropped: pd.DataFrame) -> str:
    def kind(reason: str) -> str:
        if reason.startswith("0 loaded"):
            return "without current"
        if "loaded samples" in reason:
            return f"with fewer than {MIN_LOADED_SAMPLES} loaded samples"
        return f"shorter than {MIN_LOAD_S:.0f} s" if "under load, less" in reason else reason

    counts = Counter(kind(reason) for reason in dropped["reason"])
    first = [f"{count} {what}" for what, count in counts.most_common(4)]
    return ", ".join(first) + (f" and {len(counts) - 4} other kinds" if len(counts) > 4 else "")
