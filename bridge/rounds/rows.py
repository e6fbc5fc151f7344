"""Rows of a hidden round: from a secret and a configuration to labels and each task's signals."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from bridge.generate import AnyUpstream, ReleaseInputs, edition_of_upstream, generate_plan, make_bridge
from bridge.identity import sample_seed
from bridge.plan import Composition, Plan, make_plan
from bridge.release.folder import fixed_lists, package_versions
from bridge.rounds.cells import SOC_BINS, smoothed_cells
from bridge.v2 import BridgeV2Config, UpstreamV2
from bridge.v3.release import InputsV3
from dataset_card.contract.schema import CHANNELS, SYNTHETIC_SUBTYPES, T, arrow_schema_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.rounds import LABEL_FIELDS, SIGNAL_FIELDS, TASKS

MAX_ROWS = 200_000
"""Largest number of rows of a round that is made again, as a small file can ask for any number."""


@dataclass(frozen=True)
class RoundSize:
    """Number of rows that a round is drawn from.

    Attributes:
        cells: Number of new cells of each table, by its name; if empty, as many as PulseBat has.
        variants: Clean signals per record; a cell has nine records.
        anomalies: Synthetic anomalies, in equal shares of the four subtypes; half for T3, half for T4.
        regime_b: Regime-B rows, for T3.
    """

    cells: Mapping[str, int] = dataclasses.field(default_factory=dict)
    variants: int = 2
    anomalies: int = 1200
    regime_b: int = 600

    def composition(self) -> Composition:
        """Return the composition that a plan takes."""
        return Composition(variants=self.variants, anomalies=self.anomalies, regime_b=self.regime_b)

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> RoundSize:
        """Return the size that a round's configuration states.

        Raises:
            MagBridgeError: If it is not a size, or too large to make again.
        """
        rows = configuration.get("rows")
        try:
            size = cls(**rows)  # type: ignore[arg-type]
            clean = sum(size.cells.values()) * (len(SOC_BINS) - 1) * size.composition().variants
            total = clean + size.anomalies + size.regime_b
            whole = total <= MAX_ROWS and min(size.cells.values()) > 0
        except (TypeError, AttributeError, ValueError, MagBridgeError):
            whole = False
        if not whole:
            wanted = f"expected positive numbers, of at most {MAX_ROWS:,} rows in total"
            raise MagBridgeError(f"rows of the round are {str(rows)[:80]}: {wanted}")
        return size


FULL_SIZE = RoundSize()


class RoundRows(NamedTuple):
    """Signals and labels of a round.

    Attributes:
        signals: One table per task, of `SIGNAL_FIELDS`.
        labels: One table for all tasks, of `LABEL_FIELDS`.
    """

    signals: dict[str, pa.Table]
    labels: pa.Table


def make_configuration(name: str, upstream: ReleaseInputs, size: RoundSize) -> dict[str, Any]:
    """Return everything except the secret that a round's rows depend on, as plain values.

    Raises:
        MagBridgeError: If the upstream is not v2's.
    """
    upstream = _v2(upstream)
    tables = dict.fromkeys(upstream.pulses.table.tolist())
    cells = {table: len(set(upstream.pulses.cell[upstream.pulses.table == table])) for table in tables}
    config = BridgeV2Config()
    return {
        "name": name,
        "bridge": edition_of_upstream(upstream).bridge,
        "bridge_version": upstream.bridge_version,
        "bridge_config": dataclasses.asdict(config),
        "bridge_config_hash": config.hash(),
        "upstream": {"name": upstream.name, "sources": upstream.sources},
        "rows": dataclasses.asdict(dataclasses.replace(size, cells=dict(size.cells) or cells)),
        "packages": package_versions(),
    }


def make_rows(configuration: Mapping[str, Any], master_seed: int, upstream: AnyUpstream) -> RoundRows:
    """Generate the rows of a round, the same for the same arguments.

    Args:
        configuration: Result of `make_configuration`.
        master_seed: The secret seed: cells, makes, seeds, faults and the order of rows are drawn from it.
        upstream: The upstream that the configuration names.
    """
    size, upstream = RoundSize.of(configuration), _v2(upstream)
    cells = smoothed_cells(upstream.pulses, size.cells, _rng(master_seed, "cells"))
    bridge = make_bridge(upstream, BridgeV2Config(), master_seed)
    plan = make_plan(
        cells,
        bridge.config,
        master_seed=master_seed,
        composition=size.composition(),
        bridge_version=upstream.bridge_version,
        lowest_V=float(upstream.statistics.voltages[0]),
    )
    signals = generate_plan(bridge, plan)
    of_task = divide(plan, _rng(master_seed, "order"))
    ids = {task: [f"{task}-{i:05d}" for i in range(len(rows))] for task, rows in of_task.items()}
    return RoundRows(
        {task: _signal_table(ids[task], signals[rows]) for task, rows in of_task.items()},
        pa.concat_tables([_label_table(ids[task], task, plan, rows) for task, rows in of_task.items()]),
    )


def _v2(upstream: ReleaseInputs) -> UpstreamV2:
    """Return the upstream if a round can be made from it; raise otherwise."""
    if isinstance(upstream, UpstreamV2):
        if upstream.name in ("hybrid", "simulated"):
            return upstream
        expected = "published or simulated, with which everybody can make the round again"
        why = f"the upstream {upstream.name!r}: expected {expected}"
    elif isinstance(upstream, InputsV3):
        why = "v3: expected v2; a round consists of scans (100, 6) and labels of T1 to T4, and v3 has neither"
    else:
        why = "v1: expected v2; v1's rows have 31-bit seeds, which can be found by trying them all"
    raise MagBridgeError(f"a round of {why}")


def divide(plan: Plan, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the row numbers of each task, in the order in which they are handed out; no row serves two tasks.

    A row of T1 is known to be clean, and a row of T4 to be an anomaly: sharing it with T3 would reveal its class. An
    anomaly's parent is in no file: wherever the anomaly leaves the signal unchanged, both have the same numbers.
    """
    origin = plan.rows["anomaly_origin"].to_numpy()
    parents = np.unique(plan.parent[plan.parent >= 0])
    clean = rng.permutation(np.setdiff1d(np.flatnonzero(origin == "none"), parents))
    parts: dict[str, list[np.ndarray]] = {task: [] for task in TASKS}
    for task, rows in zip(("t1", "t2", "t3"), np.array_split(clean, 3)):
        parts[task].append(rows)
    for subtype in SYNTHETIC_SUBTYPES:
        rows = rng.permutation(np.flatnonzero(plan.rows["anomaly_subtype"].to_numpy() == subtype))
        for task, half in zip(("t3", "t4"), np.array_split(rows, 2)):
            parts[task].append(half)
    parts["t3"].append(np.flatnonzero(origin == "bridge_extrapolation"))
    return {task: rng.permutation(np.concatenate(rows)) for task, rows in parts.items()}


def _rng(master_seed: int, what: str) -> np.random.Generator:
    return np.random.default_rng(sample_seed(master_seed, "round", what, bits=63))


def _signal_table(ids: list[str], signals: np.ndarray) -> pa.Table:
    columns = [pa.array(ids), *(fixed_lists(signals[:, :, c], T) for c in range(len(CHANNELS)))]
    schema = arrow_schema_of(SIGNAL_FIELDS)
    return pa.table([column.cast(field.type) for column, field in zip(columns, schema)], schema=schema)


def _label_table(ids: list[str], task: str, plan: Plan, rows: np.ndarray) -> pa.Table:
    labels = plan.rows.iloc[rows].assign(sample_id=ids, task=task)
    labels = labels.astype(object).where(labels.notna(), None)
    return pa.Table.from_pylist(labels.to_dict("records"), schema=arrow_schema_of(LABEL_FIELDS))
