"""The shape of a code's mean discharge curve in words, for a prompt (paper, section 5.2) and for readers (Table 12)."""

from __future__ import annotations

import numpy as np
import pandas as pd

SAG_END = 0.05  # of the load window: what has fallen by then is the sag under load
PLATEAU = (0.1, 0.7)  # of the load window, where the slope of the plateau is taken
SEARCHED = 0.3  # of the load window: the knee comes after


def key_shapes(curves: pd.DataFrame, code: int) -> list[str]:
    """What a code's mean discharge looks like.

    Args:
        curves: The table of the figure `curves`: `code`, `segments`, `time` (0 to 1 of the load window), `voltage_V`.
        code: The code.

    Returns:
        Phrases on ends, sag, plateau and knee, and on how the curve lies to the mean of all segments; none where the
        table has no curve of that code.
    """
    mine = curves[curves["code"] == code]
    if mine.empty:
        return []
    time, voltage = mine["time"].to_numpy(dtype=float), mine["voltage_V"].to_numpy(dtype=float)
    weighted = curves.assign(sum_V=curves["voltage_V"] * curves["segments"]).groupby("time")[["sum_V", "segments"]]
    total = weighted.sum()
    above = float(np.mean(voltage - (total["sum_V"] / total["segments"]).to_numpy()))
    start, sagged, early, late = np.interp((0.0, SAG_END, *PLATEAU), time, voltage)
    # The knee is where the curve lies farthest above the straight line to its end.
    tail = time >= SEARCHED
    chord = np.interp(time[tail], (time[tail][0], time[-1]), (voltage[tail][0], voltage[-1]))
    height = voltage[tail] - chord
    knee = int(np.argmax(height))
    shapes = [
        f"from {start:.2f} V to {voltage[-1]:.2f} V over the load window",
        f"falls {start - sagged:.2f} V in the first {SAG_END:.0%} of it",
        f"falls {early - late:.2f} V between {PLATEAU[0]:.0%} and {PLATEAU[1]:.0%} of it",
    ]
    if 0 < knee < len(height) - 1:
        place = f"knee at {time[tail][knee]:.0%} of it, {voltage[tail][knee]:.2f} V"
        shapes.append(f"{place}, {height[knee]:.2f} V above the straight line to the end")
    else:
        shapes.append("no knee")
    return [*shapes, f"on average {abs(above):.2f} V {'above' if above >= 0 else 'below'} the mean of all segments"]
