"""The release folder's configurations: named views of the same Parquet files.

Each row of a release is stored once, in `data/<provenance>/by-cell-<subset>/by-record-<subset>.parquet`, named by its
subset of either split, or in `by-record-<subset>-<group>.parquet` where rows come in groups, such as chemistries; a
configuration is a set of globs over those files and a choice of columns.
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
"""Folder of a row's file, by its `anomaly_origin`, or of v3 by its `soc_knowledge`."""


def provenance(origins: Iterable[str]) -> np.ndarray:
    """(n,) provenance of rows with these origins: `clean`, `anomaly` or `regime_b`; of v3 what is known of the charge.

    Raises:
        MagBridgeError: An origin that the contract does not know.
    """
    try:
        return np.array([PROVENANCE_OF_ORIGIN[origin] for origin in origins], dtype=object)
    except KeyError as error:
        raise MagBridgeError(f"origin {error.args[0]!r}: expected one of {', '.join(PROVENANCE_OF_ORIGIN)}") from error


def atom_path(provenance: str, primary_split: str, record_split: str, group: str | None = None) -> str:
    """Path in the release folder of the rows with this provenance and these two splits, and of this group if given."""
    suffix = "" if group is None else f"-{group.lower()}"
    return f"data/{provenance}/by-cell-{primary_split}/by-record-{record_split}{suffix}.parquet"


@dataclass(frozen=True)
class Config:
    """One configuration.

    Attributes:
        name: What users pass to `load_dataset`.
        description: One sentence for the card.
        provenances: Rows it holds; empty for `metadata`.
        split_by: `primary`, `record`, or None for a single split.
        columns: Columns in file order; those that a batch could not hold are left out.
        labels: Classes of the task's label, where they are not all that the column knows.
        task: Benchmark task the config serves, if any.
        group: Its only group of files, such as a chemistry; a glob, or None for all of them.
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
        """Globs of each split, relative to the release folder.

        Args:
            in_groups: Whether each group of rows has files of its own.
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
"""Where texts and lists are never null. Elsewhere configurations leave them out: a null is no tensor, and a batch with
one cannot be collated. Numbers and labels become NaN there, and stay."""


def _collated(config: Config) -> Config:
    """The configuration without columns whose nulls no batch could hold; the files have them."""
    held = set(config.provenances)
    return replace(config, columns=tuple(c for c in config.columns if held <= set(WHOLE_IN.get(c, PROVENANCES))))


def _declared(section: str, fields: tuple[Field, ...], channels: tuple[str, ...], cell: bool = True) -> list[Config]:
    """The configurations of a section of `configs.json`, on the columns of an edition.

    A task's have what it predicts and what it is predicted from, and the version, which says whether the rows are
    simulated, whatever they are copied into. Without `cell` they do not say who the cell is.
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
"""Rows of batteries of known age lie in files of their own, `...-<chemistry>-ageing`."""

V2_CONFIGS = tuple(
    _collated(config)
    for section in ("scans", "chemistries")
    for config in _declared(section, FIELDS_V2, CHANNELS, cell=False)
)
"""Configurations of a v2 release: in a task's, who the cell is stands in the metadata alone."""

_MEASURED = {config.name: _collated(config) for config in _declared("scans", FIELDS_V2, CHANNELS)}
MEASURED_CONFIGS = tuple(
    replace(_MEASURED[entry["name"]], **entry, provenances=("clean",)) for entry in _DECLARED["measured"]
)
"""Configurations of releases of measured cells, which hold clean rows only; pulses need not have been measured."""

V3_CONFIGS = tuple(_declared("physics", physics.FIELDS, physics.CHANNELS))
"""Configurations of a v3 release."""
