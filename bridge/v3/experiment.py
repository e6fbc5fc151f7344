"""A design file: a cell, its state and defect, protocol, sensors and noise, in YAML.

    preset: nmc              # a cell of presets.yaml, changed by `cell`
    cell: {length_mm: 140, tab_p_mm: 55}
    state: {soc: 0.5, lli: 0.05}
    defect: {kind: weld, share: 0.3}
    protocol: {rate_C: 1.0, applied_mT: 1.0}
    sensors: {columns: 6, rows: 4, distance_mm: 10}     # or {position_mm: [[60, 40, 12]]}, z from the stack's middle
    noise: {field_nT: 0.05}

Every part is optional; fields and units are those of the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bridge.v3.design import PouchCell
from bridge.v3.protocol import Noise, Protocol, SensorArray
from bridge.v3.state import CellState, Defect
from dataset_card.errors import MagBridgeError
from dataset_card.storage.columns import read_small_yaml

MAX_SENSORS = 1024
PARTS = ("preset", "cell", "state", "defect", "protocol", "sensors", "noise")
KINDS: dict[str, type] = {"state": CellState, "defect": Defect, "protocol": Protocol, "noise": Noise}


class Experiment(NamedTuple):
    """The contents of a design file."""

    cell: PouchCell
    state: CellState
    defect: Defect
    protocol: Protocol
    sensors: SensorArray
    noise: Noise


def read_experiment(path: Path | str) -> Experiment:
    """Read a design file.

    Raises:
        MagBridgeError: If the file is missing, too large or not plain YAML, or if a value is impossible.
    """
    path = Path(path)
    document = read_small_yaml(path, "a design, such as `preset: nmc`")
    try:
        return experiment({} if document is None else document)
    except MagBridgeError as error:
        raise MagBridgeError(f"{path}: {error}") from error


def experiment(document: Any) -> Experiment:
    """Build an experiment from the parsed document of a design file.

    Raises:
        MagBridgeError: If a part or field is unknown, or if a value is impossible.
    """
    parts = _mapping("design", document, PARTS)
    changes = _mapping("cell", parts.get("cell", {}), [field.name for field in fields(PouchCell)])
    cell = PouchCell.preset(str(parts.get("preset", "nmc")), **changes)
    made: dict[str, Any] = {}
    for name, kind in KINDS.items():
        values = _mapping(name, parts.get(name, {}), [field.name for field in fields(kind) if field.init])
        made[name] = kind(**{field: tuple(v) if isinstance(v, list) else v for field, v in values.items()})
    sensors = _sensors(cell, parts.get("sensors", {}))
    sensors.require_outside(cell)
    return Experiment(cell, sensors=sensors, **made)


def _mapping(name: str, value: Any, known) -> dict:
    if not isinstance(value, Mapping):
        raise MagBridgeError(f"{name} {value!r}: expected fields, such as {known[0]}")
    for field in value:
        if field not in known:
            raise MagBridgeError(f"{name} field {field!r}: expected one of {', '.join(known)}")
    return dict(value)


def _sensors(cell: PouchCell, part: Any) -> SensorArray:
    values = _mapping("sensors", part, ["columns", "rows", "distance_mm", "two_sided", "position_mm"])
    if "position_mm" not in values:
        return SensorArray.grid(cell, **values)
    if len(values) > 1:
        raise MagBridgeError("sensors: expected either position_mm only, or columns, rows and distance_mm")
    try:
        position = np.array(values["position_mm"], float)
    except (TypeError, ValueError):
        position = np.empty(0)
    if position.ndim != 2 or position.shape[1] != 3 or not 1 <= len(position) <= MAX_SENSORS:
        raise MagBridgeError(f"position_mm: expected a list of 1 to {MAX_SENSORS} places [x, y, z] in mm")
    return SensorArray(position)
