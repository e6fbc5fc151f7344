"""The channel map: which of a laboratory's columns is which channel, in which unit; a small YAML file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from bridge.measured.faults import Fault, fault, require
from dataset_card.contract.measured import AXES, NT_PER_UNIT
from dataset_card.contract.schema import CHANNELS
from dataset_card.storage.documents import plain_yaml

MAX_BYTES = 64 * 2**10
SECONDS = {"s": 1.0, "ms": 1e-3}


@dataclass(frozen=True)
class Channel:
    """One channel's source.

    Attributes:
        name: Channel of the release.
        column: The laboratory's column.
        unit: nT, uT or pT.
        sign: 1, or -1 where the sensor looks the other way.
    """

    name: str
    column: str
    unit: str = "nT"
    sign: int = 1

    @property
    def factor(self) -> float:
        """nT in one of the column's units."""
        return self.sign * NT_PER_UNIT[self.unit]


@dataclass(frozen=True)
class ChannelMap:
    """Sources of all channels, and of time.

    Attributes:
        channels: In release order; magnitudes may be absent.
        time: Column and unit (`s`, `ms` or `step`); None for the release's own names, where they are there.
    """

    channels: tuple[Channel, ...]
    time: tuple[str, str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Channels that are mapped."""
        return tuple(channel.name for channel in self.channels)

    def as_dict(self) -> dict:
        """As it is written into a manifest."""
        channels = {c.name: {"column": c.column, "unit": c.unit, "sign": c.sign} for c in self.channels}
        return {"channels": channels, "time": None if self.time is None else list(self.time)}


RELEASE_NAMES = ChannelMap(tuple(Channel(name, name) for name in CHANNELS))
"""Columns named as in a release, in nT."""


@cache
def _validator():
    import jsonschema

    text = resources.files("dataset_card.contract").joinpath("channel_map.schema.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def read_channel_map(path: Path | str) -> ChannelMap:
    """Reads a channel map.

    Args:
        path: YAML by `dataset_card/contract/channel_map.schema.json`.

    Raises:
        FaultyInput: Not such a file; names the entry.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a pipe would never end
        raise fault(path, "", "no file", "a YAML file", "check the path")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise fault(path, "", f"not readable ({error.strerror})", "a YAML file", "check the path") from error
    if len(data) > MAX_BYTES:
        raise fault(path, "", f"over {MAX_BYTES} bytes", f"at most {MAX_BYTES}", "a channel map is a few lines")
    try:
        document = plain_yaml(data.decode("utf-8"))
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise fault(path, "", f"not plain YAML ({reason})", "channels and their columns", "see the guide") from error
    for broken in sorted(_validator().iter_errors(document), key=lambda e: [str(part) for part in e.absolute_path]):
        where = ".".join(str(part) for part in broken.absolute_path)
        raise fault(path, where, broken.message[:200], "the schema's entries", "see channel_map.schema.json")
    faults = []
    for name, entry in document["channels"].items():
        if entry["axis"] != AXES[name]:
            faults.append(
                Fault(
                    str(path),
                    f"channels.{name}",
                    f"axis {entry['axis']!r}",
                    repr(AXES[name]),
                    "Y looks across the scan's path, Z along it: swap the columns",
                )
            )
    columns = [entry["column"] for entry in document["channels"].values()]
    for name, entry in document["channels"].items():
        if columns.count(entry["column"]) > 1:
            faults.append(
                Fault(
                    str(path),
                    f"channels.{name}",
                    f"column {entry['column']!r} of two channels",
                    "a column each",
                    "correct one of them",
                )
            )
    require(faults)
    channels = tuple(
        Channel(name, entry["column"], entry["unit"], entry.get("sign", 1))
        for name in CHANNELS
        if (entry := document["channels"].get(name))
    )
    time = document.get("time")
    return ChannelMap(channels, None if time is None else (time["column"], time["unit"]))
