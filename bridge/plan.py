"""The plan of a release: every row's request, in release order, before any signal exists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas

from bridge.config import (
    BRIDGE_VERSION,
    CHEMISTRY,
    GROUNDED_MAX_V,
    GROUNDED_MIN_V,
    SEVERITY_MAX,
    SEVERITY_MIN,
    VARIANTS,
    BridgeConfig,
)
from bridge.identity import nearest_anchor, sample_id, sample_seed
from bridge.upstream.inputs import PulseTable
from dataset_card.errors import MagBridgeError
from dataset_card.schema import (
    MASTER_SEED,
    METADATA_FIELDS,
    REUSE_ABOVE_SOH,
    SCHEMA_VERSION,
    SYNTHETIC_SUBTYPES,
)

ANOMALIES_PER_SUBTYPE = 150
REGIME_B_ROWS = 560
REGIME_B_ANCHORS = (2.54, 2.81, 3.00)
REGIME_B_SOH = 1.0
"""Regime-B signals carry no degradation: the bridge has no scans to show it with."""


@dataclass(frozen=True)
class Plan:
    """Requests and labels of a release.

    Attributes:
        rows: One row per sample in release order (clean, anomalies, Regime-B), the scalar fields of the contract.
        u_features: (n, 21) pulse voltages in V; NaN for Regime-B.
        signal_soh: (n,) SOH that the signal is generated at (the label is null for Regime-B).
        parent: (n,) row number of a synthetic anomaly's parent, -1 elsewhere.
    """

    rows: pandas.DataFrame
    u_features: np.ndarray
    signal_soh: np.ndarray
    parent: np.ndarray


def make_plan(
    pulses: PulseTable,
    config: BridgeConfig = BridgeConfig(),
    *,
    master_seed: int = MASTER_SEED,
    variants: int = VARIANTS,
    bridge_version: str = BRIDGE_VERSION,
) -> Plan:
    """Plans a release: `variants` clean rows per record, 600 synthetic anomalies, 560 Regime-B rows.

    Args:
        pulses: Pulse-test records; their order matters, since parents are drawn by row number.
        config: Bridge configuration; its hash is part of every id.
        master_seed: Seed that every other seed is derived from.
        variants: Clean rows per record; v1.0 has 10.
        bridge_version: Version written into every row.

    Raises:
        MagBridgeError: `variants` is not positive, the seed is negative, or there are fewer clean rows than anomalies.
    """
    if isinstance(master_seed, bool) or not isinstance(master_seed, (int, np.integer)) or master_seed < 0:
        raise MagBridgeError(f"seed {master_seed!r}: expected an integer of at least 0")
    if isinstance(variants, bool) or not isinstance(variants, (int, np.integer)) or variants < 1:
        raise MagBridgeError(f"variants {variants!r}: expected an integer of at least 1")
    common = {
        "bridge_version": bridge_version,
        "bridge_config_hash": config.hash(),
        "schema_version": SCHEMA_VERSION,
        "chemistry": CHEMISTRY,
    }
    clean, clean_record = _clean_rows(pulses, common, master_seed, variants)
    anomalies, anomaly_parent = _anomaly_rows(clean, master_seed)
    regime_b = _regime_b_rows(pulses, common, master_seed)

    u_features = np.full((len(clean) + len(anomalies) + len(regime_b), pulses.u.shape[1]), np.nan)
    u_features[: len(clean)] = pulses.u[clean_record]
    u_features[len(clean) : len(clean) + len(anomalies)] = pulses.u[clean_record[anomaly_parent]]
    rows = clean + anomalies + regime_b
    parent = np.full(len(rows), -1)
    parent[len(clean) : len(clean) + len(anomalies)] = anomaly_parent
    signal_soh = np.array([REGIME_B_SOH if row["soh"] is None else row["soh"] for row in rows])
    return Plan(pandas.DataFrame(rows, columns=list(METADATA_FIELDS)), u_features, signal_soh, parent)


def _with_id(row: dict) -> dict:
    return {**row, "sample_id": sample_id(row)}


def _clean_rows(pulses: PulseTable, common: dict, master_seed: int, variants: int) -> tuple[list[dict], np.ndarray]:
    """Clean rows and the record each comes from."""
    # Python's own floats and strings: ids are hashes of their text.
    voltages = np.clip(pulses.u.mean(axis=1), GROUNDED_MIN_V, GROUNDED_MAX_V).tolist()
    rows = []
    for cell, soc, soh, voltage in zip(pulses.cell.tolist(), pulses.soc.tolist(), pulses.soh.tolist(), voltages):
        label = {
            **common,
            "parent_sample_id": None,
            "cell_id": cell,
            "voltage": voltage,
            "soc": soc,
            "soh": soh,
            "regime": "grounded",
            "nearest_anchor": nearest_anchor(voltage),
            "anomaly_flag": False,
            "anomaly_subtype": "none",
            "anomaly_origin": "none",
            "anomaly_severity": 0.0,
            "second_life_class": "reuse" if soh > REUSE_ABOVE_SOH else "recondition",
        }
        rows.extend(
            _with_id({**label, "generation_seed": sample_seed(master_seed, "clean", cell, int(soc), variant)})
            for variant in range(variants)
        )
    return rows, np.repeat(np.arange(len(pulses)), variants)


def _anomaly_rows(clean: list[dict], master_seed: int) -> tuple[list[dict], np.ndarray]:
    """Synthetic anomalies and the clean row each is injected into."""
    count = ANOMALIES_PER_SUBTYPE * len(SYNTHETIC_SUBTYPES)
    if len(clean) < count:
        raise MagBridgeError(
            f"{len(clean)} clean rows: expected at least {count}, one parent per synthetic anomaly; "
            "raise the number of variants or of records"
        )
    rng = np.random.default_rng(master_seed)
    parents = rng.choice(len(clean), count, replace=False)
    subtypes = [subtype for subtype in SYNTHETIC_SUBTYPES for _ in range(ANOMALIES_PER_SUBTYPE)]
    rng.shuffle(subtypes)
    rows = []
    for i, (parent, subtype) in enumerate(zip(parents, subtypes)):
        parent_id = clean[parent]["sample_id"]
        seed = sample_seed(master_seed, "anomaly", parent_id, subtype, i)
        rows.append(
            _with_id(
                {
                    **clean[parent],
                    "parent_sample_id": parent_id,
                    "generation_seed": seed,
                    "anomaly_flag": True,
                    "anomaly_subtype": subtype,
                    "anomaly_origin": "synthetic_sensor_perturbation",
                    "anomaly_severity": float(np.random.default_rng(seed).uniform(SEVERITY_MIN, SEVERITY_MAX)),
                }
            )
        )
    return rows, parents


def _regime_b_rows(pulses: PulseTable, common: dict, master_seed: int) -> list[dict]:
    """Low-voltage extrapolation rows: no SOH, no parent, a pseudo-cell per anchor."""
    rng = np.random.default_rng(master_seed + 2)
    rows = []
    for i in range(REGIME_B_ROWS):
        voltage = float(rng.choice(REGIME_B_ANCHORS))
        record = int(rng.integers(0, len(pulses)))
        rows.append(
            _with_id(
                {
                    **common,
                    "parent_sample_id": None,
                    "cell_id": f"regimeB_v{round(voltage * 100):03d}",
                    "generation_seed": sample_seed(master_seed, "regimeb", i, voltage),
                    "voltage": voltage,
                    "soc": float(pulses.soc[record]),
                    "soh": None,
                    "regime": "extrapolation",
                    "nearest_anchor": nearest_anchor(voltage),
                    "anomaly_flag": True,
                    "anomaly_subtype": "low_voltage_regime_B",
                    "anomaly_origin": "bridge_extrapolation",
                    "anomaly_severity": 1.0,
                    "second_life_class": None,
                }
            )
        )
    return rows
