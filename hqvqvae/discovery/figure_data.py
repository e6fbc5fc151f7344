"""The data behind each figure, one tidy table per figure (exactly as in its CSV); and a curve in words."""

import numpy as np
import pandas as pd

from ..cells.proxies import PROXIES, index_cells
from .analysis import MethodResult, Study, early_rates


def heatmap_data(study: Study, codes: np.ndarray) -> pd.DataFrame:
    """Return one row per segment: `cell_id`, `cohort`, `cycle`, `code`, `life_rank` (of the code; 0: earliest)."""
    life = pd.Series(index_cells(study.segments).life).groupby(codes).mean()
    rank = life.rank(method="first").astype(int) - 1
    return study.segments[["cell_id", "cohort", "cycle"]].assign(code=codes, life_rank=rank.loc[codes].to_numpy())


def timeline_data(study: Study, codes: np.ndarray, precursor: int | None) -> pd.DataFrame:
    """Return one row per segment: code, capacity, onset (cycle) and whether the code is the candidate precursor."""
    frame = heatmap_data(study, codes).assign(capacity_Ah=study.segments["capacity"].to_numpy())
    cells = zip(frame.groupby("cell_id", sort=False), study.cells["onset"], strict=True)
    onset = {name: cell["cycle"].iloc[int(at)] for (name, cell), at in cells if np.isfinite(at)}
    return frame.assign(onset_cycle=frame["cell_id"].map(onset), candidate=codes == precursor)


def histogram_data(study: Study, codes: np.ndarray, n_codes: int) -> pd.DataFrame:
    """Count segments per code and cohort, including zeros: `code`, `cohort`, `segments`."""
    cohorts = pd.unique(study.segments["cohort"])
    counts = pd.crosstab(codes, study.segments["cohort"].to_numpy())
    counts = counts.reindex(index=range(n_codes), columns=cohorts, fill_value=0)
    counts.index.name, counts.columns.name = "code", "cohort"
    return pd.Series(counts.stack(), name="segments").reset_index()


def curve_data(study: Study, codes: np.ndarray, curves: pd.DataFrame) -> pd.DataFrame:
    """Compute mean, 10 % and 90 % discharge voltage per code over normalised time.

    Args:
        study: The prepared cells.
        codes: Code of every valid segment, (N,).
        curves: `cell_id`, `cycle`, `voltage_V` (arrays of equal length: the load window at equal time steps).

    Returns:
        `code`, `segments`, `time` (0 to 1), `voltage_V`, `low_V`, `high_V`.
    """
    keys = study.segments[["cell_id", "cycle"]].assign(code=codes)
    rows = []
    for code, group in keys.merge(curves, on=["cell_id", "cycle"], how="inner").groupby("code"):
        voltage = np.stack(list(group["voltage_V"]))
        low, high = np.quantile(voltage, [0.1, 0.9], axis=0)
        mean = pd.DataFrame({"time": np.linspace(0, 1, voltage.shape[1]), "voltage_V": voltage.mean(axis=0)})
        mean.insert(0, "code", code)
        mean.insert(1, "segments", len(group))
        rows.append(mean.assign(low_V=low, high_V=high))
    return pd.concat(rows, ignore_index=True)


def mean_curve(curves: pd.DataFrame) -> pd.Series:
    """Compute the mean voltage of all segments over normalised time from the curves of their codes."""
    weighted = curves.assign(sum_V=curves["voltage_V"] * curves["segments"]).groupby("time")[["sum_V", "segments"]]
    total = weighted.sum()
    return total["sum_V"] / total["segments"]


def lead_data(study: Study, result: MethodResult) -> pd.DataFrame | None:
    """Return the candidate code's lead in each cell, and the median lead under each circular shift.

    Returns:
        `kind` (cell or null), `cell_id`, `lead` in segments, `code`; None if there is no lead time.
    """
    if result.leads is None:
        return None
    known = np.isfinite(result.leads.leads)
    cells = pd.DataFrame({"kind": "cell", "cell_id": study.index.cell_ids[known], "lead": result.leads.leads[known]})
    null = pd.DataFrame({"kind": "null", "cell_id": "", "lead": result.leads.null})
    return pd.concat([cells, null], ignore_index=True).assign(code=result.candidate)


def early_late_data(study: Study, result: MethodResult) -> pd.DataFrame | None:
    """Return early rates of the candidate and a neutral code with the late proxy; None if no code is eligible."""
    if result.candidate is None:
        return None
    rates, _ = early_rates(study, result.codes[study.rows], result.n_codes)
    rho = result.table.set_index("code")["spearman"]
    roles = {result.candidate: "candidate"}
    roles.setdefault(rho.index[int(np.nanargmin(rho.abs()))], "neutral")  # least related to the proxy
    cells = {"cell_id": study.index.cell_ids, "cohort": study.index.cohorts}
    late = {"proxy": study.proxy, "proxy_name": PROXIES[study.plan.proxy].label}
    frames = [
        pd.DataFrame({"role": role, "code": code, "spearman": rho[code], **cells, "early_rate": rates[:, code], **late})
        for code, role in roles.items()
    ]
    return pd.concat(frames, ignore_index=True)


def flow_data(study: Study, codes: np.ndarray) -> pd.DataFrame:
    """Find each cell's commonest code per third of life: `cell_id`, `cohort`, `third` (1 to 3), `code`, `share`."""
    index = index_cells(study.segments)
    frame = study.segments[["cell_id", "cohort"]].assign(third=index.third() + 1, code=codes)
    rows = []
    for (cell_id, third), group in frame.groupby(["cell_id", "third"], sort=False):
        share = group["code"].value_counts(normalize=True)
        code = share[share == share.max()].index.min()
        rows.append((cell_id, group["cohort"].iloc[0], third, code, share[code]))
    return pd.DataFrame(rows, columns=["cell_id", "cohort", "third", "code", "share"])


def figure_data(study: Study, result: MethodResult, curves: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """Collect the data of every figure that can be drawn for one method's result, by figure name.

    Args:
        study: The prepared cells.
        result: Result of the method whose codes are shown.
        curves: Discharge curves of the segments, or None without curves.

    Returns:
        Tables by figure name; a figure without data (no eligible code, no curve) is absent.
    """
    codes = result.codes
    frames = {
        "heatmap": heatmap_data(study, codes),
        "timeline": timeline_data(study, codes, result.candidate),
        "histogram": histogram_data(study, codes, result.n_codes),
        "curves": None if curves is None else curve_data(study, codes, curves),
        "lead_times": lead_data(study, result),
        "early_late": early_late_data(study, result),
        "flow": flow_data(study, codes),
    }
    return {name: frame for name, frame in frames.items() if frame is not None and len(frame)}


SAG_END = 0.05  # of the load window: the voltage drop by then is the sag under load
PLATEAU = (0.1, 0.7)  # of the load window: the part in which the plateau's slope is measured
SEARCHED = 0.3  # of the load window: the knee is sought after this


def key_shapes(curves: pd.DataFrame, code: int) -> list[str]:
    """Describe a code's mean discharge curve in phrases.

    Args:
        curves: The table of the figure `curves`: `code`, `segments`, `time` (0 to 1 of the load window), `voltage_V`.
        code: The code.

    Returns:
        Phrases on ends, sag, plateau and knee, and on the curve's offset from the mean of all segments; none if the
        table has no curve of that code.
    """
    mine = curves[curves["code"] == code]
    if mine.empty:
        return []
    time, voltage = mine["time"].to_numpy(dtype=float), mine["voltage_V"].to_numpy(dtype=float)
    above = float(np.mean(voltage - mean_curve(curves).to_numpy()))
    start, sagged, early, late = np.interp((0.0, SAG_END, *PLATEAU), time, voltage)
    # The knee is where the curve is farthest above the straight line to its end.
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
