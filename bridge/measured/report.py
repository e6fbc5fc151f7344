"""Write the comparison as a folder of Markdown, HTML, JSON and figures: first its limits, then nulls, then figures."""

import json
from pathlib import Path

import numpy as np

from bridge.measured.matched import NOMINAL
from bridge.measured.residuals import EDGE, Comparison, correlations, spectra
from bridge.measured.response import FOUND_BELOW, SHUFFLES, amplitude, design, response_trajectory
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.running.plotting import BAND, INK, LINE, MARK, QUIET, canvas, save
from dataset_card.running.templates import macros
from dataset_card.storage.output import writing_folder

MARKDOWN, HTML, JSON = "README.md", "report.html", "residuals.json"
KIND = "report on residuals"


def write_report(found: Comparison, out: Path, replace: bool = False) -> Path:
    """Write the report in one piece; return the path of its Markdown.

    Raises:
        MagBridgeError: If `out` is something else, or matplotlib is not installed.
    """
    return write_pages(out, markdown(found), figures(found), found.as_dict(), replace)


def write_pages(out: Path, text: str, drawn: dict, document: dict, replace: bool = False) -> Path:
    """Write a report's Markdown (also as HTML), figures and JSON in one piece; return the path of the Markdown.

    Raises:
        MagBridgeError: If `out` is something else, or matplotlib is not installed.
    """
    from markdown_it import MarkdownIt

    with writing_folder(out, KIND, replace) as folder:
        for name, figure in drawn.items():
            save(figure, folder / name)
        (folder / MARKDOWN).write_text(text, encoding="utf-8")
        # Names come from the laboratory's files: any HTML in them must not get into the page.
        body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
        page = macros("bridge.measured", "report.html")
        (folder / HTML).write_text(page.page(text.splitlines()[0].lstrip("# "), body), encoding="utf-8")
        (folder / JSON).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return Path(out) / MARKDOWN


def markdown(found: Comparison) -> str:
    """Return the report as Markdown."""
    return macros("bridge.measured", "residuals.md").report(found, _plain, SHUFFLES, FOUND_BELOW, JSON)


def _plain(text: str) -> str:
    """Escape a laboratory's text so that it has no meaning in Markdown."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in " ".join(text.split()))


PAIRS = ("Y1 Z1", "Y1 Y2", "Y1 Z2", "Z1 Y2", "Z1 Z2", "Y2 Z2")


def figures(found: Comparison) -> dict:
    """Draw all figures; return them by file name."""
    draw = (residuals, coverage, spectrum, response, trajectory)
    names = ("residuals.png", "coverage.png", "spectra.png", "response.png", "trajectory.png")
    return {name: function(found) for name, function in zip(names, draw)}


def _legend(axis, **place) -> None:
    axis.legend(fontsize=9, frameon=False, **place)


def _both(axis, x: np.ndarray, theirs: np.ndarray, own: np.ndarray, style: str = "-", shift: float = 0.0) -> None:
    """Draw lines or dots of the bridge and of the measurements, `shift` apart on either side."""
    for values, colour, name, side in ((theirs, LINE, "bridge", -1), (own, MARK, "measured", 1)):
        axis.plot(x + side * shift, values, style, color=colour, lw=1.5, label=name)


def _rows(axis, names: tuple[str, ...], **about) -> None:
    """Label one row per name, from the top."""
    axis.set_yticks(-np.arange(len(names)), names)
    axis.set(ylim=(-len(names) + 0.4, 0.6), **about)


def residuals(found: Comparison):
    """Draw the cells' mean residual over the scan, in the bridge's band."""
    figure, axes = canvas(2, 3, (12, 6.4))
    time, by_cell = np.linspace(0, 1, T), found.matched.measured.by_cell
    mean, error = by_cell.mean(axis=0), 1.96 * by_cell.std(axis=0, ddof=1) / np.sqrt(len(by_cell))
    for c, (name, axis) in enumerate(zip(CHANNELS, axes.flat)):
        low, high = found.matched.band[:, :, c]
        axis.fill_between(time, low, high, color=BAND, alpha=0.55, lw=0, label="90 % of the bridge's scans")
        axis.axhline(0, color=QUIET, lw=0.8)
        axis.plot(time, mean[:, c], color=MARK, lw=1.6, label="measured, mean over cells")
        axis.fill_between(time, mean[:, c] - error[:, c], mean[:, c] + error[:, c], color=MARK, alpha=0.3, lw=0)
        axis.set(title=name, xlabel="normalised scan time", ylabel="residual, nT")
    _legend(axes.flat[0])
    figure.suptitle("Measured minus the bridge's mean at the same SOH, SOC and voltage", fontsize=12)
    return figure


def coverage(found: Comparison):
    """Draw the band's coverage by channel, and the two-sample test with its floor."""
    figure, (left, right) = canvas(1, 2, (12, 4.2))
    place = np.arange(len(CHANNELS) + 1)
    sides = (found.itself, LINE, "bridge against itself", -0.1), (found.measured, MARK, "measured", 0.1)
    for side, colour, name, shift in sides:
        value, low, high = np.array([tuple(vars(side.coverage[c]).values()) for c in (*CHANNELS, "all")]).T
        left.errorbar(place + shift, value, (value - low, high - value), fmt="o", color=colour, capsize=3, label=name)
    left.axhline(NOMINAL, color=INK, lw=1, ls="--", label=f"nominal {NOMINAL:.2f}")
    left.set_xticks(place, [*(c[2:] for c in CHANNELS), "Y and Z"])
    left.set(title="Share of steps inside the bridge's 90 % band", ylabel="coverage")
    left.set_ylim(min(0.5, *(i.low - 0.05 for i in found.measured.coverage.values())), 1.0)
    _legend(left, loc="lower left")
    sets = (found.floor, LINE), ((found.itself.auc,), LINE), ((found.measured.auc,), MARK)
    for y, (values, colour) in enumerate(sets):
        right.plot(values, np.full(len(values), -y), "o", color=colour)
    right.axvline(found.floor_high, color=INK, lw=1, ls="--", label=f"floor, at most {found.floor_high:.2f}")
    right.axvline(0.5, color=QUIET, lw=0.8)
    names = ("bridge against bridge", "bridge in their place", "measured")
    _rows(right, names, title="Two-sample test by a classifier", xlabel="AUC", xlim=(0.4, 1.02))
    _legend(right, loc="upper right")
    return figure


def spectrum(found: Comparison):
    """Draw the mean spectra of the measured channels, and the correlations between them."""
    figure, axes = canvas(1, 5, (16, 3.8))
    frequency = np.fft.rfftfreq(T - 2 * EDGE)[1:]
    own, theirs = spectra(found.x), spectra(found.matched.generated)
    for c, axis in enumerate(axes[:4]):
        _both(axis, frequency, theirs[:, c], own[:, c])
        axis.set(title=CHANNELS[c], xlabel="cycles per step", ylabel="power, dB" if c == 0 else "")
    _legend(axes[0])
    _both(axes[4], np.arange(6), correlations(found.matched.generated), correlations(found.x), "o", 0.12)
    axes[4].axhline(0, color=QUIET, lw=0.8)
    axes[4].set_xticks(np.arange(6), PAIRS, rotation=45, fontsize=8)
    axes[4].set(title="correlation within a scan", ylim=(-1.05, 1.05))
    return figure


def response(found: Comparison):
    """Draw the relative amplitude of each cell against SOH, and the slopes with their intervals."""
    figure, (left, right) = canvas(1, 2, (12, 4.4))
    of_cell = np.unique(found.labels.cell, return_inverse=True)[1]
    counts, basis = np.bincount(of_cell), design(found.labels)
    soh, centred = np.bincount(of_cell, found.labels.soh) / counts, found.labels.soh - found.labels.soh.mean()
    ends = np.array([soh.min(), soh.max()])
    sets = (found.matched.generated, found.generated_slope, LINE), (found.x, found.measured.slope, MARK)
    for (x, slope, colour), name in zip(sets, ("bridge", "measured")):
        effect = amplitude(x, found.labels.chemistry) - slope.value * centred
        rest = effect - basis @ (basis.T @ effect) + slope.value * centred
        left.plot(soh, 1 + np.bincount(of_cell, rest) / counts, "o", ms=4, color=colour, label=name, alpha=0.8)
        left.plot(ends, 1 + slope.value * (ends - found.labels.soh.mean()), color=colour, lw=1.4)
    left.set(title="One point per cell, at equal voltage and SOC", xlabel="SOH", ylabel="relative amplitude")
    _legend(left)
    slopes = (found.generated_slope, LINE), (found.itself.slope, LINE), (found.measured.slope, MARK)
    for row, (slope, colour) in enumerate(slopes):
        reach = [[slope.value - slope.low], [slope.high - slope.value]]
        right.errorbar(slope.value, -row, xerr=reach, fmt="o", color=colour, capsize=4)
    right.axvline(0, color=INK, lw=1, ls="--", label="no response")
    about = {"title": "Slope on SOH, 95 % by cell", "xlabel": "relative amplitude per unit of SOH"}
    _rows(right, ("bridge", "bridge in their place", "measured"), **about)
    _legend(right)
    return figure


def trajectory(found: Comparison):
    """Draw the change of the trajectory per tenth of SOH lost, measured and generated."""
    figure, axes = canvas(1, 4, (15, 3.6))
    own, theirs = (response_trajectory(x, found.labels) / 10 for x in (found.x, found.matched.generated))
    for c, axis in enumerate(axes):
        axis.axhline(0, color=QUIET, lw=0.8)
        _both(axis, np.linspace(0, 1, T), theirs[:, c], own[:, c])
        axis.set(title=CHANNELS[c], xlabel="normalised scan time", ylabel="nT per .1 of SOH lost" if c == 0 else "")
    _legend(axes[0])
    return figure
