"""Features of a discharge over its charge, not its time: what a curve Q(V) gives, and raw samples give as well.

Over charge, a discharge at another current or with other sampling has the same features, but for the cell's own drop.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .features import Segment, load_window

FRACTIONS = (0.2, 0.5, 0.8, 0.9)
VOLTAGES = tuple(f"v_{round(100 * fraction)}" for fraction in FRACTIONS)
CHARGE_UNITS = {"capacity": "Ah", "v_mean_charge": "V", **dict.fromkeys(VOLTAGES, "V")}
CHARGE_FEATURES = tuple(CHARGE_UNITS)
"""`capacity`, the mean voltage over the charge, and the voltage at 20, 50, 80 and 90 % of the discharge."""


def charge_features(charge_Ah: np.ndarray, voltage_V: np.ndarray) -> dict[str, float]:
    """Describe one discharge by its charge.

    Args:
        charge_Ah: discharged so far, never decreasing, (n,).
        voltage_V: voltage there, (n,).

    Returns:
        `CHARGE_FEATURES`; `capacity` is the last charge.

    Examples:
        >>> charge_features(np.array([0.0, 1.0]), np.array([4.0, 3.0]))["v_20"]
        3.8
    """
    voltages = np.interp(np.array(FRACTIONS) * charge_Ah[-1], charge_Ah, voltage_V)
    mean = np.trapezoid(voltage_V, charge_Ah) / (charge_Ah[-1] - charge_Ah[0])
    return {"capacity": float(charge_Ah[-1]), "v_mean_charge": float(mean)} | dict(
        zip(VOLTAGES, voltages.tolist(), strict=True)
    )


def add_charge_features(table: pd.DataFrame, segments: list[Segment]) -> pd.DataFrame:
    """Add the charge features, but for `capacity`, to the valid rows of a table of `features.feature_table`.

    Args:
        table: one row per segment, `valid` among its columns.
        segments: the records that it was made from.

    Returns:
        The table with `v_mean_charge` and `VOLTAGES`, NaN in rows that are not valid.
    """
    by_key = {(segment.cell_id, segment.cycle): segment for segment in segments}
    names = [name for name in CHARGE_FEATURES if name != "capacity"]
    rows = np.full((len(table), len(names)), np.nan)
    for row in np.flatnonzero(table["valid"]):
        segment = by_key[table["cell_id"].iloc[row], table["cycle"].iloc[row]]
        window = load_window(segment)
        time, current = segment.time_s[window], segment.current_A[window]
        steps = -np.diff(time) * (current[1:] + current[:-1]) / 7200
        charge = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 0.0))])
        found = charge_features(charge, segment.voltage_V[window])
        rows[row] = [found[name] for name in names]
    return table.assign(**dict(zip(names, rows.T, strict=True)))
