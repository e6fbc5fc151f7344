"""A small release folder whose signals carry the labels, so that good models score high and bad ones at chance."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_card.contract.configs import METADATA_FILE, SPLITS, atom_path
from dataset_card.contract.schema import (
    ANOMALY_ORIGINS,
    CHANNELS,
    METADATA_FIELDS,
    REUSE_ABOVE_SOH,
    SYNTHETIC_SUBTYPES,
    U_FEATURES,
    T,
    arrow_schema,
)
from dataset_card.storage.digests import dataset_digest

CELLS = {"train": [str(n) for n in range(1, 11)], "validation": ["11", "12", "13"], "test": ["14", "15", "16", "17"]}
ROWS_PER_CELL = 24
TIME = np.linspace(0, 1, T)


def _row(rng, number: int, provenance: str, cell: str, soh: float | None, parent: str | None, subtype: str) -> dict:
    """One row: SOH sets the noise level, subtypes and Regime-B change the trajectory."""
    level = 1000 - 500 * (provenance == "regime_b")
    noise = 5 + 200 * (1 - soh if soh is not None else 0)
    signal = level + noise * rng.normal(size=(T, len(CHANNELS)))
    severity = 0.0 if provenance == "clean" else float(rng.uniform(0.5, 1)) if provenance == "anomaly" else 1.0
    if subtype == "sensor_dropout":
        signal[30:60] *= 0.01
    elif subtype == "calibration_drift":
        signal *= (1 + 0.4 * TIME)[:, None]
    elif subtype == "temporal_warp":
        signal = signal[rng.permutation(T)] + 400
    elif subtype == "periodic_interference":
        signal += 200 * np.sin(2 * np.pi * 5 * TIME)[:, None]
    origin = {"clean": 0, "anomaly": 1, "regime_b": 2}[provenance]
    return {
        "sample_id": f"lfp_{cell.lower()}_{number:05d}",
        "parent_sample_id": parent,
        "cell_id": cell,
        "generation_seed": number,
        "bridge_version": "test",
        "bridge_config_hash": "0" * 12,
        "schema_version": "1.0",
        "voltage": 2.54 if provenance == "regime_b" else 3.3,
        "soc": 50.0,
        "soh": soh,
        "chemistry": "LFP",
        "u_features": None if soh is None else [3.3] * U_FEATURES,
        "regime": "extrapolation" if provenance == "regime_b" else "grounded",
        "nearest_anchor": 3.34,
        "anomaly_flag": provenance != "clean",
        "anomaly_subtype": subtype,
        "anomaly_origin": ANOMALY_ORIGINS[origin],
        "anomaly_severity": severity,
        "second_life_class": None if soh is None else "reuse" if soh > REUSE_ABOVE_SOH else "recondition",
        **{name: signal[:, c].tolist() for c, name in enumerate(CHANNELS)},
        "time_norm": TIME.tolist(),
    }


def synthetic_rows() -> list[tuple[str, str, dict]]:
    """(primary split, record split, row) of a made-up release, in release order."""
    rng, rows, number = np.random.default_rng(7), [], 0

    def add(split, provenance, cell, soh, parent=None, subtype="none"):
        nonlocal number
        number += 1
        rows.append((split, SPLITS[int(rng.integers(3))], _row(rng, number, provenance, cell, soh, parent, subtype)))

    for split, cells in CELLS.items():
        for cell in cells:
            for soh in np.clip(rng.uniform(0.76, 0.94) + 0.02 * rng.normal(size=ROWS_PER_CELL), 0.74, 0.96):
                add(split, "clean", cell, float(soh))
    for i, (split, _, parent) in enumerate(list(rows)):
        if i % 2 == 0:
            add(split, "anomaly", parent["cell_id"], parent["soh"], parent["sample_id"], SYNTHETIC_SUBTYPES[i // 2 % 4])
    for split, cell in zip(SPLITS, ("regimeB_v300", "regimeB_v281", "regimeB_v254")):
        for _ in range(30):
            add(split, "regime_b", cell, None, subtype="low_voltage_regime_B")
    return rows


def write_release(folder, rows) -> None:
    """Writes rows as a release folder by the contract."""
    atoms = {}
    for split, record, row in rows:
        provenance = {"none": "clean", "low_voltage_regime_B": "regime_b"}.get(row["anomaly_subtype"], "anomaly")
        atoms.setdefault(atom_path(provenance, split, record), []).append(row)
    for path, members in atoms.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(members, schema=arrow_schema()), target)
    table = pa.Table.from_pylist([row for _, _, row in rows], schema=arrow_schema())
    pq.write_table(table.select(METADATA_FIELDS), folder / METADATA_FILE)
    manifest = {
        "name": "tiny",
        "dataset_digest": dataset_digest(table),
        "upstream": {"name": "simulated"},
        "bridge_version": "test",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """Path of the made-up release."""
    folder = tmp_path_factory.mktemp("release") / "tiny"
    folder.mkdir()
    write_release(folder, synthetic_rows())
    return folder
