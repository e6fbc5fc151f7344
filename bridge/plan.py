"""The plan of a release: every row's request, in release order, before any signal exists."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas

from bridge.config import (
    BRIDGE_VERSION,
    CHEMISTRY,
    GROUNDED_MAX_V,
    GROUNDED_MIN_V,
    SEVERITY_MAX,
    SEVERITY_MIN,
    BridgeConfig,
    HashedConfig,
)
from bridge.identity import nearest_anchor, sample_id, sample_seed
from bridge.upstream.pulsebat import PulseTables
from bridge.v1.inputs import PulseTable
from bridge.v2.config import BridgeV2Config
from bridge.v2.draws import draw_cell, law_of
from dataset_card.contract.editions import V1, V2, V3, Edition, edition_of
from dataset_card.contract.field import metadata_of
from dataset_card.contract.physics import CHEMISTRIES, SOC_KNOWLEDGE
from dataset_card.contract.schema import MASTER_SEED, REUSE_ABOVE_SOH, SYNTHETIC_SUBTYPES
from dataset_card.errors import MagBridgeError

REGIME_B_ANCHORS = (2.54, 2.81, 3.00)
"""Voltages of v1's Regime-B rows, in V."""

REGIME_B_MIN_V = 2.54
"""v2 draws its Regime-B voltages from here up to the grounded regime, in V."""

REGIME_B_CELLS = 100
"""Pseudo-cells of v2's Regime-B rows, each with a make of its own."""

REGIME_B_SOH = 1.0
"""Regime-B signals carry no degradation: the bridge has no scans to show it with."""


VISITS = 4
"""Visits to each cell of v3."""

CELL_BLOCKS = len(CHEMISTRIES) * len(SOC_KNOWLEDGE)
"""Kinds of cells of v3 that come in equal numbers: chemistry times what is known of the charge."""


def _check_integer(name: str, value, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise MagBridgeError(f"{name} {value!r}: expected an integer of at least {least}")


@dataclass(frozen=True)
class Composition:
    """How many rows of each kind a release has.

    Attributes:
        variants: Clean rows for each pulse record.
        anomalies: Synthetic anomalies, in equal shares of the four subtypes; or one number for each subtype.
        regime_b: Regime-B rows.
        severity: Lowest and highest severity of synthetic anomalies, within [0.2, 1].

    Raises:
        MagBridgeError: A number is out of range.
    """

    variants: int = 10
    anomalies: int | tuple[int, ...] = 600
    regime_b: int = 560
    severity: tuple[float, float] = (SEVERITY_MIN, SEVERITY_MAX)

    def __post_init__(self) -> None:
        _check_integer("variants", self.variants, 1)
        _check_integer("regime_b", self.regime_b, 0)
        counts = self.anomalies if isinstance(self.anomalies, (tuple, list)) else (self.anomalies,)
        for count in counts:
            _check_integer("anomalies", count, 0)
        kinds, names = len(SYNTHETIC_SUBTYPES), ", ".join(SYNTHETIC_SUBTYPES)
        if counts is self.anomalies and len(counts) != kinds:
            raise MagBridgeError(f"anomalies {counts}: expected {kinds} numbers, of {names}")
        if counts is not self.anomalies and counts[0] % kinds:
            expected = f"a multiple of {kinds}, equal shares of {names}, or one number for each"
            raise MagBridgeError(f"anomalies {self.anomalies}: expected {expected}")
        low, high = self.severity
        if not SEVERITY_MIN <= low <= high <= SEVERITY_MAX:
            expected = f"a range within {SEVERITY_MIN} to {SEVERITY_MAX}, lowest first"
            raise MagBridgeError(f"severity {low} to {high}: expected {expected}")

    @property
    def per_subtype(self) -> tuple[int, ...]:
        """Number of anomalies of each subtype, in the order of the contract."""
        if isinstance(self.anomalies, (tuple, list)):
            return tuple(self.anomalies)
        return (self.anomalies // len(SYNTHETIC_SUBTYPES),) * len(SYNTHETIC_SUBTYPES)

    def rows(self, records: int) -> int:
        """Rows of a release of so many pulse records."""
        return records * self.variants + sum(self.per_subtype) + self.regime_b


@dataclass(frozen=True)
class CompositionV3:
    """How many rows a v3 release has.

    Attributes:
        virtual_cells: Cells, in equal shares of chemistry and of what is known of the charge.

    Raises:
        MagBridgeError: The number is out of range.
    """

    virtual_cells: int = 1500

    def __post_init__(self) -> None:
        _check_integer("virtual_cells", self.virtual_cells, CELL_BLOCKS)
        if self.virtual_cells % CELL_BLOCKS:
            raise MagBridgeError(f"virtual_cells {self.virtual_cells}: expected a multiple of {CELL_BLOCKS}")

    def rows(self, records: int = 0) -> int:
        """Rows of a release; there are no pulse records."""
        return self.virtual_cells * VISITS


AnyComposition = Composition | CompositionV3

COMPOSITIONS: dict[Edition, AnyComposition] = {
    V1: Composition(),
    V2: Composition(variants=5, anomalies=1500, regime_b=1000),
    V3: CompositionV3(),
}
"""What the published release of each edition is made of."""


def as_tuples(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a composition as they were before JSON made lists of tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entries.items()}


def composition_of(edition: Edition, **changes) -> AnyComposition:
    """The composition of an edition's release, with the entries that are given and not None in place of its own.

    Raises:
        MagBridgeError: An entry is out of range, or not one of the edition's.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    unknown = [name for name in given if name not in vars(COMPOSITIONS[edition])]
    if unknown:
        expected = ", ".join(f"--{name.replace('_', '-')}" for name in vars(COMPOSITIONS[edition]))
        raise MagBridgeError(f"--{unknown[0].replace('_', '-')} for {edition.bridge}: expected {expected}")
    return dataclasses.replace(COMPOSITIONS[edition], **given)


@dataclass(frozen=True)
class Plan:
    """Requests and labels of a release.

    Attributes:
        rows: One row per sample in release order, the scalar fields of the contract. v1: clean, anomalies, Regime-B;
            v2: by `sample_id`, which is as good as shuffled.
        u_features: (n, 21) pulse voltages in V; NaN for Regime-B.
        signal_soh: (n,) SOH that the signal is generated at (the label is null for Regime-B).
        parent: (n,) row number of a synthetic anomaly's parent, -1 elsewhere.
    """

    rows: pandas.DataFrame
    u_features: np.ndarray
    signal_soh: np.ndarray
    parent: np.ndarray

    def take(self, order: np.ndarray) -> Plan:
        """The rows of these numbers, parents of theirs among them, in this order."""
        place = np.full(len(self.rows), -1)
        place[order] = np.arange(len(order))
        parent = self.parent[order]
        return Plan(
            self.rows.iloc[order].reset_index(drop=True),
            self.u_features[order],
            self.signal_soh[order],
            np.where(parent >= 0, place[parent], -1),
        )


def make_plan(
    pulses: PulseTable,
    config: HashedConfig = BridgeConfig(),
    *,
    master_seed: int = MASTER_SEED,
    composition: AnyComposition | None = None,
    bridge_version: str = BRIDGE_VERSION,
    lowest_V: float = REGIME_B_MIN_V,
) -> Plan:
    """Plan a release: clean rows of every record, synthetic anomalies, Regime-B rows.

    Args:
        pulses: Pulse-test records; their order matters, since parents are drawn by row number.
        config: The bridge's configuration; its hash is a part of every id.
        master_seed: Seed that every other seed is derived from.
        composition: How many rows of each kind; by default those of the edition's published release.
        bridge_version: Version written into every row; it decides the edition.
        lowest_V: Lowest voltage in V that the bridge can be asked for; from v2 on Regime-B rows begin there.

    Raises:
        MagBridgeError: The seed is negative, or there are Regime-B rows and no voltage for them.
    """
    _check_integer("seed", master_seed, 0)
    edition = edition_of(bridge_version)
    composition = composition or COMPOSITIONS[edition]
    if not isinstance(composition, Composition):
        raise MagBridgeError(f"{composition} for scans: expected variants, anomalies, regime_b and severity")
    common = {"bridge_version": bridge_version, "bridge_config_hash": config.hash()}
    common["schema_version"] = edition.schema_version
    clean = _clean_rows(pulses, common, edition, master_seed, composition.variants, config)
    clean_record = np.repeat(np.arange(len(pulses)), composition.variants)
    anomalies, anomaly_parent = _anomaly_rows(clean, edition, master_seed, composition)
    regime_b = _regime_b_rows(pulses, common, edition, master_seed, composition.regime_b, lowest_V)

    rows, none = clean + anomalies + regime_b, np.full((len(regime_b), pulses.u.shape[1]), np.nan)
    u_features = np.concatenate([pulses.u[clean_record], pulses.u[clean_record[anomaly_parent]], none])
    parent = np.full(len(rows), -1)
    parent[len(clean) : len(clean) + len(anomalies)] = anomaly_parent
    signal_soh = np.array([REGIME_B_SOH if row["soh"] is None else row["soh"] for row in rows])
    plan = Plan(pandas.DataFrame(rows, columns=list(metadata_of(edition.fields))), u_features, signal_soh, parent)
    return plan if edition is V1 else plan.take(plan.rows["sample_id"].to_numpy(str).argsort())


def record_voltages(pulses: PulseTable) -> np.ndarray:
    """(n,) voltage in V that the clean signals of each pulse record are made at."""
    if isinstance(pulses, PulseTables):
        return pulses.voltage
    return np.clip(pulses.u.mean(axis=1), GROUNDED_MIN_V, GROUNDED_MAX_V)


CLEAN = {
    "parent_sample_id": None,
    "age_cycles": None,
    "ageing_law": None,
    "regime": "grounded",
    "anomaly_flag": False,
    "anomaly_subtype": "none",
    "anomaly_origin": "none",
    "anomaly_severity": 0.0,
}
"""Labels of a row without a fault, an age and a parent, which other rows change."""


def with_id(row: dict) -> dict:
    """A row with what follows from its labels: nearest anchor, second life and id."""
    soh = row["soh"]
    second_life = None if soh is None else "reuse" if soh > REUSE_ABOVE_SOH else "recondition"
    row = {**row, "nearest_anchor": nearest_anchor(row["voltage"]), "second_life_class": second_life}
    return {**row, "sample_id": sample_id(row)}


def _seed(edition: Edition, master_seed: int, kind: str, *parts) -> int:
    """A row's seed; from v2 on the text under it names the edition, and 63 of its bits are kept in place of 31."""
    if edition is V1:
        return sample_seed(master_seed, kind, *parts)
    return sample_seed(master_seed, "v2", kind, *parts, bits=63)


def _clean_rows(
    pulses: PulseTable, common: dict, edition: Edition, master_seed: int, variants: int, config: HashedConfig
) -> list[dict]:
    """Clean rows, those of a record together."""
    # Python's own floats and strings: ids are hashes of their text.
    records = pandas.DataFrame({"cell_id": pulses.cell, "battery_id": pulses.cell, "voltage": record_voltages(pulses)})
    records = records.assign(soc=pulses.soc, soh=pulses.soh, chemistry=CHEMISTRY)
    ages = [math.nan] * len(pulses)
    if isinstance(pulses, PulseTables):
        ages = pulses.age_cycles.tolist()
        records = records.assign(chemistry=pulses.chemistry, battery_id=pulses.battery)
    laws = {}
    if isinstance(config, BridgeV2Config):
        laws = {one: law_of(draw_cell(one, master_seed), config) for one in set(records["battery_id"])}
    rows: list[dict] = []
    for record, age in zip(records.to_dict("records"), ages):
        known = {"age_cycles": None if math.isnan(age) else int(age), "ageing_law": laws.get(record["battery_id"])}
        label, kind = {**CLEAN, **common, **record, **known}, ("clean", record["cell_id"], int(record["soc"]))
        rows.extend(
            with_id({**label, "generation_seed": _seed(edition, master_seed, *kind, variant)})
            for variant in range(variants)
        )
    return rows


def _anomaly_rows(
    clean: list[dict], edition: Edition, master_seed: int, composition: Composition
) -> tuple[list[dict], np.ndarray]:
    """Synthetic anomalies and the clean row each is injected into."""
    counts = composition.per_subtype
    rng = np.random.default_rng(master_seed)
    # Parents are distinct while there are enough clean rows.
    parents = rng.choice(len(clean), sum(counts), replace=sum(counts) > len(clean))
    subtypes = [subtype for subtype, count in zip(SYNTHETIC_SUBTYPES, counts) for _ in range(count)]
    rng.shuffle(subtypes)
    rows = []
    for i, (parent, subtype) in enumerate(zip(parents, subtypes)):
        parent_id = clean[parent]["sample_id"]
        seed = _seed(edition, master_seed, "anomaly", parent_id, subtype, i)
        fault = {
            "parent_sample_id": parent_id,
            "generation_seed": seed,
            "anomaly_flag": True,
            "anomaly_subtype": subtype,
            "anomaly_origin": "synthetic_sensor_perturbation",
            "anomaly_severity": float(np.random.default_rng(seed).uniform(*composition.severity)),
        }
        rows.append(with_id({**clean[parent], **fault}))
    return rows, parents


def _regime_b_rows(
    pulses: PulseTable, common: dict, edition: Edition, master_seed: int, count: int, lowest_V: float
) -> list[dict]:
    """Low-voltage extrapolation rows: no SOH, no parent, pseudo-cells."""
    if count and lowest_V >= GROUNDED_MIN_V:
        found = f"{count} Regime-B rows, and no anchor below {GROUNDED_MIN_V} V"
        raise MagBridgeError(f"{found}: expected none of them (--regime-b 0)")
    rng = np.random.default_rng(master_seed + 2)
    rows = []
    for i in range(count):
        voltage = float(rng.choice(REGIME_B_ANCHORS) if edition is V1 else rng.uniform(lowest_V, GROUNDED_MIN_V))
        cell = f"regimeB_v{round(voltage * 100):03d}" if edition is V1 else f"regimeB_{i % REGIME_B_CELLS:03d}"
        record = int(rng.integers(0, len(pulses)))
        row = {
            **CLEAN,
            **common,
            "cell_id": cell,
            "battery_id": cell,
            "generation_seed": _seed(edition, master_seed, "regimeb", i, voltage),
            "voltage": voltage,
            "soc": float(pulses.soc[record]),
            "soh": None,
            "chemistry": CHEMISTRY,
            "regime": "extrapolation",
            "anomaly_flag": True,
            "anomaly_subtype": "low_voltage_regime_B",
            "anomaly_origin": "bridge_extrapolation",
            "anomaly_severity": 1.0,
        }
        rows.append(with_id(row))
    return rows
