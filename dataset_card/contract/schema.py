"""The contract of one row of a MagBridge-Battery release.

Every other description of a row (the Arrow schema, the `datasets` features, the card's tables, the audit) is derived
from the fields of its edition.
"""

import re

import pyarrow as pa

from dataset_card.contract import physics
from dataset_card.contract.field import Field, arrow_schema_of, declared, features_of, metadata_of, names_of, select

MASTER_SEED = 20260512
"""Master seed of the published releases; a release with another seed is another draw of the same bridge."""

T = 100
"""Time steps of one signal."""

CHANNELS = ("B_s1Y", "B_s1Z", "B_s2Y", "B_s2Z", "B_s1C5", "B_s2C6")
"""Magnetic channels in release order, in nT: two sensors, their Y and Z components and derived magnitudes."""

MEASURED_CHANNELS = 4
"""Number of measured channels, which come first; the two magnitudes are derived from them."""

U_FEATURES = 21
"""Number of voltages in one PulseBat pulse test, U1 to U21, in V."""

REUSE_ABOVE_SOH = 0.85
"""A cell can be reused without reconditioning if its SOH exceeds this fraction (paper, section IV-E)."""


def table_of(cell_id: str) -> str:
    """Return the table of a v2 cell, such as `LMO-10Ah` for `LMO-10Ah-017`; `regimeB` for a pseudo-cell."""
    return re.split(r"[-_](?=[^-_]*$)", cell_id)[0]


FIELDS = declared(Field, "scans")
FIELD_NAMES, METADATA_FIELDS = names_of(FIELDS), metadata_of(FIELDS)
"""Column names of a v1 release, and of its `metadata` table."""

BATTERY_FIELDS = declared(Field, "batteries")
"""Columns that v2 adds after `cell_id`, since a cell is one visit to a battery from v2 on."""

_AFTER = 1 + next(i for i, field in enumerate(FIELDS) if field.name == "cell_id")
FIELDS_V2 = (*FIELDS[:_AFTER], *BATTERY_FIELDS, *FIELDS[_AFTER:])
"""Columns of v2 and of measured cells; `FIELDS` are v1's."""

BY_NAME = {field.name: field for field in FIELDS_V2}

REGIMES, ANOMALY_SUBTYPES, ANOMALY_ORIGINS, SECOND_LIFE_CLASSES, AGEING_LAWS = (
    BY_NAME[name].values or ()
    for name in ("regime", "anomaly_subtype", "anomaly_origin", "second_life_class", "ageing_law")
)
"""Allowed values. The ageing laws of v2: the magnetic moment follows lost active material, or lost lithium."""

SYNTHETIC_SUBTYPES = ANOMALY_SUBTYPES[1:-1]
"""Injected anomalies: every subtype except `none` and that of the Regime-B rows."""

SCHEMA_V1, SCHEMA_V2, V3_VERSION = "1.0", "1.3", "2.0"
"""Versions of this contract: v1's, that of v2 and measured cells, and v3's."""


def fields_of(schema_version: object) -> tuple[Field, ...]:
    """Return the columns of a version of this contract; those of v1 if the version is unknown."""
    return {SCHEMA_V2: FIELDS_V2, V3_VERSION: physics.FIELDS}.get(str(schema_version), FIELDS)


def arrow_schema(columns: tuple[str, ...] = FIELD_NAMES) -> pa.Schema:
    """Return the Arrow schema of these columns of v1 or v2, in the given order, without library metadata."""
    return arrow_schema_of(select(FIELDS_V2, columns))


def features(columns: tuple[str, ...] = FIELD_NAMES):
    """Return the `datasets.Features` of these columns of v1 or v2; import `datasets` when called."""
    return features_of(select(FIELDS_V2, columns))
