"""The figures of a discovery run, each drawn from one tidy table and saved as PNG, SVG and CSV.

Colours are safe for colour-blind readers: codes are coloured by their place in life on viridis (dark early, bright
late), cohorts by the Okabe-Ito palette with a marker each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.files import replacing

from ..training.plotting import ACCENT, DPI, INK, MARKERS, NEUTRAL, OKABE_ITO, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LABEL_INCH = 0.3  # a run of one code narrower than this in the heatmap carries no number, it would not be legible


def _cohort_styles(cohorts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker per cohort; beyond seven all look alike, since more colours cannot be told apart."""
    names = list(dict.fromkeys(cohorts))
    if len(names) > len(OKABE_ITO):
        return dict.fromkeys(names, (OKABE_ITO[0], MARKERS[0]))
    return dict(zip(names, zip(OKABE_ITO, MARKERS, strict=True), strict=False))


def _cells_by_cohort(frame: pd.DataFrame) -> list[str]:
    """Cells with those of a cohort side by side, cohorts in order of appearance: the same order in every figure."""
    cells = frame.drop_duplicates("cell_id")
    order = cells["cohort"].map({name: i for i, name in enumerate(pd.unique(cells["cohort"]))})
    return cells.assign(order=order).sort_values(["order", "cell_id"])["cell_id"].tolist()


def _legend(axis: Axes, styles: dict[str, tuple[str, str]], **kwargs) -> None:
    from matplotlib.lines import Line2D

    if len(set(styles.values())) == len(styles):
        handles = [Line2D([], [], color=c, marker=m, linestyle="", label=name) for name, (c, m) in styles.items()]
        axis.legend(handles=handles, title="cohort", fontsize=8, title_fontsize=8, frameon=False, **kwargs)


def _life_colours(n_codes: int):
    from matplotlib import colormaps

    return colormaps["viridis"].resampled(max(n_codes, 1))


def _ink_on(colour) -> str:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = colour[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def _runs(codes: np.ndarray, cycles: np.ndarray):
    """Run of one code over successive cycles: (first cycle, length, code)."""
    breaks = np.flatnonzero((np.diff(codes) != 0) | (np.diff(cycles) != 1)) + 1
    for part in np.split(np.arange(len(codes)), breaks):
        yield cycles[part[0]], len(part), codes[part[0]]


def draw_heatmap(frame: pd.DataFrame) -> Canvas:
    """Codes over cells and cycles; white where a segment was not valid."""
    cells = _cells_by_cohort(frame)
    ranks = frame[["code", "life_rank"]].drop_duplicates().sort_values("life_rank")
    colours = _life_colours(len(ranks))
    last = int(frame["cycle"].max()) + 1
    width = 13
    figure, axes = canvas(width, max(3.0, 0.34 * len(cells) + 1.2))
    axis = axes[0, 0]
    grid = np.full((len(cells), last), np.nan)
    row_of = {cell: row for row, cell in enumerate(cells)}
    grid[frame["cell_id"].map(row_of), frame["cycle"].astype(int)] = frame["life_rank"]
    edges = np.arange(last + 1) - 0.5
    mesh = axis.pcolormesh(
        edges, np.arange(len(cells) + 1) - 0.5, grid, cmap=colours, vmin=-0.5, vmax=len(ranks) - 0.5, rasterized=True
    )
    rank_of = dict(zip(ranks["code"], ranks["life_rank"], strict=True))
    ordered = frame.sort_values("cycle")
    for cell in sorted(cells):
        group = ordered[ordered["cell_id"] == cell]
        for start, length, code in _runs(group["code"].to_numpy(), group["cycle"].to_numpy()):
            if length / last * width >= LABEL_INCH:
                place = {"x": start + (length - 1) / 2, "y": row_of[cell], "ha": "center", "va": "center"}
                axis.text(**place, s=str(code), fontsize=7, color=_ink_on(colours(rank_of[code])))
    cohort_of = frame.drop_duplicates("cell_id").set_index("cell_id")["cohort"]
    for row in range(1, len(cells)):
        if cohort_of[cells[row]] != cohort_of[cells[row - 1]]:
            axis.axhline(row - 0.5, color="white", linewidth=3)
    axis.set_yticks(range(len(cells)), [f"{cell}  ({cohort_of[cell]})" for cell in cells])
    axis.invert_yaxis()
    axis.set_xlabel("cycle (discharge index)")
    axis.set_title("Code of every discharge; codes coloured from early (dark) to late (bright) in life", fontsize=10)
    bar = figure.colorbar(mesh, ax=axis, pad=0.01, aspect=40)
    bar.set_ticks(range(len(ranks)), labels=[str(code) for code in ranks["code"]])
    bar.ax.tick_params(labelsize=7, length=0)
    bar.set_label("code, earliest at the bottom", fontsize=8)
    return figure


def draw_timeline(frame: pd.DataFrame, cell: str | None = None) -> Canvas:
    """Capacity and codes of one cell over its life; by default the cell with most segments.

    Raises:
        MagBridgeError: If the cell is not in the table.
    """
    known = frame["cell_id"].value_counts(sort=False)
    cell = str(known.idxmax()) if cell is None else cell
    if cell not in known.index:
        raise MagBridgeError(f"cell {cell!r} is not in this run: expected one of {', '.join(map(str, known.index))}")
    ranks = frame[["code", "life_rank"]].drop_duplicates()
    colours = _life_colours(len(ranks))
    mine = frame[frame["cell_id"] == cell].sort_values("cycle")
    codes = mine[["code", "life_rank"]].drop_duplicates().sort_values("life_rank")["code"].tolist()
    height = 3.0 + max(1.0, 0.22 * len(codes))
    figure, axes = canvas(
        11, height, rows=2, sharex=True, gridspec_kw={"height_ratios": [2.4, max(1.0, 0.22 * len(codes))]}
    )
    top, bottom = axes[:, 0]
    shade = colours(mine["life_rank"].to_numpy())
    top.plot(mine["cycle"], mine["capacity_Ah"], color=NEUTRAL, linewidth=1, zorder=1)
    top.scatter(mine["cycle"], mine["capacity_Ah"], c=shade, s=18, zorder=2, edgecolors=INK, linewidths=0.3)
    candidate = mine[mine["candidate"].astype(bool)]
    if len(candidate):
        code = candidate["code"].iloc[0]
        top.scatter(
            candidate["cycle"], candidate["capacity_Ah"], marker="v", s=60, facecolors="none", edgecolors=ACCENT,
            linewidths=1.5, label=f"candidate code {code}", zorder=3,
        )  # fmt: skip
    onset = mine["onset_cycle"].iloc[0]
    if np.isfinite(onset):
        for axis in (top, bottom):
            axis.axvline(onset, color=ACCENT, linestyle="--", linewidth=1.2)
        top.plot([], [], color=ACCENT, linestyle="--", label=f"onset of degradation (cycle {onset:.0f})")
    if len(candidate) or np.isfinite(onset):
        top.legend(fontsize=8, frameon=False)
    top.set_ylabel("capacity [Ah]")
    top.set_title(f"{cell}: capacity, and the code of every discharge (early codes at the bottom)", fontsize=10)
    row = {code: i for i, code in enumerate(codes)}
    bottom.scatter(mine["cycle"], mine["code"].map(row), c=shade, marker="s", s=14, edgecolors=INK, linewidths=0.2)
    bottom.set_yticks(range(len(codes)), [str(code) for code in codes], fontsize=7)
    bottom.set_ylim(-0.7, len(codes) - 0.3)
    bottom.set_ylabel("code")
    bottom.set_xlabel("cycle (discharge index)")
    return figure


def draw_histogram(frame: pd.DataFrame) -> Canvas:
    """Segments per code, split by cohort: a bar of one colour is a code that names a cohort."""
    counts = frame.pivot_table(index="code", columns="cohort", values="segments", sort=False).sort_index()
    counts = counts[list(dict.fromkeys(frame["cohort"]))]
    styles = _cohort_styles(counts.columns)
    figure, axes = canvas(max(6.0, 0.32 * len(counts) + 1.5), 4.2)
    axis = axes[0, 0]
    base = np.zeros(len(counts))
    for cohort in counts.columns:
        colour = styles[cohort][0]
        axis.bar(range(len(counts)), counts[cohort], bottom=base, color=colour, edgecolor="white", linewidth=0.4)
        base += counts[cohort].to_numpy()
    axis.set_xticks(range(len(counts)), counts.index, fontsize=8)
    axis.set_xlabel("code")
    axis.set_ylabel("discharge segments")
    axis.set_title(f"Use of the codebook: {int((base > 0).sum())} of {len(counts)} codes occur", fontsize=10)
    square = {name: (colour, "s") for name, (colour, _) in styles.items()}
    _legend(axis, square, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_curves(frame: pd.DataFrame) -> Canvas:
    """Mean discharge curve of every code, with its 10 to 90 % band, over the mean of all segments in grey."""
    groups = list(frame.groupby("code"))
    columns = min(8, len(groups))
    rows = -(-len(groups) // columns)
    figure, axes = canvas(max(4.0, 1.6 * columns), 1.5 * rows + 1.0, rows, columns, sharex=True, sharey=True)
    weighted = frame.assign(sum_V=frame["voltage_V"] * frame["segments"]).groupby("time")[["sum_V", "segments"]].sum()
    everything = weighted["sum_V"] / weighted["segments"]
    for axis, (code, group) in zip(axes.flat, groups, strict=False):
        axis.plot(everything.index, everything, color=NEUTRAL, linewidth=1, linestyle=":")
        axis.fill_between(group["time"], group["low_V"], group["high_V"], color=OKABE_ITO[4], alpha=0.45, linewidth=0)
        axis.plot(group["time"], group["voltage_V"], color=OKABE_ITO[0], linewidth=1.5)
        axis.set_title(f"code {code}  (n = {group['segments'].iloc[0]})", fontsize=8)
    for axis in list(axes.flat)[len(groups) :]:
        axis.set_visible(False)
    for axis in list(axes.flat)[max(len(groups) - columns, 0) : len(groups)]:
        axis.tick_params(labelbottom=True)
    figure.supxlabel("time in the load window (0 = start, 1 = end)", fontsize=9)
    figure.supylabel("voltage [V]", fontsize=9)
    figure.suptitle("Mean discharge per code with its 10-90 % band; dotted: mean of all segments", fontsize=10)
    return figure


def draw_lead_times(frame: pd.DataFrame) -> Canvas:
    """Lead times of the candidate code per cell, and their median against circularly shifted sequences."""
    cells = frame[frame["kind"] == "cell"].sort_values("lead")
    null = frame.loc[frame["kind"] == "null", "lead"].to_numpy()
    median = cells["lead"].median()
    figure, axes = canvas(
        9, 3.4 + 0.2 * len(cells), rows=2, sharex=True, gridspec_kw={"height_ratios": [2.4, 0.2 * len(cells) + 0.4]}
    )
    top, bottom = axes[:, 0]
    top.hist(null, bins=min(40, max(5, len(np.unique(null)))), color="#BBBBBB", label="median lead, shifted sequences")
    top.axvline(median, color=ACCENT, linewidth=2, label=f"median lead, observed: {median:g} segments")
    top.set_ylabel("shifts")
    top.legend(fontsize=8, frameon=False)
    p = (1 + np.sum(null >= median)) / (1 + len(null))
    top.set_title(
        f"Lead of code {frame['code'].iloc[0]} on the onset of degradation (p = {p:.3f} against circular shifts)",
        fontsize=10,
    )
    bottom.scatter(cells["lead"], range(len(cells)), color=OKABE_ITO[0], s=22)
    bottom.hlines(range(len(cells)), 0, cells["lead"], color=OKABE_ITO[0], linewidth=1)
    bottom.axvline(0, color=INK, linewidth=0.8)
    bottom.set_yticks(range(len(cells)), cells["cell_id"], fontsize=8)
    bottom.set_ylim(-0.6, len(cells) - 0.4)
    bottom.set_xlabel("lead time [segments]; right of 0: the code comes before the onset")
    return figure


def draw_early_late(frame: pd.DataFrame) -> Canvas:
    """Early rate of the candidate code, and of a neutral one for contrast, against the late proxy."""
    roles = list(dict.fromkeys(frame["role"]))
    styles = _cohort_styles(frame["cohort"])
    figure, axes = canvas(4.6 * len(roles) + 1.2, 4.2, columns=len(roles), sharey=True)
    for axis, role in zip(axes[0], roles, strict=True):
        mine = frame[frame["role"] == role]
        for cohort, group in mine.groupby("cohort", sort=False):
            colour, marker = styles[cohort]
            style = {"color": colour, "marker": marker, "s": 36, "edgecolors": INK, "linewidths": 0.4}
            axis.scatter(group["early_rate"], group["proxy"], **style)
        code, rho = mine["code"].iloc[0], mine["spearman"].iloc[0]
        axis.set_title(f"{role} code {code}: Spearman {rho:.2f}", fontsize=10)
        axis.set_xlabel("share of the early window in this code")
    axes[0, 0].set_ylabel(f"late proxy: {frame['proxy_name'].iloc[0]}")
    _legend(axes[0, -1], styles, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_flow(frame: pd.DataFrame) -> Canvas:
    """Each cell as a ribbon through its commonest code in the first, middle and last third of its life."""
    from matplotlib.patches import Rectangle

    cells = _cells_by_cohort(frame)
    styles = _cohort_styles(frame["cohort"])
    cohort_of = frame.drop_duplicates("cell_id").set_index("cell_id")["cohort"]
    figure, axes = canvas(9, max(3.2, 0.36 * len(cells) + 1.4))
    axis = axes[0, 0]
    gap, rank = 0.35, {cell: i for i, cell in enumerate(cells)}
    place: dict[tuple[int, str], float] = {}
    for third in sorted(frame["third"].unique().tolist()):
        column = frame[frame["third"] == third].assign(rank=frame["cell_id"].map(rank))
        top = 0.0
        # Boxes in the order of the cells they hold: fewer ribbons cross.
        boxes = sorted(column.groupby("code"), key=lambda item: item[1]["rank"].mean())
        for code, box in boxes:
            axis.add_patch(Rectangle((third - 0.07, top), 0.14, len(box), facecolor="white", edgecolor=INK, zorder=3))
            axis.text(third, top + len(box) / 2, str(code), ha="center", va="center", fontsize=9, zorder=4)
            for cell in box.sort_values("rank")["cell_id"]:
                place[third, cell] = top
                top += 1
            top += gap
    curve = np.linspace(0, 1, 40)
    step = curve**2 * (3 - 2 * curve)
    for cell in cells:
        for third in (1, 2):
            if (third, cell) in place and (third + 1, cell) in place:
                y = place[third, cell] + step * (place[third + 1, cell] - place[third, cell])
                colour = styles[cohort_of[cell]][0]
                axis.fill_between(third + curve, y + 0.08, y + 0.92, color=colour, alpha=0.75, linewidth=0)
        if (1, cell) in place:
            axis.text(0.9, place[1, cell] + 0.5, cell, ha="right", va="center", fontsize=7)
    axis.set_xlim(0.65, 3.15)
    axis.set_ylim(max(place.values()) + 1.2, -0.2)
    axis.set_yticks([])
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_xticks([1, 2, 3], ["first third of life", "middle third", "last third"])
    axis.tick_params(length=0)
    axis.set_title("Commonest code of each cell through its life (boxes: codes; ribbons: cells)", fontsize=10)
    square = {name: (colour, "s") for name, (colour, _) in styles.items()}
    _legend(axis, square, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@dataclass(frozen=True)
class FigureKind:
    """A figure by name: what it shows and how it is drawn from its table."""

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
    """Read a CSV that a run left behind: names stay text, even "NA" or "0012", an empty field is missing, and numbers
    come back to the last bit."""
    text = {"cell_id": str, "cohort": str}
    return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=text, float_precision="round_trip")


def save_figure(name: str, frame: pd.DataFrame, folder: str | Path, **options: str | None) -> list[Path]:
    """Draw one figure and write it as PNG and SVG with its data as CSV.

    Args:
        name: One of `FIGURES`.
        frame: Its table, as `figure_data` makes it or its CSV holds it.
        folder: Where the three files go; made if missing.
        options: Passed to the drawing function (`cell` for the timeline).

    Returns:
        Paths of the PNG, the SVG and the CSV.
    """
    from matplotlib import rc_context

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{suffix}" for suffix in ("png", "svg", "csv")]
    # A fixed salt and no date: the same table gives the same bytes.
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure = FIGURES[name].draw(frame, **options)
        with replacing(paths[0]) as png, replacing(paths[1]) as svg, replacing(paths[2]) as csv:
            figure.savefig(png, dpi=DPI, format="png")
            figure.savefig(svg, format="svg", metadata={"Date": None})
            frame.to_csv(csv, index=False)
    return paths
