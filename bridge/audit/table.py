"""The promises of all rows of a release, held against its table by its edition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from bridge.audit.physics import check_physics
from bridge.audit.rows import Finding, check_rows
from dataset_card.contract.editions import V3
from dataset_card.contract.schema import U_FEATURES, T
from dataset_card.storage.arrays import signals
from dataset_card.storage.reading import scalars

TIME_TOLERANCE = {"double": 1e-12, "float": 1e-7}


def check_table(table: pa.Table, where: Sequence[str]) -> list[Finding]:
    """Check labels and signals of a whole release.

    Args:
        table: n rows by the contract, at least one.
        where: (n,) file and row of each, for the findings.

    Returns:
        Every broken promise.
    """
    rows = scalars(table)
    if set(V3.channels) <= set(table.column_names):
        return check_physics(rows, signals(table), where)
    findings = check_rows(rows, signals(table), u_features(table), where)
    time = lists(table, "time_norm", T)
    off = ~(np.abs(time - np.linspace(0, 1, T)).max(axis=1) <= TIME_TOLERANCE[str(table["time_norm"].type.value_type)])
    return findings + [Finding("time_norm", where[i], "is not linspace(0, 1, 100)") for i in np.flatnonzero(off)]


def u_features(table: pa.Table) -> np.ndarray:
    """(n, 21) pulse voltages in V; NaN for null, and where the edition has none."""
    if "u_features" not in table.column_names:
        return np.full((table.num_rows, U_FEATURES), np.nan)
    return lists(table, "u_features", U_FEATURES)


def lists(table: pa.Table, name: str, length: int) -> np.ndarray:
    """(n, length) values of a list column; NaN where it is null."""
    column = table[name].combine_chunks()
    out = np.full((len(column), length), np.nan)
    out[column.is_valid().to_numpy(zero_copy_only=False)] = (
        column.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, length)
    )
    return out
