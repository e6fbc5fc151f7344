"""The contract: what one row of a MagBridge-Battery release holds.

Every other description of a row (the Arrow schema, the `datasets` features, the card's tables, the
audit) is derived from the fields of its edition.
"""

from __future__ import annotations

import re

import pyarrow as pa

from dataset_card.contract import physics
from dataset_card.contract.field import Field, arrow_schema_of, features_of, metadata_of, names_of, select

MASTER_SEED = 20260512
"""Master seed of the v1.0 release; releases of other seeds are other draws of the same bridge."""

T = 100
"""Time steps of one signal."""

CHANNELS = ("B_s1Y", "B_s1Z", "B_s2Y", "B_s2Z", "B_s1C5", "B_s2C6")
"""Magnetic channels in release order, in nT: two sensors, their Y and Z components and derived magnitudes."""

MEASURED_CHANNELS = 4
"""The first channels are measured; the two magnitudes are derived from them."""

U_FEATURES = 21
"""Voltages of one PulseBat pulse test, U1 to U21, in V."""

REGIMES = ("grounded", "extrapolation")
SYNTHETIC_SUBTYPES = ("sensor_dropout", "calibration_drift", "temporal_warp", "periodic_interference")
ANOMALY_SUBTYPES = ("none", *SYNTHETIC_SUBTYPES, "low_voltage_regime_B")
ANOMALY_ORIGINS = ("none", "synthetic_sensor_perturbation", "bridge_extrapolation")
SECOND_LIFE_CLASSES = ("reuse", "recondition")

REUSE_ABOVE_SOH = 0.85
"""A cell is worth a second life as it is when its SOH exceeds this fraction (paper, section IV-E)."""


def table_of(cell_id: str) -> str:
    """The table that a v2 cell stands in, `LMO-10Ah` of `LMO-10Ah-017`; `regimeB` for a pseudo-cell."""
    return re.split(r"[-_](?=[^-_]*$)", cell_id)[0]


FIELDS = (
    Field("sample_id", "string", "Unique id, derived from the row's identity fields by SHA-256."),
    Field(
        "parent_sample_id", "string", "Clean grounded row that a synthetic anomaly was injected into.", nullable=True
    ),
    Field("cell_id", "string", "PulseBat cell number, or the pseudo-cell `regimeB_v<centivolts>` of a Regime-B row."),
    Field("generation_seed", "int64", "Seed of the row's random generator."),
    Field("bridge_version", "string", "Version of the bridge; names the simulated upstream where one was used."),
    Field("bridge_config_hash", "string", "First 12 hex digits of the SHA-256 of the bridge configuration."),
    Field("schema_version", "string", "Version of this contract."),
    Field("voltage", "float64", "Voltage the signal was generated at.", unit="V"),
    Field("soc", "float64", "State of charge of the PulseBat record.", unit="%"),
    Field("soh", "float64", "State of health, capacity over nominal capacity; null for Regime-B.", nullable=True),
    Field("chemistry", "string", "Cell chemistry."),
    Field(
        "u_features",
        "float64",
        "Pulse-test voltages U1 to U21; null for Regime-B.",
        unit="V",
        length=U_FEATURES,
        nullable=True,
    ),
    Field("regime", "string", "`grounded` inside the anchors' validated range, else `extrapolation`.", values=REGIMES),
    Field("nearest_anchor", "float64", "Magnetometry anchor nearest to the voltage.", unit="V"),
    Field("anomaly_flag", "bool", "False on clean grounded rows, true on every other."),
    Field("anomaly_subtype", "string", "Kind of anomaly.", values=ANOMALY_SUBTYPES),
    Field("anomaly_origin", "string", "Where the anomaly comes from.", values=ANOMALY_ORIGINS),
    Field("anomaly_severity", "float64", "0 on clean rows, in [0.2, 1] on synthetic anomalies, 1 on Regime-B."),
    Field(
        "second_life_class",
        "string",
        f"`reuse` if SOH > {REUSE_ABOVE_SOH}, else `recondition`; null for Regime-B.",
        nullable=True,
        values=SECOND_LIFE_CLASSES,
    ),
    *(
        Field(name, "float64", meaning, unit="nT", length=T)
        for name, meaning in zip(
            CHANNELS,
            (
                "Sensor 1, Y component.",
                "Sensor 1, Z component.",
                "Sensor 2, Y component.",
                "Sensor 2, Z component.",
                "Sensor 1, fifth channel: magnitude in the YZ plane.",
                "Sensor 2, sixth channel: magnitude in the YZ plane.",
            ),
        )
    ),
    Field("time_norm", "float64", "Normalised scan time, the same in every row.", unit="scan", length=T),
)

FIELD_NAMES, METADATA_FIELDS = names_of(FIELDS), metadata_of(FIELDS)
"""Columns of a v1 release, and those of its `metadata` table."""

AGEING_LAWS = ("material", "inventory")
"""How a cell's magnetic moment follows its capacity from v2 on: by lost active material, or by lost lithium."""

BATTERY_FIELDS = (
    Field("battery_id", "string", "Battery that was measured, at one or more ages: the unit that splits keep whole."),
    Field("age_cycles", "int64", "Cycles that the battery had seen, where known.", unit="cycles", nullable=True),
    Field(
        "ageing_law",
        "string",
        "Law by which the signal shows SOH: `material` or `inventory`; null for Regime-B, which shows none.",
        nullable=True,
        values=AGEING_LAWS,
    ),
)
"""Columns from v2 on, after `cell_id`: there a cell is one visit to a battery."""

_AFTER = 1 + next(i for i, field in enumerate(FIELDS) if field.name == "cell_id")
FIELDS_V2 = (*FIELDS[:_AFTER], *BATTERY_FIELDS, *FIELDS[_AFTER:])
"""Columns of a release from v2 on; `FIELDS` are v1's."""


BY_NAME = {field.name: field for field in FIELDS_V2}

SCHEMA_V1, SCHEMA_V2, V3_VERSION = "1.0", "1.3", "2.0"
"""Versions of this contract that rows of v1, of v2 and measured cells, and of v3 keep."""


def fields_of(schema_version: object) -> tuple[Field, ...]:
    """Columns of rows of a version of this contract; those of v1 where it is none."""
    return {SCHEMA_V2: FIELDS_V2, V3_VERSION: physics.FIELDS}.get(str(schema_version), FIELDS)


def arrow_schema(columns: tuple[str, ...] = FIELD_NAMES) -> pa.Schema:
    """Arrow schema of these columns of a release of scans, in the given order, without library metadata."""
    return arrow_schema_of(select(FIELDS_V2, columns))


def features(columns: tuple[str, ...] = FIELD_NAMES):
    """`datasets.Features` of these columns of a release of scans; imports `datasets` when called."""
    return features_of(select(FIELDS_V2, columns))
