"""Columns under any name: which column is which field, in which unit, from the names themselves or from a column map.

A column map is a small YAML file with the same format for tables of labels, cycling data and scans:

```yaml
columns:
  voltage: {column: OCV, unit: mV}
  current_A: {column: I, unit: mA, sign: -1}
sheet: Cells        # sheet of a workbook
header: 4           # row of the column names
```
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dataset_card.contract.measured import InputField
from dataset_card.storage.documents import plain_yaml, schema_errors
from dataset_card.storage.faults import Fault, fault, require

MAX_BYTES = 64 * 2**10
SCHEMA_FILE = Path(__file__).with_name("column_map.schema.json")

MOST_NAMES = 2000
"""Number of cells of a row that are examined to recognise a header; wider tables are refused by their readers."""

UNITS: dict[str, dict[str, float]] = {
    "V": {"V": 1, "mV": 1e-3, "uV": 1e-6, "volt": 1, "volts": 1, "millivolt": 1e-3},
    "A": {"A": 1, "mA": 1e-3, "uA": 1e-6, "amp": 1, "amps": 1, "ampere": 1, "amperes": 1, "milliampere": 1e-3},
    "Ah": {"Ah": 1, "mAh": 1e-3, "A*h": 1, "ampere hour": 1, "milliampere hour": 1e-3},
    "s": {
        "s": 1, "sec": 1, "second": 1, "seconds": 1, "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
        "hh:mm:ss": 1, "h:min:s": 1, "h:min:s.ms": 1,
        "min": 60, "minute": 60, "minutes": 60, "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600,
    },
    "fraction": {"fraction": 1, "1": 1, "-": 1, "%": 1e-2, "percent": 1e-2, "pct": 1e-2},
    "%": {"%": 1, "percent": 1, "pct": 1, "fraction": 100, "1": 100},
    "mm": {"mm": 1, "cm": 10, "m": 1e3, "um": 1e-3, "millimetre": 1, "millimeter": 1, "metre": 1e3, "meter": 1e3},
    "degC": {"degC": 1, "C": 1, "celsius": 1, "degree celsius": 1, "K": 1, "kelvin": 1,
             "F": 5 / 9, "degF": 5 / 9, "fahrenheit": 5 / 9},
    "-": {"-": 1, "1": 1, "dimensionless": 1},
    "nT": {"T": 1e9, "mT": 1e6, "uT": 1e3, "nT": 1, "pT": 1e-3, "fT": 1e-6, "G": 1e5, "gauss": 1e5, "mG": 1e2},
}  # fmt: skip
"""Factor from each spelling of a unit to the contract's unit; case matters only if two spellings would coincide."""

ZERO = {"K": -273.15, "kelvin": -273.15, "F": -160 / 9, "degF": -160 / 9, "fahrenheit": -160 / 9}
"""The temperature in degC of a reading of 0 in each unit."""


@dataclass(frozen=True)
class Column:
    """The source of a field's values.

    Attributes:
        column: The column in the file.
        factor: Factor from the column's unit to the field's, including the sign.
        offset: Added after the multiplication, in the field's unit.
        unit: The unit of the column, if it is stated; otherwise empty.
    """

    column: str
    factor: float = 1.0
    offset: float = 0.0
    unit: str = ""


@dataclass(frozen=True)
class ColumnMap:
    """A column map that was read from a file.

    Attributes:
        path: Its file; None for the empty map, and for the names in a published table, which may be missing.
        entries: Entry of each field: `column`, and `unit`, `sign` and `axis` if given.
        sheet: Name of the workbook's sheet.
        header: Row of the column names, counted from 1.
    """

    path: Path | None = None
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sheet: str | None = None
    header: int | None = None

    @property
    def file(self) -> str:
        """The map's file for errors; empty if it has none."""
        return "" if self.path is None else str(self.path)


@dataclass(frozen=True)
class Found:
    """The columns of a table, assigned to fields.

    Attributes:
        columns: The column of each field that was found.
        ignored: Columns that match no field.
        notes: Sentences to print about the columns.
    """

    columns: dict[str, Column]
    ignored: tuple[str, ...]
    notes: tuple[str, ...]


def read_small_yaml(path: Path, expected: str) -> Any:
    """Read a YAML file that a user wrote by hand; `expected` describes its contents in errors.

    Raises:
        FaultyInput: If it is not a small file of plain YAML.
    """
    if path.exists() and not path.is_file():  # a pipe would never end
        raise fault("not a file", "a YAML file", "check the path", file=path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise fault(f"not readable ({error.strerror})", "a YAML file", "check the path", file=path) from error
    if len(data) > MAX_BYTES:
        raise fault(f"over {MAX_BYTES} bytes", f"at most {MAX_BYTES}", "check that this is the right file", file=path)
    try:
        return plain_yaml(data.decode("utf-8"))
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise fault(f"not plain YAML ({reason})", expected, "see the guide", file=path) from error


def read_column_map(path: Path | str | None, known: Collection[str] = ()) -> ColumnMap:
    """Read a column map.

    Args:
        path: YAML that follows `dataset_card/storage/column_map.schema.json`; None returns the empty map.
        known: Names that its entries may have.

    Raises:
        FaultyInput: If the file is not a valid column map; the message names the entry.
    """
    if path is None:
        return ColumnMap()
    path = Path(path)
    document = read_small_yaml(path, "fields and their columns")
    for place, message in sorted(schema_errors(document, SCHEMA_FILE), key=lambda error: error[0]):
        raise fault(message[:200], "the schema's entries", f"see {SCHEMA_FILE.name}", ".".join(place), path)
    section = "channels" if "channels" in document else "columns"
    entries = document.get(section, {}) | ({"time": document["time"]} if "time" in document else {})
    faults = []
    columns = [entry["column"] for entry in entries.values()]
    for name, entry in entries.items():
        where = name if name == "time" else f"{section}.{name}"
        if name not in known:
            faults.append(Fault(str(path), where, f"field {name!r}", ", ".join(known), _meant(name, known)))
        if columns.count(entry["column"]) > 1:
            found = f"column {entry['column']!r} of two fields"
            faults.append(Fault(str(path), where, found, "one column per field", "correct one of them"))
    require(faults)
    return ColumnMap(path, entries, document.get("sheet"), document.get("header"))


def known_unit(unit: str, target: str) -> str | None:
    """Return the spelling in `UNITS` of a unit that converts to the target unit; None if it does not convert."""
    spelling = re.sub("[µμ]", "u", unit).replace("℃", "C").encode("ascii", "ignore").decode().strip()
    spellings = UNITS.get(target, {})
    if spelling in spellings:
        return spelling
    return next((known for known in spellings if known.casefold() == spelling.casefold()), None)


def unit_factor(unit: str, target: str) -> tuple[float, float] | None:
    """Return the factor and offset from a unit to a target unit of `UNITS`; None if it does not convert."""
    name = known_unit(unit, target)
    return None if name is None else (UNITS[target][name], ZERO.get(name, 0.0))


def words(name: object) -> str:
    """Return a name in lower case, with its words separated by single spaces."""
    return re.sub(r"[\s_.-]+", " ", str(name).casefold()).strip(" #~")


def split_unit(name: object) -> tuple[str, str]:
    """Split a column's name from its unit, as in `Voltage [mV]`, `Voltage (mV)` or `Voltage / mV`; else unit ''."""
    match = re.fullmatch(r"\s*(.*?)\s*(?:\[(.*)\]|\((.*)\)|/\s*([^/]+?))\s*", str(name))
    if match is None or not match[1]:
        return str(name), ""
    return match[1], next((part for part in match.groups()[1:] if part is not None), "").strip()


@lru_cache(64)
def _parts(name: str) -> tuple[str, str, str]:
    """Return a name in words, the same without its unit, and the unit; kept, since each name meets every field."""
    base, unit = split_unit(name)
    return words(name), words(base), unit


@cache
def _spellings(of: InputField) -> tuple[str, ...]:
    return tuple(words(alias) for alias in (of.name, *of.aliases))


def named(name: object, of: InputField) -> tuple[int, str] | None:
    """Return how well a column's name fits a field (0 is best) and the unit that it states; None if it does not fit."""
    whole, base, unit = _parts(str(name))
    for rank, alias in enumerate(_spellings(of)):
        if whole == alias:
            return rank, ""
        if base == alias and unit:
            return rank, unit
        rest = whole.removeprefix(f"{alias} ")
        if rest != whole and unit_factor(rest, of.unit) is not None:
            return rank, rest
    return None


def _stated(column: str, of: InputField) -> str:
    """Return the unit that a field's column states in its name, or an empty string."""
    return (named(column, of) or (0, split_unit(column)[1]))[1]


def recognised(names: Iterable[object], fields: Sequence[InputField], mapped: ColumnMap) -> int:
    """Count the fields that a row of names mentions, which distinguishes a header from other rows."""
    cells = [name for name in islice(names, MOST_NAMES) if isinstance(name, str) and name.strip()]
    columns = {words(entry["column"]) for entry in mapped.entries.values()}
    return sum(
        words(name) in columns or (_has_letters(name) and any(named(name, each) is not None for each in fields))
        for name in cells
    )


def _has_letters(name: str) -> bool:
    """Return whether a cell can be a field's name; most cells of a file are numbers, which cannot."""
    return any(map(str.isalpha, name))


def find_columns(
    names: Sequence[str],
    fields: Sequence[InputField],
    mapped: ColumnMap,
    header: int = 1,
    units: Mapping[str, str] = MappingProxyType({}),
) -> Found:
    """Assign columns to fields by the map, or otherwise by their names and units.

    Args:
        names: Columns of the table.
        fields: Fields that it may have; see `require_columns` for those it must have.
        mapped: The column map.
        header: Row of the names, for messages.
        units: Units of columns, if the file has a row of units.

    Raises:
        FaultyInput: Without a file (see `faults_in`), if a column of the map is missing, a unit does not convert to
            the field's, or two columns fit one field.
    """
    faults: list[Fault] = []
    columns: dict[str, Column] = {}
    taken: dict[str, str] = {}
    where = f"row {header}"
    for each in fields:
        entry = mapped.entries.get(each.name)
        if entry is not None and mapped.path is not None:
            column, unit = str(entry["column"]), entry.get("unit")
            if column not in names:
                fix = _meant(column, names)
                listed = ", ".join(map(str, names[:12]))
                faults.append(Fault(mapped.file, f"columns.{each.name}", f"no column {column!r}", listed, fix))
                continue
            unit = _stated(column, each) or units.get(column, "") if unit is None else unit
            sign = entry.get("sign", 1)
        else:
            fits = [(fit, name) for name in names if (fit := named(name, each)) is not None and name not in taken]
            if entry is not None and entry["column"] in names:  # a published name, which is a further alias
                fits.append(((0, ""), str(entry["column"])))
            if not fits:
                continue
            in_unit = [(fit, name) for fit, name in fits if not fit[1] or unit_factor(fit[1], each.unit) is not None]
            fits = in_unit or fits  # such as a capacity in mAh next to one in mWh
            (rank, unit), column = min(fits, key=lambda item: item[0][0])
            unit = unit or units.get(column, "")
            rivals = [name for (other, _), name in fits if other == rank and name != column]
            if rivals:
                found = f"columns {column!r} and {rivals[0]!r}, both {each.name}"
                faults.append(Fault("", where, found, "one of them", "choose one in a column map (--columns)"))
                continue
            sign = 1
        if each.is_text or each.unit == "-":
            factor: tuple[float, float] | None = (1.0, 0.0)
        else:
            factor = (1.0, 0.0) if not unit else unit_factor(unit, each.unit)
        if factor is None:
            known = ", ".join(UNITS.get(each.unit, {each.unit: 1}))
            faults.append(Fault("", where, f"column {column!r} in {unit!r}", f"{each.name} in {known}",
                                "convert it, or state its unit in a column map (--columns)"))  # fmt: skip
            continue
        columns[each.name] = Column(column, sign * factor[0], factor[1], known_unit(unit, each.unit) or unit)
        taken[column] = each.name
    require(faults)
    ignored = tuple(str(name) for name in names if name not in taken)
    return Found(columns, ignored, _notes(columns, ignored, fields, mapped))


def require_columns(
    found: Found, names: Sequence[str], fields: Sequence[InputField], together: Collection[str] = (), header: int = 1
) -> None:
    """Check that the required columns are present.

    Args:
        found: Result of `find_columns`.
        names: Columns of the table.
        fields: Fields, some of them required.
        together: Fields of which a table has all or none.
        header: Row of the names, for messages.

    Raises:
        FaultyInput: Without a file (see `faults_in`), if a required column and those from which it is derived are
            missing, or only some columns of `together` are present.
    """
    faults, where, there = [], f"row {header}", set(found.columns)
    for each in fields:
        derived = bool(each.derived_from) and there.issuperset(each.derived_from)
        if each.required and each.name not in there and not derived:
            missing = f"no column for {each.name!r} among {', '.join(map(repr, names[:12]))}"
            fix = _did_you_mean(each, found.ignored)
            faults.append(Fault("", where, missing, f"{each.name}{in_unit(each.unit)}", fix))
    absent = [name for name in together if name not in there]
    if absent and len(absent) < len(together):
        count, (first, *_, last) = len(together) - len(absent), together
        some = f"{count} of the columns {first!r} to {last!r}, but no {absent[0]!r}"
        faults.append(Fault("", where, some, f"all {len(together)} or none", "add the missing columns"))
    require(faults)


def in_unit(unit: str) -> str:
    """Return a unit in the form in which it follows a name or the word `number`."""
    return {"-": "", "fraction": " as a fraction"}.get(unit, f" in {unit}")


def _notes(
    columns: dict[str, Column], ignored: tuple[str, ...], fields: Sequence[InputField], mapped: ColumnMap
) -> tuple[str, ...]:
    notes, changed = [], []
    units = {each.name: each.unit for each in fields}
    for name, c in columns.items():
        if c.factor != 1 or c.offset or mapped.entries.get(name, {}).get("column") == c.column:
            turned = ", sign turned" if c.factor < 0 else ""
            changed.append(f"{name} from {c.column!r}{in_unit(c.unit or units[name])}{turned}")
    if changed:
        notes.append(f"Columns: {'; '.join(changed)}.")
    if ignored:
        listed = ", ".join(repr(name) for name in ignored[:8]) + (" and more" if len(ignored) > 8 else "")
        notes.append(f"Ignored columns: {listed}.")
    return tuple(notes)


def _meant(name: object, names: Iterable[object]) -> str:
    """Return the fix for a name that does not exist."""
    by_words = {words(known): known for known in names}
    near = difflib.get_close_matches(words(name), list(by_words), 1, 0.6)
    return f"did you mean {str(by_words[near[0]])!r}?" if near else "correct or remove the entry"


def _did_you_mean(each: InputField, names: Iterable[str]) -> str:
    """Return the fix for a field without a column: the column with a similar name, if any."""
    near = [name for name in names if difflib.get_close_matches(
        words(split_unit(name)[0]), [words(alias) for alias in (each.name, *each.aliases)], 1, 0.7)]  # fmt: skip
    if near:
        return (
            f"did you mean {near[0]!r}? then rename it, or map it: columns.yaml with {each.name}: {{column: {near[0]}}}"
        )
    return f"add it, or name your column in a column map (--columns) with {each.name}: {{column: ...}}"
