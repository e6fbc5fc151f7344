"""The house style of figures: colours, a canvas that needs no display, and files written in one piece."""

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from dataset_card.errors import MagBridgeError, optional
from dataset_card.storage.files import replacing

LINE, BAND, MARK = "#08519c", "#9ecae1", "#d95f02"
"""What is measured, its spread, and what stands out against it; told apart by lightness too."""

INK, QUIET = "#1c2430", "#566173"
"""Words, and what should not call for attention."""

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK)
"""Lines of one panel: colours that colour-blind readers tell apart (Okabe and Ito, 2008), the strongest first."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", ":")

DPI = 150

COLUMN, PAGE = 3.5, 7.16
"""Width of one column and of a page of two, in inches."""

PRINT = {
    "figure.dpi": 220,
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "figure.titlesize": 9,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
}
"""Sizes in points as printed: a figure of `PAGE` is legible in a paper without being scaled."""


def printed(draw: Callable) -> Callable:
    """Give a function that returns a figure, `COLUMN` or `PAGE` wide, the sizes of `PRINT`."""

    @wraps(draw)
    def with_print_sizes(*args, **kwargs):
        with optional("matplotlib"):
            from matplotlib import rc_context
        with rc_context(PRINT):
            return draw(*args, **kwargs)

    return with_print_sizes


def styles(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colour, marker and dash of each name, as arguments of `plot`; no two of the first 21 look alike."""
    count = len(SERIES)
    return {
        name: {
            "color": SERIES[i % count],
            "marker": MARKERS[(i + i // count) % len(MARKERS)],
            "linestyle": DASHES[i // count % len(DASHES)],
        }
        for i, name in enumerate(names)
    }


def canvas(rows: int = 1, columns: int = 1, size: tuple[float, float] = (6, 4), **options: Any):
    """A figure of this size in inches and its axes, shaped as `matplotlib.pyplot.subplots` returns them.

    Args:
        rows: Of axes.
        columns: Of axes.
        size: Width and height in inches.
        **options: Of `matplotlib.figure.Figure.subplots`.

    Raises:
        MagBridgeError: matplotlib is not installed.
    """
    with optional("matplotlib"):
        from matplotlib import rcParams
        from matplotlib.figure import Figure
    figure = Figure(figsize=size, dpi=max(DPI, rcParams["figure.dpi"]), layout="constrained")
    axes = figure.subplots(rows, columns, **options)
    for axis in np.ravel(axes):
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure, path: str | Path) -> None:
    """Write a figure in one piece; the suffix picks the format. An SVG of the same figure is the same text.

    Raises:
        MagBridgeError: matplotlib does not know the suffix.
    """
    from matplotlib import rc_context

    path = Path(path)
    kind = path.suffix.removeprefix(".") or "png"
    undated = {"metadata": {"Date": None}} if kind == "svg" else {}
    try:
        with replacing(path) as temporary, rc_context({"svg.hashsalt": "magbridge", "svg.fonttype": "none"}):
            figure.savefig(temporary, format=kind, **undated)
    except ValueError as error:  # matplotlib's answer to a format it does not know
        raise MagBridgeError(f"cannot write {path}: {error}") from error
