"""The picture of the search: codes over cycles, cells by life, and how often the precursor fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...cells.code_statistics import code_rates
from ...training.plotting import INK, MARKERS, OKABE_ITO, canvas
from ..warning_score import WarningScore
from .study import LifeStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIVES = [200, 500, 1000, 2000]  # cycles, labels of the axis


def draw_lives(study: LifeStudy, codes: np.ndarray, score: WarningScore) -> Figure:
    """Codes of every cell over its cycles, the shortest life above, and the precursor's share against life.

    Args:
        study: The cells.
        codes: Code of every segment, (N,).
        score: The fitted score; its precursor is marked, its alarms are dots.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure, axes = canvas(11, 6.5, columns=2, width_ratios=(1.7, 1))
    left, right = axes[0]
    n_codes = score.n_codes
    rates = code_rates(study.index, codes, n_codes)
    # Colours by place between long and short lives: a code's mean severity.
    rank = np.argsort(np.argsort(np.average(np.repeat(study.severity[:, None], n_codes, 1), axis=0, weights=rates)))
    cycles = study.table["cycle"].to_numpy()
    order = np.argsort(study.lives, kind="stable")
    row_of = np.argsort(order)
    first, last = cycles.min(), cycles.max()
    grid = np.full((len(order), last - first + 1), np.nan)
    grid[row_of[study.index.cell], cycles - first] = rank[codes]
    from matplotlib import colormaps

    colours = ListedColormap(colormaps["cividis"](np.linspace(0.95, 0.05, n_codes)))
    extent = (first - 0.5, last + 0.5, len(order) - 0.5, -0.5)
    left.imshow(grid, aspect="auto", cmap=colours, vmin=-0.5, vmax=n_codes - 0.5, interpolation="none", extent=extent)
    for cell, sequence in enumerate(study.index.split(codes)):
        alarm = score.alarm(sequence)
        if alarm is not None:
            left.plot(cycles[study.index.starts[cell] + alarm], row_of[cell], "o", color="#D55E00", markersize=3)
    ticks = np.linspace(0, len(order) - 1, 9).round().astype(int)
    left.set_yticks(ticks, [f"{study.lives[order[tick]]:.0f}" for tick in ticks])
    left.set_xlabel("cycle", fontsize=9)
    left.set_ylabel(f"{len(order)} cells, by life [cycles]", fontsize=9)
    handles: list[Patch | Line2D] = [
        Patch(color=colours(int(rank[code])), label=f"code {code}{' (chosen)' if code == score.precursor else ''}")
        for code in np.argsort(rank)
    ]
    handles.append(Line2D([], [], color="#D55E00", marker="o", linestyle="", markersize=4, label="first alarm"))
    left.legend(
        handles=handles, fontsize=8, ncols=len(handles), frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1)
    )
    if score.precursor is not None:
        for number, cohort in enumerate(np.unique(study.index.cohorts)):
            mine = study.index.cohorts == cohort
            style = {"color": OKABE_ITO[number], "marker": MARKERS[number], "linestyle": "", "markersize": 5}
            right.plot(rates[mine, score.precursor], study.lives[mine], label=cohort, **style)
        right.legend(fontsize=8, frameon=False)
    right.set_yscale("log")
    right.set_yticks(LIVES, LIVES)
    right.minorticks_off()
    right.set_ylabel("life [cycles]", fontsize=9, color=INK)
    right.set_xlabel(f"share of code {score.precursor} in cycles {first} to {last}", fontsize=9)
    return figure
