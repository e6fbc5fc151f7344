"""The comparison as a folder: Markdown, HTML, JSON and figures; what it cannot say first, then nulls, then figures."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.measured.figures import figures
from bridge.measured.matched import NOMINAL
from bridge.measured.residuals import Comparison, Interval
from bridge.measured.response import FOUND_BELOW, SHUFFLES, Slope
from bridge.measured.transfer import Score
from dataset_card.running.plotting import save
from dataset_card.storage.output import writing_folder

MARKDOWN, HTML, JSON = "README.md", "report.html", "residuals.json"
KIND = "report on residuals"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
td, th {{ padding: .25rem .7rem; border-bottom: 1px solid #d5dae1; text-align: left; }}
img {{ max-width: 100%; }}
</style></head><body>
{body}</body></html>
"""


def write_report(found: Comparison, out: Path, replace: bool = False) -> Path:
    """Write the report in one piece; return the path of its Markdown.

    Raises:
        MagBridgeError: `out` holds something else, or matplotlib is not installed.
    """
    return write_pages(out, markdown(found), figures(found), found.as_dict(), replace)


def write_pages(out: Path, text: str, drawn: dict, document: dict, replace: bool = False) -> Path:
    """Write a report's Markdown, as such and as HTML, its figures and its JSON in one piece; return the first's path.

    Raises:
        MagBridgeError: `out` holds something else, or matplotlib is not installed.
    """
    from markdown_it import MarkdownIt

    with writing_folder(out, KIND, replace) as folder:
        for name, figure in drawn.items():
            save(figure, folder / name)
        (folder / MARKDOWN).write_text(text, encoding="utf-8")
        # Names come from the laboratory's files: no HTML of theirs gets into the page.
        body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
        (folder / HTML).write_text(PAGE.format(title=text.splitlines()[0].lstrip("# "), body=body), encoding="utf-8")
        (folder / JSON).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return Path(out) / MARKDOWN


def verdict(found: Comparison) -> list[str]:
    """What the figures say, a sentence each."""
    own, theirs, difference = found.measured.slope, found.generated_slope, found.measured.slope_difference
    if not own.found:
        response = f"**SOH response: none found** in the amplitude ({_slope(own)}, p = {own.p:.3f} by shuffled cells)."
    elif own.value * theirs.value < 0:
        response = f"**SOH response: opposite to the bridge's.** Measured {_slope(own)}, bridge {_slope(theirs)}."
    else:
        size = "the same within its interval" if difference.low <= 0 <= difference.high else "of another size"
        response = (
            f"**SOH response: found, of the bridge's sign, {size}.** Measured {_slope(own)}, bridge {_slope(theirs)}, "
            f"difference {_interval(difference)}."
        )
    covered, apart = found.measured.coverage["all"], found.measured.auc
    inside = (
        "as nominal" if covered.low <= NOMINAL <= covered.high else "too few" if covered.high < NOMINAL else "too many"
    )
    told = "are not told from" if apart <= found.floor_high else "are told from"
    return [
        response,
        f"**Band: {inside}.** {_interval(covered)} of the steps of Y and Z lie in the bridge's 90 % band "
        f"(nominal {NOMINAL:.2f}).",
        f"**Two-sample test: measured scans {told} the bridge's** (AUC {apart:.3f}; the bridge against itself "
        f"reaches at most "
        f"{found.floor_high:.3f}).",
        f"**Transfer:** a readout trained on the bridge tells these cells' SOH with R2 "
        f"{found.measured.from_bridge.r2:.2f} (slope "
        f"{found.measured.from_bridge.slope:.2f}); one trained on them tells the bridge's with R2 "
        f"{found.measured.to_bridge.r2:.2f} "
        f"(slope {found.measured.to_bridge.slope:.2f}).",
    ]


def markdown(found: Comparison) -> str:
    """The report's text."""
    own, null = found.measured, found.itself
    shuffled = max(found.shuffled)
    lines = [
        f"# {_plain(found.name)} against {found.against or 'the bridge'}",
        "",
        f"{found.scans:,} measured scans of {found.cells} cells, each beside the bridge's scans at the same "
        f"SOH, SOC and voltage." + (f" Rows: digest {found.digest[:12]}." if found.digest else ""),
        "",
        "## What this cannot say",
        "",
        *(f"* {_plain(words)}" for words in found.caveats),
        "",
        "## Nulls",
        "",
        "What chance and a perfect bridge give, by the same code. Figures below mean something only beyond these.",
        "",
        *_table(
            ("null", "figure"),
            [
                (
                    "labels shuffled by cell: SOH slope as steep as measured",
                    f"{round(own.slope.p * (SHUFFLES + 1))} of {SHUFFLES + 1} orders, the true one among them",
                ),
                (
                    f"labels shuffled by cell: R2 of a readout, highest of {len(found.shuffled)}",
                    f"{shuffled:.2f} (with the true labels {own.within.r2:.2f})",
                ),
                ("bridge against itself: coverage of the 90 % band", _interval(null.coverage["all"])),
                (
                    "bridge against itself: AUC",
                    f"{null.auc:.3f} (pairs {min(found.floor):.3f} to {max(found.floor):.3f})",
                ),
                ("bridge against itself: SOH slope difference", _interval(null.slope_difference)),
                ("bridge against itself: correlation, spectrum", f"{null.correlation:.3f}, {null.spectrum_dB:.2f} dB"),
                (
                    "bridge against itself: R2 of a readout across",
                    f"{null.from_bridge.r2:.2f}, {null.to_bridge.r2:.2f}",
                ),
            ],
        ),
        "",
        "## In short",
        "",
        *(f"* {words}" for words in verdict(found)),
        "",
        "## Residuals and coverage",
        "",
        "![Mean residuals in the bridge's band](residuals.png)",
        "",
        "![Coverage by channel, and the two-sample test](coverage.png)",
        "",
        *_table(
            ("channel", "rms residual, nT", "(bridge itself)", "mean z", "rms z", "coverage"),
            [
                (
                    c,
                    f"{own.residual_nT[c].value:.1f}",
                    f"{null.residual_nT[c].value:.1f}",
                    _interval(own.z[c]),
                    f"{own.z_rms[c]:.2f}",
                    _interval(own.coverage[c]),
                )
                for c in own.residual_nT
            ],
        ),
        "",
        "z is the residual in standard deviations of the bridge's scans at the same labels; rms z is 1 for "
        "scans like the bridge's.",
        "",
        "## Spectra and correlations",
        "",
        "![Spectra and correlations](spectra.png)",
        "",
        f"Greatest difference of the correlations within a scan {own.correlation:.3f} (bridge against itself "
        f"{null.correlation:.3f}); "
        f"root mean square difference of the spectra {own.spectrum_dB:.2f} dB ({null.spectrum_dB:.2f} dB).",
        "",
        "## SOH response",
        "",
        "![Amplitude against SOH, and slopes](response.png)",
        "",
        *_table(
            ("scans", "slope on SOH", "p by shuffled cells", "found"),
            [
                (name, _slope(slope), f"{slope.p:.3f}", "yes" if slope.found else "no")
                for name, slope in (
                    ("measured", own.slope),
                    ("bridge", found.generated_slope),
                    ("bridge in their place", null.slope),
                )
            ],
        ),
        "",
        "The amplitude is each scan's projection on the mean shape of its own set, 1 on average, so that its "
        "slope means the same in "
        f"another geometry: 1 says that a tenth of SOH takes a tenth of the signal. Found is p below {FOUND_BELOW}.",
        "",
        "![Response over the scan](trajectory.png)",
        "",
        f"The response's course has a cosine of {own.shape:.2f} with the bridge's (bridge against itself "
        f"{null.shape:.2f}).",
        "",
        "## Transfer of a readout",
        "",
        *_table(
            ("trained on", "tested on", "R2", "slope", "mean absolute error of SOH"),
            [
                ("bridge", "measured", *_score(own.from_bridge)),
                ("measured", "bridge", *_score(own.to_bridge)),
                ("measured, other cells", "measured", *_score(own.within)),
                ("bridge", "bridge in their place", *_score(null.from_bridge)),
            ],
        ),
        "",
        "Ridge on 30 slow cosines a channel. A slope near 1 with an R2 below 0 is the right direction from a "
        "wrong level; below 0 it is "
        "upside down.",
        "",
        f"All figures are in `{JSON}`.",
        "",
    ]
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


def _interval(value: Interval) -> str:
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _slope(slope: Slope) -> str:
    return f"{slope.value:+.2f} [{slope.low:+.2f}, {slope.high:+.2f}]"


def _score(score: Score) -> tuple[str, str, str]:
    return f"{score.r2:.2f}", f"{score.slope:.2f}", f"{score.mae:.3f}"


def _plain(text: str) -> str:
    """Text of a laboratory's, without a meaning in Markdown."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in " ".join(text.split()))
