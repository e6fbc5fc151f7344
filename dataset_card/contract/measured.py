"""The contract of a user's own data: columns of tables and scans, with unit, range and meaning.

Readers, the commands' help and the guide (`docs/guides/your-cells.md`) are derived from these values.
"""

from dataclasses import dataclass, replace

from dataset_card.contract.field import DECLARED, declared, markdown_table
from dataset_card.contract.schema import CHANNELS, U_FEATURES, T


@dataclass(frozen=True)
class InputField:
    """One column of a user's table.

    Attributes:
        name: Column name.
        meaning: One sentence.
        unit: Physical unit, or `-`.
        low: Smallest allowed value; None for text.
        high: Largest allowed value; None for text.
        above: Whether `low` itself is excluded.
        required: Whether the column must be present; a column that is present has no empty cells.
        slip: Factor by which an out-of-range value is typically wrong, and the text of the hint.
        suspect_up_to: If all values of the column are at most this, it is probably in another unit.
        aliases: Alternative names, without units, in lower case.
        derived_from: Columns from which the values are derived if the column itself is missing.
    """

    name: str
    meaning: str
    unit: str = "-"
    low: float | None = None
    high: float | None = None
    above: bool = False
    required: bool = True
    slip: tuple[float, str] | None = None
    suspect_up_to: float | None = None
    aliases: tuple[str, ...] = ()
    derived_from: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether its values are names."""
        return self.low is None

    @property
    def range(self) -> str:
        """The range in words."""
        if self.low is None:
            return "name: letters, digits, `.`, `_`, `+`, `-`"
        return f"{'(' if self.above else '['}{self.low:g}, {self.high:g}]"


CHEMISTRY_NAMES = {
    "LFP": ("lifepo4", "lfp/graphite", "lfp-graphite", "lithium iron phosphate"),
    "LMO": ("limn2o4", "lmo/graphite", "lmo-graphite"),
    "NMC": ("ncm", "linimncoo2", "nmc/graphite", "nmc-graphite", "nmc111", "nmc532", "nmc622", "nmc811"),
}
"""Chemistries of PulseBat's tables, each with its alternative names in lower case."""


def chemistry_of(name: str) -> str:
    """Return the contract's name of a chemistry, such as `LFP` for `lfp` or `LiFePO4`; keep an unknown name.

    Example:
        >>> chemistry_of("LiFePO4"), chemistry_of("lfp"), chemistry_of("NCA")
        ('LFP', 'LFP', 'NCA')
    """
    known = {n: chemistry for chemistry, names in CHEMISTRY_NAMES.items() for n in (chemistry.lower(), *names)}
    return known.get(name.lower(), name)


INPUTS = {field.name: field for field in declared(InputField, "inputs")}
"""Every column that a table may have, except the pulse voltages."""

PULSES = tuple(
    InputField(f"U{i}", f"Voltage {i} of PulseBat's pulse test; all {U_FEATURES} or none.", "V", 1.5, 5.0, False, False)
    for i in range(1, U_FEATURES + 1)
)

SOH_MAX = 1.05
"""Largest SOH that a bridge accepts: a fresh cell may slightly exceed its nominal capacity."""

_LABELS = ("cell_id", "battery_id", "age_cycles", "chemistry")
_CAPACITIES = ("capacity_Ah", "nominal_Ah")
CELL_FIELDS = (
    *(INPUTS[name] for name in _LABELS),
    *(replace(INPUTS["soc"], above=True), replace(INPUTS["soh"], high=SOH_MAX)),
    *(replace(INPUTS["voltage"], required=False), *(INPUTS[name] for name in _CAPACITIES), *PULSES),
)
"""Columns of a table of cells (`bridge build --cells`): one row per record, voltage or U1..U21."""

LABEL_FIELDS = (*(INPUTS[n] for n in ("scan_id", *_LABELS, "voltage", "soc", "soh", *_CAPACITIES)), *PULSES)
"""Columns of the labels of measured scans (`bridge adopt --labels`): one row per scan."""

ARCHIVE_FIELDS = tuple(INPUTS[name] for name in ("scan_id", "voltage", "position"))
"""Columns of the table of a scan archive (`bridge build --scans --scan-table`): one row per scan."""

MAP_POSITION = tuple(INPUTS[f"{axis}_mm"] for axis in "xyz")
MAP_FIELDS = (*MAP_POSITION, *(INPUTS[f"b{axis}_nT"] for axis in "xyz"))
"""Columns of a field map (`bridge residuals MAP --against DESIGN`): one row per place, one to three axes."""

AXES = dict(zip(CHANNELS, ("across", "along", "across", "along", "magnitude", "magnitude")))
"""Axis of each channel: across the scan's path (Y), along it (Z), or the magnitude of both."""

MEASURED_CHANNELS = CHANNELS[:4]
"""Required channels; the magnitudes are derived if they are missing."""

TIME_COLUMNS = {"time_s": "seconds, increasing, evenly spaced", "step": "whole numbers 0, 1, 2, ..."}
"""Optional columns of a scan that describe its sampling."""

SIGNAL_ROWS = (
    *((name, "nT, or as mapped", "yes" if name in MEASURED_CHANNELS else "no", f"{axis}, sensor {name[3]}")
      for name, axis in AXES.items()),
    *((name, "s" if name == "time_s" else "-", "no", meaning) for name, meaning in TIME_COLUMNS.items()),
)  # fmt: skip
MEANINGS: dict[str, str] = DECLARED["measured"]
"""Meanings of fields that differ in a release of measured cells."""

FORMS = (
    f"Parquet: one row per scan, `scan_id` and a list per channel. HDF5: one group per scan, named by its id, one 1-D "
    "dataset per channel. CSV: a folder, one file per scan, `SCAN_ID.csv`, one row per step; or one table of all steps "
    f"with `scan_id` in each row. Steps other than {T} are resampled to {T}."
)
"""How signals are stored."""


def table_of(fields: tuple[InputField, ...]) -> str:
    """Return a Markdown table of the columns, with the pulse voltages in one row."""
    rows = []
    for field in fields:
        if field in PULSES[1:]:
            continue
        name = f"`U1` to `U{U_FEATURES}`" if field in PULSES else f"`{field.name}`"
        meaning = f"Voltages of PulseBat's pulse test; all {U_FEATURES} or none." if field in PULSES else field.meaning
        rows.append((name, field.unit, field.range, "yes" if field.required else "no", meaning))
    return markdown_table(("column", "unit", "range", "required", "meaning"), rows)


def signal_table() -> str:
    """Return a Markdown table of the columns of a scan."""
    rows = [(f"`{name}`", *rest) for name, *rest in SIGNAL_ROWS]
    return markdown_table(("column", "unit", "required", "meaning"), rows)


def columns_in_words(fields: tuple[InputField, ...]) -> str:
    """List the columns for a command's help, with units and ranges."""

    def word(field: InputField) -> str:
        unit = "" if field.unit == "-" else f" {field.unit}"
        return field.name if field.is_text else f"{field.name} ({field.low:g} to {field.high:g}{unit})"

    words = ", ".join(word(field) for field in fields if field.required)
    optional = [word(field) for field in fields if not field.required and field not in PULSES]
    optional += [f"U1 to U{U_FEATURES} (V)"] if set(PULSES) & set(fields) else []
    return words + (f"; optional: {', '.join(optional)}" if optional else "")
