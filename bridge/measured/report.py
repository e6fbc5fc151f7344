"""The comparison as a folder: Markdown, HTML, JSON and figures; what it cannot say first, then nulls, then figures."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.measured.figures import figures
from bridge.measured.residuals import Comparison
from bridge.measured.response import FOUND_BELOW, SHUFFLES
from dataset_card.running.plotting import save
from dataset_card.running.templates import macros
from dataset_card.storage.output import writing_folder

MARKDOWN, HTML, JSON = "README.md", "report.html", "residuals.json"
KIND = "report on residuals"


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
        page = macros("bridge.measured", "report.html")
        (folder / HTML).write_text(page.page(text.splitlines()[0].lstrip("# "), body), encoding="utf-8")
        (folder / JSON).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return Path(out) / MARKDOWN


def markdown(found: Comparison) -> str:
    """The report's text."""
    return macros("bridge.measured", "residuals.md").report(found, _plain, SHUFFLES, FOUND_BELOW, JSON)


def _plain(text: str) -> str:
    """Text of a laboratory's, without a meaning in Markdown."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in " ".join(text.split()))
