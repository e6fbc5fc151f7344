"""The house style of figures: colours, a canvas that needs no display, and files that are written atomically."""

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from dataset_card.errors import MagBridgeError, optional
from dataset_card.storage.files import replacing

LINE, BAND, MARK = "#08519c", "#9ecae1", "#d95f02"
"""Colours of the data, of its spread, and of what is highlighted; they also differ in lightness."""

INK, QUIET = "#1c2430", "#566173"
"""Colours of text, and of elements in the background."""

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK)
"""Colours of the lines of one panel, distinguishable with colour blindness (Okabe and Ito, 2008), strongest first."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", ":")

DPI = 150

COLUMN, PAGE = 3.5, 7.16
"""Width of one column and of a two-column page, in inches."""

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
"""matplotlib settings for print, sizes in points: a figure as wide as `PAGE` is legible in a paper without scaling."""


def printed(draw: Callable) -> Callable:
    """Decorate a function that returns a figure, `COLUMN` or `PAGE` wide, so that it uses `PRINT`."""

    @wraps(draw)
    def with_print_sizes(*args, **kwargs):
        with optional("matplotlib"):
            from matplotlib import rc_context
        with rc_context(PRINT):
            return draw(*args, **kwargs)

    return with_print_sizes


def styles(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the colour, marker and dash of each name, as arguments of `plot`; the first 21 are all different."""
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
    """Create a figure and its axes, shaped as `matplotlib.pyplot.subplots` returns them.

    Args:
        rows: Number of rows of axes.
        columns: Number of columns of axes.
        size: Width and height of the figure in inches.
        **options: Options of `matplotlib.figure.Figure.subplots`.

    Raises:
        MagBridgeError: If matplotlib is not installed.
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
    """Write a figure atomically, in the format of the suffix. An SVG of the same figure is always the same text.

    Raises:
        MagBridgeError: If matplotlib does not support the format.
    """
    from matplotlib import rc_context

    path = Path(path)
    kind = path.suffix.removeprefix(".") or "png"
    undated = {"metadata": {"Date": None}} if kind == "svg" else {}
    try:
        with replacing(path) as temporary, rc_context({"svg.hashsalt": "magbridge", "svg.fonttype": "none"}):
            figure.savefig(temporary, format=kind, **undated)
    except ValueError as error:  # matplotlib's error for an unsupported format
        raise MagBridgeError(f"cannot write {path}: {error}") from error
