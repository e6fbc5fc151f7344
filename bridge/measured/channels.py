"""The channel map, a small YAML file: the column and unit that a laboratory uses for each channel."""

from dataclasses import dataclass
from pathlib import Path

from bridge.errors import Mistakes, faulty
from dataset_card.contract.measured import AXES, MEASURED_CHANNELS
from dataset_card.contract.schema import CHANNELS
from dataset_card.storage.columns import UNITS, known_unit, read_column_map, unit_factor
from dataset_card.storage.faults import require


@dataclass(frozen=True)
class Channel:
    """Source of one channel.

    Attributes:
        name: Channel of the release.
        column: The laboratory's column.
        unit: A unit of `UNITS["nT"]`.
        sign: 1, or -1 if the sensor points the other way.
    """

    name: str
    column: str
    unit: str = "nT"
    sign: int = 1

    @property
    def factor(self) -> float:
        """Value in nT of one unit of the column."""
        return self.sign * UNITS["nT"][known_unit(self.unit, "nT") or self.unit]


@dataclass(frozen=True)
class ChannelMap:
    """Sources of all channels, and of time.

    Attributes:
        channels: In release order; magnitudes may be absent.
        time: Column and unit (of time, or `step`); None for the release's own names, if the columns exist.
    """

    channels: tuple[Channel, ...]
    time: tuple[str, str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Mapped channels."""
        return tuple(channel.name for channel in self.channels)

    def as_dict(self) -> dict:
        """Return the map in the form in which a manifest contains it."""
        channels = {c.name: {"column": c.column, "unit": c.unit, "sign": c.sign} for c in self.channels}
        return {"channels": channels, "time": None if self.time is None else list(self.time)}


RELEASE_NAMES = ChannelMap(tuple(Channel(name, name) for name in CHANNELS))
"""Columns named as in a release, in nT."""


def read_channel_map(path: Path | str) -> ChannelMap:
    """Read a channel map, which is a column map whose fields are the channels of a scan.

    Args:
        path: YAML that follows `dataset_card/storage/column_map.schema.json`.

    Raises:
        FaultyInput: If the file is not a valid channel map; names the entry.
    """
    entries = dict(read_column_map(path, (*CHANNELS, "time")).entries)
    time = entries.pop("time", None)
    if missing := [name for name in MEASURED_CHANNELS if name not in entries]:
        raise faulty(
            "channel_unmapped", name=missing[0], known=", ".join(MEASURED_CHANNELS), where="channels", file=path
        )
    faults = Mistakes(path)
    for name, entry in entries.items():
        if entry["axis"] != AXES[name]:
            faults.add(f"channels.{name}", "axis", found=entry["axis"], expected=AXES[name])
        if unit_factor(entry["unit"], "nT") is None:
            faults.add(f"channels.{name}.unit", "unit", unit=entry["unit"], known=", ".join(UNITS["nT"]))
    unit = "" if time is None else time.get("unit")
    if time is not None and unit != "step" and unit_factor(str(unit), "s") is None:
        faults.add("time.unit", "unit", unit=unit, known=", ".join((*UNITS["s"], "step")))
    require(faults)
    channels = tuple(
        Channel(name, str(entries[name]["column"]), str(entries[name]["unit"]), int(entries[name].get("sign", 1)))
        for name in CHANNELS
        if name in entries
    )
    return ChannelMap(channels, None if time is None else (str(time["column"]), str(unit)))
