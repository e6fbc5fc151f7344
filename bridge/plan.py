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
"""Lowest voltage of v2's Regime-B rows, in V; they extend up to the grounded regime."""

REGIME_B_CELLS = 100
"""Number of pseudo-cells among v2's Regime-B rows, each with its own make."""

REGIME_B_SOH = 1.0
"""SOH of Regime-B signals: they carry no degradation, because no scans show it at these voltages."""


VISITS = 4
"""Number of visits to each cell of v3."""

CELL_BLOCKS = len(CHEMISTRIES) * len(SOC_KNOWLEDGE)
"""Number of equally frequent kinds of v3 cells: chemistries times values of `soc_knowledge`."""


def _check_integer(name: str, value, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise MagBridgeError(f"{name} {value!r}: expected an integer of at least {least}")


@dataclass(frozen=True)
class Composition:
    """Number of rows of each kind in a v1 or v2 release.

    Attributes:
        variants: Clean rows per pulse record.
        anomalies: Synthetic anomalies, divided equally among the four subtypes; or one number per subtype.
        regime_b: Regime-B rows.
        severity: Lowest and highest severity of synthetic anomalies, within [0.2, 1].

    Raises:
        MagBridgeError: If a number is out of range.
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
            raise MagBridgeError(f"anomalies {counts}: expected {kinds} numbers, for {names}")
        if counts is not self.anomalies and counts[0] % kinds:
            expected = f"a multiple of {kinds} (equal shares of {names}) or one number for each"
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
        """Return the number of rows of a release with the given number of pulse records."""
        return records * self.variants + sum(self.per_subtype) + self.regime_b


@dataclass(frozen=True)
class CompositionV3:
    """Size of a v3 release.

    Attributes:
        virtual_cells: Number of cells, in equal shares for each chemistry and each value of `soc_knowledge`.

    Raises:
        MagBridgeError: If the number is out of range.
    """

    virtual_cells: int = 1500

    def __post_init__(self) -> None:
        _check_integer("virtual_cells", self.virtual_cells, CELL_BLOCKS)
        if self.virtual_cells % CELL_BLOCKS:
            raise MagBridgeError(f"virtual_cells {self.virtual_cells}: expected a multiple of {CELL_BLOCKS}")

    def rows(self, records: int = 0) -> int:
        """Return the number of rows of a release; v3 has no pulse records, so the argument is ignored."""
        return self.virtual_cells * VISITS


AnyComposition = Composition | CompositionV3

COMPOSITIONS: dict[Edition, AnyComposition] = {
    V1: Composition(),
    V2: Composition(variants=5, anomalies=1500, regime_b=1000),
    V3: CompositionV3(),
}
"""Composition of each edition's published release."""


def as_tuples(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Restore the tuples of a composition that JSON has turned into lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entries.items()}


def composition_of(edition: Edition, **changes) -> AnyComposition:
    """Return an edition's composition with the given entries changed; entries that are None keep their default.

    Raises:
        MagBridgeError: If an entry is out of range or does not belong to the edition.
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
        rows: One row per sample in release order, with the scalar fields of the contract. v1: clean, anomalies,
            Regime-B; v2: sorted by `sample_id`, which is as good as shuffled.
        u_features: (n, 21) pulse voltages in V; NaN for Regime-B.
        signal_soh: (n,) SOH at which the signal is generated (the label is null for Regime-B).
        parent: (n,) row number of a synthetic anomaly's parent, -1 elsewhere.
    """

    rows: pandas.DataFrame
    u_features: np.ndarray
    signal_soh: np.ndarray
    parent: np.ndarray

    def take(self, order: np.ndarray) -> Plan:
        """Return the rows with these numbers, in this order; the parents of anomalies must be among them."""
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
        pulses: Pulse-test records; their order matters because parents are drawn by row number.
        config: The bridge's configuration; its hash is a part of every id.
        master_seed: Seed from which every other seed is derived.
        composition: Number of rows of each kind; that of the edition's published release by default.
        bridge_version: Version written into every row; it determines the edition.
        lowest_V: Lowest voltage in V that the bridge accepts; from v2 on, Regime-B rows begin there.

    Raises:
        MagBridgeError: If the seed is negative, the composition is that of v3, or Regime-B rows are requested
            although no anchor lies below the grounded regime.
    """
    _check_integer("seed", master_seed, 0)
    edition = edition_of(bridge_version)
    composition = composition or COMPOSITIONS[edition]
    if not isinstance(composition, Composition):
        raise MagBridgeError(f"{composition} for v1 or v2: expected variants, anomalies, regime_b and severity")
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
    """Return the (n,) voltages in V at which the clean signals of the pulse records are generated."""
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
"""Default labels: no fault, no age, no parent. Other rows override them."""


def with_id(row: dict) -> dict:
    """Add the fields derived from a row's labels: nearest anchor, second-life class and id."""
    soh = row["soh"]
    second_life = None if soh is None else "reuse" if soh > REUSE_ABOVE_SOH else "recondition"
    row = {**row, "nearest_anchor": nearest_anchor(row["voltage"]), "second_life_class": second_life}
    return {**row, "sample_id": sample_id(row)}


def _seed(edition: Edition, master_seed: int, kind: str, *parts) -> int:
    """Derive a row's seed; from v2 on, the hashed text names the edition and 63 bits are kept instead of 31."""
    if edition is V1:
        return sample_seed(master_seed, kind, *parts)
    return sample_seed(master_seed, "v2", kind, *parts, bits=63)


def _clean_rows(
    pulses: PulseTable, common: dict, edition: Edition, master_seed: int, variants: int, config: HashedConfig
) -> list[dict]:
    """Build the clean rows, grouped by record."""
    # Built-in floats and strings, because ids are hashes of their text.
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
    """Build the synthetic anomalies; return them with the number of each one's clean parent row."""
    counts = composition.per_subtype
    rng = np.random.default_rng(master_seed)
    # Parents are distinct if there are enough clean rows.
    parents = rng.choice(len(clean), sum(counts), replace=sum(counts) > len(clean))
    subtypes = [subtype for subtype, count in zip(SYNTHETIC_SUBTYPES, counts) for _ in range(count)]
    rng.shuffle(subtypes)
    rows = []
    for i, (parent, subtype) in enumerate(zip(parents, subtypes)):
        parent_id = clean[parent]["sample_id"]
        # From v2 on, severity and place across the cell are drawn from the same number: rows were released so.
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
    """Build the low-voltage extrapolation rows, which have no SOH and no parent and belong to pseudo-cells."""
    if count and lowest_V >= GROUNDED_MIN_V:
        found = f"{count} Regime-B rows, but no anchor below {GROUNDED_MIN_V} V"
        raise MagBridgeError(f"{found}: expected 0 Regime-B rows (--regime-b 0)")
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
