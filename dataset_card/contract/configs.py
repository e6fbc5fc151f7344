"""The release folder's configurations: named views of the same Parquet files.

Each row of a release is stored once, in `data/<provenance>/by-cell-<subset>/by-record-<subset>.parquet`, named by its
subset of either split, or in `by-record-<subset>-<group>.parquet` where rows come in groups, such as chemistries; a
configuration is a set of globs over those files and a choice of columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from dataset_card.contract import physics
from dataset_card.contract.field import metadata_of, names_of
from dataset_card.contract.schema import (
    ANOMALY_ORIGINS,
    CHANNELS,
    FIELD_NAMES,
    FIELDS_V2,
    METADATA_FIELDS,
    SYNTHETIC_SUBTYPES,
)
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


def _task(name: str, description: str, label: str, **options) -> Config:
    # The version says whether the rows are simulated, whatever they are copied into.
    wanted = {"sample_id", "cell_id", "bridge_version", *CHANNELS, label}
    return Config(name, description, columns=tuple(c for c in FIELD_NAMES if c in wanted), task=name[:2], **options)


_ALL = (
    Config("by_cell_primary", "Every row, split by cell: the benchmark's split. No cell is in two subsets."),
    Config(
        "by_record_optimistic_baseline",
        "Every row, split at random by row. It leaks: cells and parents are shared between subsets.",
        split_by="record",
    ),
    Config("grounded", "The clean grounded rows, split by cell.", provenances=("clean",)),
    Config("anomaly", "The synthetic sensor anomalies, split by their parents' cells.", provenances=("anomaly",)),
    Config("regime_b", "The low-voltage extrapolation rows, one anchor a subset.", provenances=("regime_b",)),
    _task("t1_soh_regression", "T1: clean grounded rows with `soh`.", "soh", provenances=("clean",)),
    _task(
        "t2_second_life",
        "T2: clean grounded rows with `second_life_class`.",
        "second_life_class",
        provenances=("clean",),
    ),
    _task("t3_anomaly_detection", "T3: every row with `anomaly_origin` (three classes).", "anomaly_origin"),
    _task(
        "t4_anomaly_subtype",
        "T4: synthetic anomalies with `anomaly_subtype`.",
        "anomaly_subtype",
        provenances=("anomaly",),
        labels=SYNTHETIC_SUBTYPES,
    ),
    Config(
        "metadata", "Scalar fields of every row in release order, no signals.", split_by=None, columns=METADATA_FIELDS
    ),
    Config("full", "Every row in one split, in file order.", split_by=None),
)

WHOLE_IN = {"parent_sample_id": ("anomaly",), "u_features": ("clean", "anomaly")}
"""Where texts and lists are never null. Elsewhere configurations leave them out: a null is no tensor, and a batch with
one cannot be collated. Numbers and labels become NaN there, and stay."""


def _collated(config: Config) -> Config:
    """The configuration without columns whose nulls no batch could hold; the files have them."""
    held = set(config.provenances)
    return replace(config, columns=tuple(c for c in config.columns if held <= set(WHOLE_IN.get(c, PROVENANCES))))


CONFIGS = tuple(map(_collated, _ALL))
DEFAULT_CONFIG = CONFIGS[0].name
BY_NAME = {config.name: config for config in CONFIGS}

CHEMISTRIES = ("LFP", "LMO", "NMC")
CHEMISTRY_CONFIGS = tuple(
    Config(
        chemistry.lower(),
        f"Clean rows and synthetic anomalies of the {chemistry} cells, split by cell.",
        provenances=("clean", "anomaly"),
        group=f"{chemistry}*",
    )
    for chemistry in CHEMISTRIES
)
"""Configurations of releases with more than one chemistry, beside the others."""

AGEING = "ageing"
"""Rows of batteries of known age lie in files of their own, `...-<chemistry>-ageing`."""

AGEING_CONFIG = Config(
    AGEING,
    "Clean rows of the batteries that were visited at several ages; sort them by `battery_id` and `age_cycles`.",
    provenances=("clean",),
    group=f"*-{AGEING}",
)


def _of_v2(config: Config) -> Config:
    """The configuration with the columns that rows have from v2 on."""
    columns = {FIELD_NAMES: names_of(FIELDS_V2), METADATA_FIELDS: metadata_of(FIELDS_V2)}
    return replace(config, columns=columns.get(config.columns, config.columns))


def _without_cell(config: Config) -> Config:
    """A task's configuration without what a prediction may not use: who the cell is stands in the metadata."""
    return replace(config, columns=tuple(c for c in config.columns if c != "cell_id")) if config.task else config


V2_CONFIGS = tuple(_collated(_without_cell(_of_v2(config))) for config in (*_ALL, *CHEMISTRY_CONFIGS, AGEING_CONFIG))
"""Configurations of a v2 release."""

_DESCRIPTIONS = {
    "by_cell_primary": "Every scan, split by cell. No cell is in two subsets.",
    "by_record_optimistic_baseline": "Every scan, split at random by scan. It leaks: cells are shared between subsets.",
    "t1_soh_regression": "T1: scans with `soh`.",
    "t2_second_life": "T2: scans with `second_life_class`.",
    "metadata": "Scalar fields of every scan in release order, no signals.",
    "full": "Every scan in one split, in file order.",
}
_MEASURED = {config.name: _collated(_of_v2(config)) for config in _ALL}  # pulses need not have been measured
MEASURED_CONFIGS = tuple(
    replace(_MEASURED[name], description=description, provenances=("clean",))
    for name, description in _DESCRIPTIONS.items()
)
"""Configurations of releases of measured cells, which hold clean rows only."""


def _of_v3(name: str, description: str, *provenances: str, **options) -> Config:
    options = {"columns": names_of(physics.FIELDS)} | options
    return Config(name, description, provenances or physics.SOC_KNOWLEDGE, **options)


def _task_of_v3(name: str, description: str, *targets: str, knowledge: str = "as_received") -> Config:
    columns = ("sample_id", "cell_id", "bridge_version", *targets, *physics.CHANNELS)
    return _of_v3(name, description, knowledge, columns=columns, task=name[:2])


V3_CONFIGS = (
    _of_v3("by_cell_primary", "Every row, split by cell: the benchmark's split. No cell is in two subsets."),
    _of_v3(
        "by_record_optimistic_baseline",
        "Every row, split at random by row. It leaks: the visits to a cell are shared between subsets.",
        split_by="record",
    ),
    _of_v3("as_received", "Rows at a state of charge that is not told, split by cell.", "as_received"),
    _of_v3("known_soc", "Rows at 50 % charge, known to 0.5 %, split by cell.", "known_soc"),
    _of_v3("nmc", "NMC cells, split by cell.", group="nmc-*"),
    _of_v3("lfp", "LFP cells, split by cell.", group="lfp-*"),
    _of_v3("symmetric", "Stacks of 20 units, copper at both ends, split by cell.", group="*-symmetric"),
    _of_v3("asymmetric", "Stacks of 19 units, split by cell.", group="*-asymmetric"),
    _task_of_v3("t5_defect_class", "T5: rows as received with `defect` (six classes).", "defect"),
    _task_of_v3(
        "t6_defect_place", "T6: rows as received with `x_mm` and `y_mm`; null without a place.", "x_mm", "y_mm"
    ),
    _task_of_v3(
        "t7_stack_gradient", "T7: rows as received with `gradient_r` and `gradient_lli`.", "gradient_r", "gradient_lli"
    ),
    _task_of_v3("t8_soh_as_received", "T8: rows as received with `soh`.", "soh"),
    _task_of_v3(
        "t9_soh_known_soc", "T9: rows at known charge with `soh`; a null is expected.", "soh", knowledge="known_soc"
    ),
    _of_v3(
        "metadata",
        "Scalar fields of every row in release order, no signals.",
        split_by=None,
        columns=metadata_of(physics.FIELDS),
    ),
    _of_v3("full", "Every row in one split, in file order.", split_by=None),
)
"""Configurations of a v3 release."""
