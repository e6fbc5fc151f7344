"""Ten features per discharge segment: the load window, the rules for a valid segment, and protocols C, P and D.

Current is negative in discharge everywhere. The features are those of Table 3 of the paper "HQ-VQVAE for Unsupervised
Battery Precursor Discovery", under its names; the paper does not state how segments are cleaned, so the rules are ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError

from .download import packaged_document

FEATURE_UNITS: dict[str, str] = packaged_document("names.yaml")["features"]
FEATURES = tuple(FEATURE_UNITS)
RAW_FEATURES = tuple(f"{name}_raw" for name in FEATURES)
PROTOCOLS = ("C", "P", "D")

LOAD_CURRENT_A = -0.1  # a sample below this is loaded; cells with small currents use a share of their greatest
MIN_LOADED_SAMPLES = 10
MIN_LOAD_S = 300.0
MIN_REPORTED_AH = 0.05  # a capacity at or below this was not measured (the run stopped before the reference voltage)
START_SEGMENTS = 5  # protocol D: the cell's own first valid segments
CURVE_POINTS = 64  # samples of a resampled voltage curve


@dataclass(frozen=True)
class Segment:
    """One discharge as recorded: four channels of equal length `(n,)` and the capacity reported by the tester.

    Args:
        cell_id: name of the cell.
        cycle: 0-based index of the discharge in the life of the cell.
        time_s: seconds, strictly increasing.
        voltage_V: terminal voltage.
        current_A: current, negative in discharge.
        temperature_C: cell temperature.
        capacity_Ah: reported capacity, NaN if missing.
        load_A: current in A above which a sample is loaded; below 0.1 A for a cell with small currents.
        fault: why the record cannot be used; "" if it can.
    """

    cell_id: str
    cycle: int
    time_s: np.ndarray
    voltage_V: np.ndarray
    current_A: np.ndarray
    temperature_C: np.ndarray
    capacity_Ah: float = float("nan")
    load_A: float = -LOAD_CURRENT_A
    fault: str = ""

    def check(self) -> None:
        """Reject a record from which no features can be computed; a temperature that is NaN throughout is allowed.

        Raises:
            MagBridgeError: If channels differ in length, have under two samples or NaN, or time does not increase.
        """
        if problem := self.problem():
            raise MagBridgeError(f"cell {self.cell_id} cycle {self.cycle}: {problem}")

    def problem(self) -> str:
        """Describe what is wrong with the record; return "" if nothing is."""
        channels = {name: getattr(self, name) for name in ("time_s", "voltage_V", "current_A", "temperature_C")}
        lengths = {name: len(values) for name, values in channels.items()}
        if len(set(lengths.values())) > 1 or min(lengths.values()) < 2:
            return f"channels need one common length of at least 2, got {lengths}"
        for name, values in channels.items():
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size and not (name == "temperature_C" and bad.size == len(values)):
                seen = f"{name} is {values[bad[0]]} at sample {bad[0]} ({bad.size} such samples)"
                return f"{seen}; expected finite numbers: drop or interpolate them first"
        steps = np.diff(self.time_s)
        if steps.min() <= 0:
            at = int(np.argmin(steps > 0)) + 1
            seen = f"at sample {at} ({self.time_s[at - 1]:g} then {self.time_s[at]:g})"
            return f"time_s does not increase {seen}; sort the samples and drop duplicates"
        return ""


def require_known(what: str, name: str, known: Iterable[str]) -> None:
    """Raise MagBridgeError unless a name is one of the known ones.

    Args:
        what: Kind of name, for the message.
        name: The name to check.
        known: All valid names.
    """
    if name not in known:
        raise MagBridgeError(f"{what} {name!r} is unknown; expected one of {', '.join(known)}")


def require_columns(table: pd.DataFrame, names: Iterable[str], expected: str) -> None:
    """Raise MagBridgeError unless a table has the named columns; `expected` describes the table it should be."""
    missing = [name for name in names if name not in table]
    if missing:
        raise MagBridgeError(f"the table lacks {', '.join(missing)}: expected {expected}")


def loaded_samples(segment: Segment) -> np.ndarray:
    """Return the indices of the samples under load: current below -0.1 A, or below a small cell's own threshold."""
    return np.flatnonzero(segment.current_A < -segment.load_A)


def load_window(segment: Segment) -> slice:
    """Return the window from the last rest sample to the last loaded one; the recovery tail after cutoff is cut.

    Args:
        segment: A checked record.

    Returns:
        A slice into the channels.

    Raises:
        MagBridgeError: If no sample is loaded.
    """
    loaded = loaded_samples(segment)
    if loaded.size == 0:
        seen = f"current_A is never below {-segment.load_A:g} A; its minimum is {segment.current_A.min():g}"
        where = f"cell {segment.cell_id} cycle {segment.cycle}"
        raise MagBridgeError(f"{where}: no load ({seen}); expected a discharge with negative current in ampere")
    return slice(max(int(loaded[0]) - 1, 0), int(loaded[-1]) + 1)


def exclusion_reason(segment: Segment) -> str:
    """Explain why a segment is left out of protocols C and D; return "" if it is kept.

    Segments with at least 10 loaded samples over at least 300 s are kept.
    """
    if segment.fault:
        return segment.fault
    loaded = loaded_samples(segment)
    if loaded.size < MIN_LOADED_SAMPLES:
        return f"{loaded.size} loaded samples, fewer than {MIN_LOADED_SAMPLES}"
    time = segment.time_s[load_window(segment)]
    if time[-1] - time[0] < MIN_LOAD_S:
        return f"{time[-1] - time[0]:.0f} s under load, less than {MIN_LOAD_S:.0f} s"
    return ""


def discharged_Ah(segment: Segment, window: slice) -> float:
    """Integrate the charge drawn from the cell in a window by the trapezoidal rule.

    Args:
        segment: A checked record.
        window: Slice of its samples.

    Returns:
        The charge in Ah, positive in discharge.
    """
    return float(-np.trapezoid(segment.current_A[window], segment.time_s[window]) / 3600)


def charge_of(segment: Segment) -> float:
    """Return the charge in Ah that a discharge draws under load."""
    return discharged_Ah(segment, load_window(segment))


def _statistics(segment: Segment, window: slice) -> dict[str, float]:
    """Compute the eight features that depend only on the window itself."""
    time, voltage = segment.time_s[window], segment.voltage_V[window]
    slope = np.diff(voltage) / np.diff(time)
    current, temperature = segment.current_A[window], segment.temperature_C[window]
    of_voltage = voltage.min(), voltage.max(), voltage.mean()
    values = (time[-1] - time[0], *of_voltage, current.mean(), temperature.mean(), slope.mean(), slope.min())
    return dict(zip(FEATURES[:8], values, strict=True))


def start_resistance(segment: Segment) -> float:
    """Compute the resistance at the start of the load.

    Args:
        segment: A checked record with at least two loaded samples.

    Returns:
        The voltage drop from rest to the second loaded sample over |I| of that sample, in ohm.
    """
    second = loaded_samples(segment)[1]
    rest = load_window(segment).start
    return float((segment.voltage_V[rest] - segment.voltage_V[second]) / abs(segment.current_A[second]))


def resampled_voltage(segment: Segment) -> np.ndarray:
    """Resample the load window's voltage to 64 equal steps of normalised time.

    Args:
        segment: A checked record.

    Returns:
        Voltage in V, float32 `(64,)`.
    """
    window = load_window(segment)
    time = segment.time_s[window]
    grid = np.linspace(time[0], time[-1], CURVE_POINTS)
    return np.interp(grid, time, segment.voltage_V[window]).astype(np.float32)


def feature_table(segments: list[Segment]) -> pd.DataFrame:
    """Build one tidy table of all segments of any number of cells, in order of cell and cycle.

    Args:
        segments: Records, checked or not; each is checked.

    Returns:
        One row per segment: `cell_id`, `cycle`, `valid`, `reason` (why not valid, else ""), `resistance_ohm`, the ten
        features of protocol C (NaN in invalid rows) and those of protocol P with the suffix `_raw`. `ah_throughput`
        accumulates over the cell's segments up to and including this one; `capacity` is the reported one if above
        0.05 Ah, else the charge of the segment's own window; `capacity_raw` is the reported one, 0 if missing.

    Raises:
        MagBridgeError: If a record has NaN, unequal channels or time that runs back, or a cycle occurs twice.
    """
    rows = []
    throughput: dict[str, list[float]] = {}
    seen = set()
    for segment in sorted(segments, key=lambda s: (s.cell_id, s.cycle)):
        if not segment.fault:
            segment.check()
        if (segment.cell_id, segment.cycle) in seen:
            where = f"cell {segment.cell_id} cycle {segment.cycle}"
            raise MagBridgeError(f"{where} appears twice; number the cycles uniquely")
        seen.add((segment.cell_id, segment.cycle))
        total = throughput.setdefault(segment.cell_id, [0.0, 0.0])
        reason = exclusion_reason(segment)
        row = {"cell_id": segment.cell_id, "cycle": segment.cycle, "valid": not reason, "reason": reason}
        row |= dict.fromkeys(("resistance_ohm", *FEATURES, *RAW_FEATURES), np.nan)
        rows.append(row)
        if segment.fault:
            continue
        if loaded_samples(segment).size:
            charge = charge_of(segment)
            total[0] += charge
        if not reason:
            row["resistance_ohm"] = start_resistance(segment)
            row |= _statistics(segment, load_window(segment))
            row["ah_throughput"] = total[0]
            measured = MIN_REPORTED_AH * segment.load_A / -LOAD_CURRENT_A
            row["capacity"] = segment.capacity_Ah if segment.capacity_Ah > measured else charge
        total[1] += discharged_Ah(segment, slice(None))
        row |= {f"{name}_raw": value for name, value in _statistics(segment, slice(None)).items()}
        row["ah_throughput_raw"] = total[1]
        row["capacity_raw"] = float(np.nan_to_num(segment.capacity_Ah))
    columns = ["cell_id", "cycle", "valid", "reason", "resistance_ohm", *FEATURES, *RAW_FEATURES]
    return pd.DataFrame(rows, columns=columns)


def apply_protocol(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """Select the rows and the ten features of one protocol.

    Args:
        table: A table from `feature_table`; it may have more columns.
        protocol: "C" cleaned; "P" the raw whole records of all segments, nothing dropped, as in the paper; "D" protocol
            C less the median of the cell's own first 5 valid segments, feature by feature.

    Returns:
        The table with the features under their standard names and without the `_raw` columns, rows renumbered from 0.

    Raises:
        MagBridgeError: If the protocol is unknown.
    """
    require_known("protocol", protocol, PROTOCOLS)
    features = list(FEATURES)
    if protocol == "P":
        table = table[table["t_total_raw"].notna()].copy()  # a faulty record has no raw features either
        table[features] = table[list(RAW_FEATURES)].to_numpy()
    else:
        table = table[table["valid"]].copy()
    if protocol == "D":
        for _, rows in table.groupby("cell_id", sort=False).groups.items():
            start = table.loc[rows[:START_SEGMENTS], features].median()
            table.loc[rows, features] = table.loc[rows, features] - start
    return table.drop(columns=list(RAW_FEATURES)).reset_index(drop=True)


FRACTIONS = (0.2, 0.5, 0.8, 0.9)
VOLTAGES = tuple(f"v_{round(100 * fraction)}" for fraction in FRACTIONS)
CHARGE_UNITS = {"capacity": "Ah", "v_mean_charge": "V", **dict.fromkeys(VOLTAGES, "V")}
CHARGE_FEATURES = tuple(CHARGE_UNITS)
"""`capacity`, the mean voltage over charge, and the voltage at 20, 50, 80 and 90 % of the discharged charge."""


def charge_features(charge_Ah: np.ndarray, voltage_V: np.ndarray) -> dict[str, float]:
    """Compute features of one discharge over its charge.

    Args:
        charge_Ah: Cumulative discharged charge in Ah, never decreasing, (n,).
        voltage_V: Voltage in V at the same samples, (n,).

    Returns:
        Values of `CHARGE_FEATURES` by name; `capacity` is the final charge.

    Examples:
        >>> charge_features(np.array([0.0, 1.0]), np.array([4.0, 3.0]))["v_20"]
        3.8
    """
    voltages = np.interp(np.array(FRACTIONS) * charge_Ah[-1], charge_Ah, voltage_V)
    mean = np.trapezoid(voltage_V, charge_Ah) / (charge_Ah[-1] - charge_Ah[0])
    return dict(zip(CHARGE_FEATURES, (float(charge_Ah[-1]), float(mean), *voltages.tolist()), strict=True))


def add_charge_features(table: pd.DataFrame, segments: list[Segment]) -> pd.DataFrame:
    """Add the charge features except `capacity` to the valid rows of a table from `feature_table`.

    Args:
        table: One row per segment, with a column `valid`.
        segments: The records that the table was made from.

    Returns:
        The table with `v_mean_charge` and `VOLTAGES`, NaN in invalid rows.
    """
    by_key = {(segment.cell_id, segment.cycle): segment for segment in segments}
    names = [name for name in CHARGE_FEATURES if name != "capacity"]
    rows = np.full((len(table), len(names)), np.nan)
    for row in np.flatnonzero(table["valid"]):
        segment = by_key[table["cell_id"].iloc[row], table["cycle"].iloc[row]]
        window = load_window(segment)
        time, current = segment.time_s[window], segment.current_A[window]
        steps = -np.diff(time) * (current[1:] + current[:-1]) / 7200
        charge = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 0.0))])
        found = charge_features(charge, segment.voltage_V[window])
        rows[row] = [found[name] for name in names]
    return table.assign(**dict(zip(names, rows.T, strict=True)))


def less_the_beginning(table: pd.DataFrame, names: Sequence[str], window: Sequence[int]) -> pd.DataFrame:
    """Subtract from features their mean over each cell's first segments; keep only the rows after that window.

    Args:
        table: Valid segments with `cell_id`, `cycle` and the features; every cell starts with its first segment.
        names: The features; other columns stay unchanged.
        window: First and last segment of the reference, counted from 1 in each cell.

    Returns:
        The rows after the window in order of cell and cycle, numbered from 0.

    Raises:
        MagBridgeError: If no cell has a segment after the window.
    """
    table = table.sort_values(["cell_id", "cycle"], kind="stable")
    first, last = window
    place = table.groupby("cell_id", sort=False).cumcount() + 1
    inside = (place >= first) & (place <= last)
    reference = table.loc[inside].groupby("cell_id")[list(names)].mean()
    kept = table[place > last].reset_index(drop=True)
    if kept.empty:
        longest = int(place.max()) if len(place) else 0
        raise MagBridgeError(
            f"no cell has a segment after the {last} that its reference needs; the longest has {longest}"
        )
    kept[list(names)] = kept[list(names)].to_numpy(dtype=float) - reference.loc[kept["cell_id"]].to_numpy()
    return kept
