"""The release folder's configurations: named views of the same Parquet files.

Each row of a release is stored once, in `data/<provenance>/<primary split>/<record split>.parquet`, or in
`<chemistry>-<record split>.parquet` where there is more than one chemistry; a configuration is a set of globs over
those files and, for some, a choice of columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from dataset_card.contract.schema import ANOMALY_ORIGINS, CHANNELS, FIELD_NAMES, METADATA_FIELDS
from dataset_card.errors import MagBridgeError

SPLITS = ("train", "validation", "test")
PROVENANCES = ("clean", "anomaly", "regime_b")
METADATA_FILE = "metadata.parquet"


PROVENANCE_OF_ORIGIN = dict(zip(ANOMALY_ORIGINS, PROVENANCES))


def provenance(origins: Iterable[str]) -> np.ndarray:
    """(n,) provenance of rows with these values of `anomaly_origin`: `clean`, `anomaly` or `regime_b`.

    Raises:
        MagBridgeError: An origin that the contract does not know.
    """
    try:
        return np.array([PROVENANCE_OF_ORIGIN[origin] for origin in origins], dtype=object)
    except KeyError as error:
        raise MagBridgeError(
            f"anomaly_origin {error.args[0]!r}: expected one of {', '.join(ANOMALY_ORIGINS)}"
        ) from error


def atom_path(provenance: str, primary_split: str, record_split: str, chemistry: str | None = None) -> str:
    """Path in the release folder of the rows with this provenance and these two splits, and this chemistry if given."""
    prefix = "" if chemistry is None else f"{chemistry.lower()}-"
    return f"data/{provenance}/{primary_split}/{prefix}{record_split}.parquet"


@dataclass(frozen=True)
class Config:
    """One configuration.

    Attributes:
        name: What users pass to `load_dataset`.
        description: One sentence for the card.
        provenances: Rows it holds; empty for `metadata`.
        split_by: `primary`, `record`, or None for a single split.
        columns: Columns in file order.
        task: Benchmark task the config serves, if any.
        chemistry: Its only chemistry, if it has one.
    """

    name: str
    description: str
    provenances: tuple[str, ...] = PROVENANCES
    split_by: str | None = "primary"
    columns: tuple[str, ...] = FIELD_NAMES
    task: str | None = None
    chemistry: str | None = None

    def patterns(self, by_chemistry: bool = False) -> dict[str, list[str]]:
        """Globs of each split, relative to the release folder.

        Args:
            by_chemistry: Whether each chemistry has files of its own.
        """
        if self.name == "metadata":
            return {"train": [METADATA_FILE]}
        chemistry = (self.chemistry or "*") if by_chemistry else None
        if self.split_by is None:
            return {"train": [atom_path(p, "*", "*", chemistry) for p in self.provenances]}
        if self.split_by == "primary":
            return {s: [atom_path(p, s, "*", chemistry) for p in self.provenances] for s in SPLITS}
        return {s: [atom_path(p, "*", s, chemistry) for p in self.provenances] for s in SPLITS}


def _task_columns(*extra: str) -> tuple[str, ...]:
    wanted = {"sample_id", "cell_id", *CHANNELS, *extra}
    return tuple(c for c in FIELD_NAMES if c in wanted)


CONFIGS = (
    Config("by_cell_primary", "Every row, split by cell: the benchmark's split. No cell is in two subsets."),
    Config(
        "by_record_optimistic_baseline",
        "Every row, split at random by row. It leaks: cells and parents are shared between subsets.",
        split_by="record",
    ),
    Config("grounded", "The clean grounded rows, split by cell.", provenances=("clean",)),
    Config("anomaly", "The synthetic sensor anomalies, split by their parents' cells.", provenances=("anomaly",)),
    Config("regime_b", "The low-voltage extrapolation rows, one anchor a subset.", provenances=("regime_b",)),
    Config(
        "t1_soh_regression",
        "T1: clean grounded rows with `soh`.",
        provenances=("clean",),
        columns=_task_columns("soh"),
        task="t1",
    ),
    Config(
        "t2_second_life",
        "T2: clean grounded rows with `second_life_class`.",
        provenances=("clean",),
        columns=_task_columns("second_life_class"),
        task="t2",
    ),
    Config(
        "t3_anomaly_detection",
        "T3: every row with `anomaly_origin` (three classes).",
        columns=_task_columns("anomaly_origin"),
        task="t3",
    ),
    Config(
        "t4_anomaly_subtype",
        "T4: synthetic anomalies with `anomaly_subtype`.",
        provenances=("anomaly",),
        columns=_task_columns("anomaly_subtype"),
        task="t4",
    ),
    Config(
        "metadata", "Scalar fields of every row in release order, no signals.", split_by=None, columns=METADATA_FIELDS
    ),
    Config("full", "Every row in one split, in file order.", split_by=None),
)

DEFAULT_CONFIG = CONFIGS[0].name
BY_NAME = {config.name: config for config in CONFIGS}

CHEMISTRIES = ("LFP", "LMO", "NMC")
CHEMISTRY_CONFIGS = tuple(
    Config(
        chemistry.lower(),
        f"Clean rows and synthetic anomalies of the {chemistry} cells, split by cell.",
        provenances=("clean", "anomaly"),
        chemistry=chemistry,
    )
    for chemistry in CHEMISTRIES
)
"""Configurations of releases with more than one chemistry, beside the others."""

_DESCRIPTIONS = {
    "by_cell_primary": "Every scan, split by cell. No cell is in two subsets.",
    "by_record_optimistic_baseline": "Every scan, split at random by scan. It leaks: cells are shared between subsets.",
    "t1_soh_regression": "T1: scans with `soh`.",
    "t2_second_life": "T2: scans with `second_life_class`.",
    "metadata": "Scalar fields of every scan in release order, no signals.",
    "full": "Every scan in one split, in file order.",
}
MEASURED_CONFIGS = tuple(
    replace(BY_NAME[name], description=description, provenances=("clean",))
    for name, description in _DESCRIPTIONS.items()
)
"""Configurations of releases of measured cells, which hold clean rows only."""
