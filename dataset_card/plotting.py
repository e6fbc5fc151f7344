"""The house style of figures: colours, a canvas that needs no display, and files written in one piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dataset_card.errors import MagBridgeError
from dataset_card.files import replacing

LINE, BAND, MARK = "#08519c", "#9ecae1", "#d95f02"
"""What is measured, its spread, and what stands out against it; told apart by lightness too."""

INK, QUIET = "#1c2430", "#566173"
"""Words, and what should not call for attention."""

DPI = 150


def canvas(rows: int = 1, columns: int = 1, size: tuple[float, float] = (6, 4)):
    """A figure of this size in inches and its axes, shaped as `matplotlib.pyplot.subplots` returns them.

    Raises:
        MagBridgeError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MagBridgeError(
            'figures need matplotlib; install the extra: pip install "magbridge-battery[model]"'
        ) from error
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns)
    for axis in np.ravel(axes):
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure, path: str | Path) -> None:
    """Writes a figure in one piece; the suffix picks the format. An SVG of the same figure is the same text.

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
