"""The figures of a discovery run, each drawn from one tidy table and saved as PNG, SVG and CSV.

Colours are safe for colour-blind readers: codes are coloured on viridis by their position in life (dark early, bright
late), cohorts by the Okabe-Ito palette, each with its own marker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import MARKERS, canvas, save
from dataset_card.storage.files import replacing

from ..training.plotting import ACCENT, INK, NEUTRAL, OKABE_ITO, SIZES
from .figure_data import mean_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LABEL_INCH = 0.3  # a run of one code narrower than this in the heatmap gets no number, which would be illegible


def _cohort_styles(cohorts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Assign a colour and marker per cohort; use a single one for more cohorts than distinguishable colours."""
    names = list(dict.fromkeys(cohorts))
    if len(names) > len(OKABE_ITO):
        return dict.fromkeys(names, (OKABE_ITO[0], MARKERS[0]))
    return dict(zip(names, zip(OKABE_ITO, MARKERS, strict=True), strict=False))


def _cohort_of(frame: pd.DataFrame) -> dict[str, str]:
    """Return the cohort of each cell, sorted by cohort in order of appearance: the same order in every figure."""
    cells = frame.drop_duplicates("cell_id")
    cells = cells.assign(order=pd.factorize(cells["cohort"])[0]).sort_values(["order", "cell_id"])
    return dict(zip(cells["cell_id"], cells["cohort"], strict=True))


def _legend(axis: Axes, styles: dict[str, tuple[str, str]], marker: str | None = None) -> None:
    """Name the cohorts to the right of a panel, if they can be distinguished."""
    from matplotlib.lines import Line2D

    if len(set(styles.values())) == len(styles):
        handles = [Line2D([], [], color=c, marker=marker or m, ls="", label=name) for name, (c, m) in styles.items()]
        axis.legend(handles=handles, title="cohort", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _life_ranks(frame: pd.DataFrame) -> tuple[dict[int, int], Any]:
    """Return codes from early to late with their ranks, and the colours of the ranks."""
    from matplotlib import colormaps

    ranks = frame[["code", "life_rank"]].drop_duplicates().sort_values("life_rank")
    return dict(zip(ranks["code"], ranks["life_rank"], strict=True)), colormaps["viridis"].resampled(len(ranks))


def _ink_on(colour) -> str:
    """Return black or white, whichever is more legible on a colour."""
    red, green, blue = colour[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def draw_heatmap(frame: pd.DataFrame) -> Canvas:
    """Draw codes over cells and cycles; invalid segments are white."""
    cohort_of = _cohort_of(frame)
    rank_of, colours = _life_ranks(frame)
    row_of = {cell: row for row, cell in enumerate(cohort_of)}
    last, width = int(frame["cycle"].max()) + 1, 13
    figure, axis = canvas(size=(width, max(3.0, 0.34 * len(row_of) + 1.2)))
    grid = np.full((len(row_of), last), np.nan)
    grid[frame["cell_id"].map(row_of), frame["cycle"].astype(int)] = frame["life_rank"]
    edges = np.arange(last + 1) - 0.5, np.arange(len(row_of) + 1) - 0.5
    mesh = axis.pcolormesh(*edges, grid, cmap=colours, vmin=-0.5, vmax=len(rank_of) - 0.5, rasterized=True)
    ordered = frame.sort_values(["cell_id", "cycle"])
    same = (ordered[["cell_id", "code"]] == ordered[["cell_id", "code"]].shift()).all(axis=1)
    for _, run in ordered.groupby((~same | (ordered["cycle"].diff() != 1)).cumsum()):
        if len(run) / last * width >= LABEL_INCH:
            cell, code, start = run[["cell_id", "code", "cycle"]].iloc[0]
            place = {"x": start + (len(run) - 1) / 2, "y": row_of[cell], "ha": "center", "va": "center"}
            axis.text(**place, s=str(code), fontsize=7, color=_ink_on(colours(rank_of[code])))
    cohorts = list(cohort_of.values())
    for row in range(1, len(cohorts)):
        if cohorts[row] != cohorts[row - 1]:
            axis.axhline(row - 0.5, color="white", linewidth=3)
    axis.set_yticks(range(len(row_of)), [f"{cell}  ({cohort})" for cell, cohort in cohort_of.items()])
    axis.invert_yaxis()
    title = "Code of every discharge; codes coloured from early (dark) to late (bright) in life"
    axis.set(xlabel="cycle (discharge index)", title=title)
    bar = figure.colorbar(mesh, ax=axis, pad=0.01, aspect=40)
    bar.set_ticks(range(len(rank_of)), labels=[str(code) for code in rank_of])
    bar.ax.tick_params(labelsize=7, length=0)
    bar.set_label("code, earliest at the bottom")
    return figure


def draw_timeline(frame: pd.DataFrame, cell: str | None = None) -> Canvas:
    """Draw capacity and codes of one cell over its life; by default the cell with the most segments.

    Raises:
        MagBridgeError: If the cell is not in the table.
    """
    known = frame["cell_id"].value_counts(sort=False)
    cell = str(known.idxmax()) if cell is None else cell
    if cell not in known.index:
        raise MagBridgeError(f"cell {cell!r} is not in this run; expected one of {', '.join(map(str, known.index))}")
    _, colours = _life_ranks(frame)
    mine = frame[frame["cell_id"] == cell].sort_values("cycle")
    row_of = {code: row for row, code in enumerate(_life_ranks(mine)[0])}
    low = max(1.0, 0.22 * len(row_of))
    figure, (top, bottom) = canvas(2, 1, (11, 3.0 + low), sharex=True, height_ratios=(2.4, low))
    shade = colours(mine["life_rank"].to_numpy())
    top.plot(mine["cycle"], mine["capacity_Ah"], color=NEUTRAL, linewidth=1, zorder=1)
    top.scatter(mine["cycle"], mine["capacity_Ah"], c=shade, s=18, zorder=2, edgecolors=INK, linewidths=0.3)
    candidate = mine[mine["candidate"].astype(bool)]
    if len(candidate):
        style = {"marker": "v", "s": 60, "facecolors": "none", "edgecolors": ACCENT, "linewidths": 1.5, "zorder": 3}
        label = f"candidate code {candidate['code'].iloc[0]}"
        top.scatter(candidate["cycle"], candidate["capacity_Ah"], **style, label=label)
    onset = mine["onset_cycle"].iloc[0]
    if np.isfinite(onset):
        for axis in (top, bottom):
            axis.axvline(onset, color=ACCENT, linestyle="--", linewidth=1.2)
        top.plot([], [], color=ACCENT, linestyle="--", label=f"onset of degradation (cycle {onset:.0f})")
    if len(candidate) or np.isfinite(onset):
        top.legend()
    title = f"{cell}: capacity, and the code of every discharge (early codes at the bottom)"
    top.set(ylabel="capacity [Ah]", title=title)
    bottom.scatter(mine["cycle"], mine["code"].map(row_of), c=shade, marker="s", s=14, edgecolors=INK, linewidths=0.2)
    bottom.set_yticks(range(len(row_of)), [str(code) for code in row_of], fontsize=7)
    bottom.set(ylim=(-0.7, len(row_of) - 0.3), ylabel="code", xlabel="cycle (discharge index)")
    return figure


def draw_histogram(frame: pd.DataFrame) -> Canvas:
    """Draw segments per code, split by cohort: a bar of one colour is a code that identifies a cohort."""
    counts = frame.pivot_table(index="code", columns="cohort", values="segments", sort=False).sort_index()
    styles = _cohort_styles(frame["cohort"])
    figure, axis = canvas(size=(max(6.0, 0.32 * len(counts) + 1.5), 4.2))
    base = np.zeros(len(counts))
    for cohort, (colour, _) in styles.items():
        axis.bar(range(len(counts)), counts[cohort], bottom=base, color=colour, edgecolor="white", linewidth=0.4)
        base += counts[cohort].to_numpy()
    axis.set_xticks(range(len(counts)), counts.index)
    title = f"Use of the codebook: {int((base > 0).sum())} of {len(counts)} codes occur"
    axis.set(xlabel="code", ylabel="discharge segments", title=title)
    _legend(axis, styles, "s")
    return figure


def draw_curves(frame: pd.DataFrame) -> Canvas:
    """Draw each code's mean discharge curve with its 10 to 90 % band, and the mean of all segments in grey."""
    groups = list(frame.groupby("code"))
    columns = min(8, len(groups))
    rows = -(-len(groups) // columns)
    size = (max(4.0, 1.6 * columns), 1.5 * rows + 1.0)
    figure, axes = canvas(rows, columns, size, sharex=True, sharey=True, squeeze=False)
    everything = mean_curve(frame)
    for axis, (code, group) in zip(axes.flat, groups, strict=False):
        axis.plot(everything.index, everything, color=NEUTRAL, linewidth=1, linestyle=":")
        axis.fill_between(group["time"], group["low_V"], group["high_V"], color=OKABE_ITO[4], alpha=0.45, linewidth=0)
        axis.plot(group["time"], group["voltage_V"], color=OKABE_ITO[0], linewidth=1.5)
        axis.set_title(f"code {code}  (n = {group['segments'].iloc[0]})", fontsize=8)
    for axis in axes.flat[len(groups) :]:
        axis.set_visible(False)
    for axis in axes.flat[len(groups) - columns : len(groups)]:
        axis.tick_params(labelbottom=True)
    figure.supxlabel("time in the load window (0 = start, 1 = end)")
    figure.supylabel("voltage [V]")
    figure.suptitle("Mean discharge per code with its 10-90 % band; dotted: mean of all segments")
    return figure


def draw_lead_times(frame: pd.DataFrame) -> Canvas:
    """Draw the candidate code's lead time per cell, and its median against circularly shifted sequences."""
    cells = frame[frame["kind"] == "cell"].sort_values("lead")
    null = frame.loc[frame["kind"] == "null", "lead"].to_numpy()
    median, rows = cells["lead"].median(), range(len(cells))
    low = 0.2 * len(cells)
    figure, (top, bottom) = canvas(2, 1, (9, 3.4 + low), sharex=True, height_ratios=(2.4, low + 0.4))
    top.hist(null, bins=min(40, max(5, len(np.unique(null)))), color="#BBBBBB", label="median lead, shifted sequences")
    top.axvline(median, color=ACCENT, linewidth=2, label=f"median lead, observed: {median:g} segments")
    top.legend()
    p = (1 + np.sum(null >= median)) / (1 + len(null))
    lead = f"Lead of code {frame['code'].iloc[0]} over the onset of degradation"
    top.set(ylabel="shifts", title=f"{lead} (p = {p:.3f} against circular shifts)")
    bottom.scatter(cells["lead"], rows, color=OKABE_ITO[0], s=22)
    bottom.hlines(rows, 0, cells["lead"], color=OKABE_ITO[0], linewidth=1)
    bottom.axvline(0, color=INK, linewidth=0.8)
    bottom.set_yticks(rows, cells["cell_id"])
    label = "lead time [segments]; right of 0: the code comes before the onset"
    bottom.set(ylim=(-0.6, len(cells) - 0.4), xlabel=label)
    return figure


def draw_early_late(frame: pd.DataFrame) -> Canvas:
    """Draw early rates of the candidate code, and of a neutral one for contrast, against the late proxy."""
    roles = list(frame.groupby("role", sort=False))
    styles = _cohort_styles(frame["cohort"])
    figure, axes = canvas(1, len(roles), (4.6 * len(roles) + 1.2, 4.2), sharey=True, squeeze=False)
    for axis, (role, mine) in zip(axes[0], roles, strict=True):
        for cohort, (colour, marker) in styles.items():
            group = mine[mine["cohort"] == cohort]
            style = {"color": colour, "marker": marker, "s": 36, "edgecolors": INK, "linewidths": 0.4}
            axis.scatter(group["early_rate"], group["proxy"], **style)
        title = f"{role} code {mine['code'].iloc[0]}: Spearman {mine['spearman'].iloc[0]:.2f}"
        axis.set(title=title, xlabel="share of the early window in this code")
    axes[0, 0].set_ylabel(f"late proxy: {frame['proxy_name'].iloc[0]}")
    _legend(axes[0, -1], styles)
    return figure


def draw_flow(frame: pd.DataFrame) -> Canvas:
    """Draw each cell as a ribbon through its commonest code in the first, middle and last third of its life."""
    from matplotlib.patches import Rectangle

    cohort_of = _cohort_of(frame)
    styles = _cohort_styles(frame["cohort"])
    figure, axis = canvas(size=(9, max(3.2, 0.36 * len(cohort_of) + 1.4)))
    gap, rank = 0.35, {cell: i for i, cell in enumerate(cohort_of)}
    place: dict[tuple[int, str], float] = {}
    for third in sorted(frame["third"].unique().tolist()):
        column = frame[frame["third"] == third].assign(rank=frame["cell_id"].map(rank))
        top = 0.0
        # Boxes in the order of their cells, so that fewer ribbons cross.
        for code, box in sorted(column.groupby("code"), key=lambda item: item[1]["rank"].mean()):
            axis.add_patch(Rectangle((third - 0.07, top), 0.14, len(box), facecolor="white", edgecolor=INK, zorder=3))
            axis.text(third, top + len(box) / 2, str(code), ha="center", va="center", fontsize=9, zorder=4)
            for cell in box.sort_values("rank")["cell_id"]:
                place[third, cell] = top
                top += 1
            top += gap
    curve = np.linspace(0, 1, 40)
    step = curve**2 * (3 - 2 * curve)
    for cell, cohort in cohort_of.items():
        for third in (1, 2):
            if (third, cell) in place and (third + 1, cell) in place:
                y = place[third, cell] + step * (place[third + 1, cell] - place[third, cell])
                ribbon = {"color": styles[cohort][0], "alpha": 0.75, "linewidth": 0}
                axis.fill_between(third + curve, y + 0.08, y + 0.92, **ribbon)
        if (1, cell) in place:
            axis.text(0.9, place[1, cell] + 0.5, cell, ha="right", va="center", fontsize=7)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_xticks([1, 2, 3], ["first third of life", "middle third", "last third"])
    axis.tick_params(length=0)
    title = "Commonest code of each cell through its life (boxes: codes; ribbons: cells)"
    axis.set(xlim=(0.65, 3.15), ylim=(max(place.values()) + 1.2, -0.2), yticks=[], title=title)
    _legend(axis, styles, "s")
    return figure


class FigureKind(NamedTuple):
    """A figure's title and the function that draws it from its table."""

    title: str
    draw: Callable[..., Canvas]


FIGURES: dict[str, FigureKind] = {
    "heatmap": FigureKind("Codes over cells and cycles", draw_heatmap),
    "timeline": FigureKind("One cell: capacity and codes", draw_timeline),
    "histogram": FigureKind("Use of the codebook", draw_histogram),
    "curves": FigureKind("Mean discharge curve per code", draw_curves),
    "lead_times": FigureKind("Lead time against its null", draw_lead_times),
    "early_late": FigureKind("Early activation against late degradation", draw_early_late),
    "flow": FigureKind("Codes through the thirds of life", draw_flow),
}


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a run's CSV: names stay text ("NA", "0012"), empty fields are missing, floats are restored exactly."""
    text = {"cell_id": str, "cohort": str}
    return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=text, float_precision="round_trip")


def save_figure(name: str, frame: pd.DataFrame, folder: str | Path, **options: str | None) -> list[Path]:
    """Draw one figure and write it as PNG and SVG with its data as CSV.

    Args:
        name: One of `FIGURES`.
        frame: Its table, as made by `figure_data` or read from its CSV.
        folder: Folder for the three files; made if missing.
        options: Options of the drawing function (`cell` for the timeline).

    Returns:
        Paths of the PNG, the SVG and the CSV.
    """
    from matplotlib import rc_context

    paths = [Path(folder) / f"{name}.{suffix}" for suffix in ("png", "svg", "csv")]
    with rc_context(SIZES):
        figure = FIGURES[name].draw(frame, **options)
        for path in paths[:2]:
            save(figure, path)
    with replacing(paths[2]) as csv:
        frame.to_csv(csv, index=False)
    return paths
