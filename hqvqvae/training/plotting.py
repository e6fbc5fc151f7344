"""The style of the model's figures: colours that colour-blind readers can distinguish, and text sizes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataset_card.running.plotting import save

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
ACCENT, NEUTRAL, INK = "#D55E00", "#9A9A9A", "#222222"
SIZES = {
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"), 8),
    "axes.labelsize": 9,
    "axes.titlesize": 10,
    "figure.titlesize": 10,
    "figure.labelsize": 9,
    "legend.frameon": False,
}
"""Settings of matplotlib for drawing and writing figures."""


def save_figure_of(path: Path, draw: Callable[..., Any], *arguments: Any) -> None:
    """Draw a figure by calling a function, and write it atomically."""
    from matplotlib import rc_context

    with rc_context(SIZES):
        save(draw(*arguments), path)
