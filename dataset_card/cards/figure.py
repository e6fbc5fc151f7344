"""The card's figure: what a release is composed of, as an SVG made from its manifest alone."""

from __future__ import annotations

from xml.sax.saxutils import escape

from dataset_card.contract.configs import SPLITS
from dataset_card.contract.schema import SYNTHETIC_SUBTYPES
from dataset_card.running.plotting import INK, LINE, MARK, QUIET

WIDTH, LEFT, BAR_WIDTH = 720, 170, 480
"""Of the figure, of the labels' column and of the longest bar, in pixels."""

BAR_HEIGHT, PITCH, HEAD = 18, 27, 34
"""Of one bar, from one bar to the next, and of a panel's title, in pixels."""

COLOURS = dict(zip(SPLITS, (LINE, "#6baed6", MARK)))
"""Told apart by lightness too."""

FONT = "font-family='system-ui, -apple-system, Segoe UI, sans-serif'"

REGIME_B = "low_voltage_regime_B"


def composition(manifest: dict) -> str:
    """Draw rows by kind and by class, each split into the subsets of `by_cell_primary`.

    Args:
        manifest: A release's manifest.

    Returns:
        An SVG document; the same text for the same counts.
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
    upper, y = _panel(titles[0], kinds, 38)
    lower, y = _panel(titles[1], subtypes, y + 12)
    summary = "; ".join(f"{name} {sum(parts.values())}" for name, parts in (kinds | subtypes).items())
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {y}' width='{WIDTH}' height='{y}' "
            f"role='img' {FONT}>",
            f"<title>Composition of {escape(manifest['name'])} {escape(manifest['version'])}</title>",
            f"<desc>{escape(summary)}</desc>",
            f"<rect width='{WIDTH}' height='{y}' fill='#ffffff'/>",
            *_legend(),
            *upper,
            *lower,
            "</svg>",
            "",
        ]
    )


def _legend() -> list[str]:
    lines = [_text(14, 24, "Subset of by_cell_primary:", QUIET, 13)]
    for i, (subset, colour) in enumerate(COLOURS.items()):
        x = LEFT + 44 + 110 * i
        lines += [f"<rect x='{x}' y='13' width='13' height='13' fill='{colour}'/>", _text(x + 19, 24, subset, INK, 13)]
    return lines


def _panel(title: str, bars: dict[str, dict[str, int]], top: int) -> tuple[list[str], int]:
    """One title and its bars, scaled to the longest of them; with it, where the next panel may start."""
    longest = max(1, *(sum(parts.values()) for parts in bars.values()))
    lines = [_text(14, top + 22, title, INK, 14, weight=600)]
    for row, (name, parts) in enumerate(bars.items()):
        y, x = top + HEAD + PITCH * row, float(LEFT)
        lines.append(_text(LEFT - 10, y + 13, name, INK, 13, anchor="end"))
        for subset, count in parts.items():
            width = BAR_WIDTH * count / longest
            if count:
                lines.append(
                    f"<rect x='{x:.2f}' y='{y}' width='{width:.2f}' height='{BAR_HEIGHT}' "
                    f"fill='{COLOURS[subset]}'><title>{escape(name)}, {subset}: {count}</title></rect>"
                )
            x += width
        lines.append(_text(x + 7, y + 13, f"{sum(parts.values()):,}", QUIET, 13))
    return lines, top + HEAD + PITCH * len(bars)


def _text(x: float, y: float, words: str, colour: str, size: int, anchor: str = "start", weight: int = 400) -> str:
    return (
        f"<text x='{x:.2f}' y='{y}' fill='{colour}' font-size='{size}' font-weight='{weight}' "
        f"text-anchor='{anchor}'>{escape(words)}</text>"
    )
