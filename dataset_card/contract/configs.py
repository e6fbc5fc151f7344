"""The release folder's configurations: named views of the same Parquet files.

Each row of a release is stored once, in `data/<provenance>/by-cell-<subset>/by-record-<subset>.parquet`, which names
its subset in both splits. If rows come in groups, such as chemistries, the file is
`by-record-<subset>-<group>.parquet`. A configuration is a set of globs over those files and a choice of columns.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dataset_card.contract import physics
from dataset_card.contract.field import Field, metadata_of, names_of
from dataset_card.contract.schema import ANOMALY_ORIGINS, CHANNELS, FIELD_NAMES, FIELDS, FIELDS_V2
from dataset_card.errors import MagBridgeError

SPLITS = ("train", "validation", "test")
PROVENANCES = ("clean", "anomaly", "regime_b")
METADATA_FILE = "metadata.parquet"


PROVENANCE_OF_ORIGIN = dict(zip(ANOMALY_ORIGINS, PROVENANCES)) | {name: name for name in physics.SOC_KNOWLEDGE}
"""Folder of a row's file, by its `anomaly_origin` or, in v3, its `soc_knowledge`."""


def provenance(origins: Iterable[str]) -> np.ndarray:
    """Return the provenance of rows with the given origins.

    Args:
        origins: `anomaly_origin` of each row or, in v3, its `soc_knowledge`.

    Returns:
        Object array, shape (n,): `clean`, `anomaly` or `regime_b`; in v3, `as_received` or `known_soc`.

    Raises:
        MagBridgeError: If the contract does not define an origin.
    """
    try:
        return np.array([PROVENANCE_OF_ORIGIN[origin] for origin in origins], dtype=object)
    except KeyError as error:
        raise MagBridgeError(f"origin {error.args[0]!r}: expected one of {', '.join(PROVENANCE_OF_ORIGIN)}") from error


def atom_path(provenance: str, primary_split: str, record_split: str, group: str | None = None) -> str:
    """Return the path, in the release folder, of the file with these rows.

    Args:
        provenance: Provenance of the rows.
        primary_split: Their subset in `by_cell_primary`, or `*`.
        record_split: Their subset in `by_record_optimistic_baseline`, or `*`.
        group: Their group, if the release has groups.
    """
    suffix = "" if group is None else f"-{group.lower()}"
    return f"data/{provenance}/by-cell-{primary_split}/by-record-{record_split}{suffix}.parquet"


@dataclass(frozen=True)
class Config:
    """One configuration.

    Attributes:
        name: The name that users pass to `load_dataset`.
        description: One sentence for the card.
        provenances: Provenances of its rows; not used by `metadata`.
        split_by: `primary`, `record`, or None for a single split.
        columns: Columns in file order, without those that cannot be collated into a batch.
        labels: Classes of the task's label, if it uses only some of the column's values.
        task: Benchmark task that the configuration serves, if any.
        group: Glob of the one group of files that it reads, such as a chemistry; None for all groups.
    """

    name: str
    description: str
    provenances: tuple[str, ...] = PROVENANCES
    split_by: str | None = "primary"
    columns: tuple[str, ...] = FIELD_NAMES
    task: str | None = None
    group: str | None = None
    labels: tuple[str, ...] = ()

    def patterns(self, in_groups: bool = False) -> dict[str, list[str]]:
        """Return the globs of each split, relative to the release folder.

        Args:
            in_groups: Whether each group of rows has its own files.
        """
        if self.name == "metadata":
            return {"train": [METADATA_FILE]}
        group = (self.group or "*") if in_groups else None
        if self.split_by is None:
            return {"train": [atom_path(p, "*", "*", group) for p in self.provenances]}
        if self.split_by == "primary":
            return {s: [atom_path(p, s, "*", group) for p in self.provenances] for s in SPLITS}
        return {s: [atom_path(p, "*", s, group) for p in self.provenances] for s in SPLITS}


_DECLARED = json.loads(Path(__file__).with_name("configs.json").read_text(encoding="utf-8"))

WHOLE_IN = {"parent_sample_id": ("anomaly",), "u_features": ("clean", "anomaly")}
"""Provenances in which a text or list column is never null. Configurations with other rows omit the column: a null
cannot become a tensor, so a batch with one cannot be collated. Numbers and labels stay: their nulls become NaN."""


def _collated(config: Config) -> Config:
    """Return the configuration without the columns whose nulls cannot be collated; the files keep those columns."""
    held = set(config.provenances)
    return replace(config, columns=tuple(c for c in config.columns if held <= set(WHOLE_IN.get(c, PROVENANCES))))


def _declared(section: str, fields: tuple[Field, ...], channels: tuple[str, ...], cell: bool = True) -> list[Config]:
    """Build the configurations of a section of `configs.json` for the columns of an edition.

    The configuration of a task has the columns to predict, the signals to predict them from, and `bridge_version`,
    so that simulated rows remain recognisable wherever they are copied.

    Args:
        section: Section of `configs.json`.
        fields: Columns of the edition.
        channels: Names of its signal columns.
        cell: Whether the configurations of tasks include `cell_id`.
    """
    made = []
    for entry in _DECLARED[section]:
        options: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        columns = metadata_of(fields) if entry["name"] == "metadata" else names_of(fields)
        if targets := options.pop("targets", ()):
            columns = ("sample_id", *(("cell_id",) if cell else ()), "bridge_version", *targets, *channels)
            options["task"] = entry["name"][:2]
        made.append(Config(columns=columns, **options))
    return made


CONFIGS = tuple(map(_collated, _declared("scans", FIELDS, CHANNELS)))
DEFAULT_CONFIG = CONFIGS[0].name
BY_NAME = {config.name: config for config in CONFIGS}

CHEMISTRIES = ("LFP", "LMO", "NMC")
AGEING = "ageing"
"""Suffix of the group of rows from batteries of known age, whose files are named `...-<chemistry>-ageing`."""

V2_CONFIGS = tuple(
    _collated(config)
    for section in ("scans", "chemistries")
    for config in _declared(section, FIELDS_V2, CHANNELS, cell=False)
)
"""Configurations of a v2 release; the tasks' configurations omit `cell_id`, which only the metadata table has."""

_MEASURED = {config.name: _collated(config) for config in _declared("scans", FIELDS_V2, CHANNELS)}
MEASURED_CONFIGS = tuple(
    replace(_MEASURED[entry["name"]], **entry, provenances=("clean",)) for entry in _DECLARED["measured"]
)
"""Configurations of releases of measured cells. Their rows are all clean, and pulse voltages are optional."""

V3_CONFIGS = tuple(_declared("physics", physics.FIELDS, physics.CHANNELS))
"""Configurations of a v3 release."""
