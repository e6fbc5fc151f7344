"""The card's figure: the composition of a release, as an SVG drawn from its manifest only."""

from dataset_card.cards.rendering import render
from dataset_card.contract.configs import SPLITS
from dataset_card.contract.schema import SYNTHETIC_SUBTYPES
from dataset_card.running.plotting import INK, LINE, MARK, QUIET

WIDTH, LEFT, BAR_WIDTH = 720, 170, 480
"""Width of the figure, of the column of labels and of the longest bar, in pixels."""

BAR_HEIGHT, PITCH, HEAD = 18, 27, 34
"""Height of a bar, distance from one bar to the next, and height of a panel's title, in pixels."""

COLOURS = dict(zip(SPLITS, (LINE, "#6baed6", MARK)))
"""Colours of the subsets, which also differ in lightness."""

REGIME_B = "low_voltage_regime_B"


def composition(manifest: dict) -> str:
    """Draw rows by kind and by class, each split into the subsets of `by_cell_primary`.

    Args:
        manifest: A release's manifest.

    Returns:
        An SVG document, which is the same text for the same counts.
    """
    subsets = manifest["splits"]["by_cell_primary"]["subsets"]

    def counts(column: str, *values: str) -> dict[str, int]:
        return {s: sum(subsets[s][column].get(value, 0) for value in values) for s in SPLITS}

    if "defect" in manifest["counts"]:
        titles = ("Rows by chemistry", "Rows by defect")
        kinds, subtypes = ({v: counts(c, v) for v in manifest["counts"][c]} for c in ("chemistry", "defect"))
    else:
        titles = ("Rows by kind", "Synthetic anomalies by subtype")
        of_kind = {"clean": ("none",), "synthetic anomaly": SYNTHETIC_SUBTYPES, "Regime-B": (REGIME_B,)}
        kinds = {name: counts("anomaly_subtype", *values) for name, values in of_kind.items()}
        subtypes = {name.replace("_", " "): counts("anomaly_subtype", name) for name in SYNTHETIC_SUBTYPES}
    upper = _panel(titles[0], kinds, 38)
    lower = _panel(titles[1], subtypes, upper["end"] + 12)
    summary = "; ".join(f"{name} {sum(parts.values())}" for name, parts in (kinds | subtypes).items())
    sizes = {"width": WIDTH, "height": lower["end"], "left": LEFT, "bar_height": BAR_HEIGHT}
    inks = {"colours": COLOURS, "ink": INK, "quiet": QUIET}
    return render("composition.svg", manifest | sizes | inks | {"panels": (upper, lower), "summary": summary})


def _panel(title: str, bars: dict[str, dict[str, int]], top: int) -> dict:
    """Lay out a title and its bars, scaled to the longest bar; `end` is the position of the next panel."""
    longest = max(1, *(sum(parts.values()) for parts in bars.values()))
    drawn = []
    for row, (name, counts) in enumerate(bars.items()):
        x, parts = float(LEFT), []
        for subset, count in counts.items():
            width = BAR_WIDTH * count / longest
            parts.append({"subset": subset, "count": count, "x": x, "width": width})
            x += width
        drawn.append(
            {"name": name, "y": top + HEAD + PITCH * row, "parts": parts, "end": x, "total": sum(counts.values())}
        )
    return {"title": title, "top": top, "bars": drawn, "end": top + HEAD + PITCH * len(bars)}
