"""The analysis as a Markdown page with its figures: a pure function of the releases' documents."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmark.analysis import document
from benchmark.analysis.figures import FIGURES, short_name
from benchmark.analysis.measures import SEVERITY_EDGES, share
from benchmark.analysis.occlusion import WINDOW
from benchmark.analysis.plots import SHORT
from benchmark.analysis.splits import DEALS, Spread
from benchmark.data import DatasetInfo
from benchmark.results import SHIPPED
from dataset_card.contract.schema import CHANNELS
from dataset_card.running.log import LOG
from dataset_card.running.plotting import save
from dataset_card.running.templates import template
from dataset_card.storage.documents import read_json
from dataset_card.storage.files import write_text

ABLATIONS = "ablations-*.json"
"""Files in the page's folder with the output of `python -m bridge ablate --json`."""


def write_page(releases: Sequence[str | Path], out: str | Path, results: Path | None = None) -> Path:
    """Measure releases and write the page on all releases measured in the folder.

    Args:
        releases: Folders or Hub ids; empty to redraw earlier measurements.
        out: Folder of the page: README.md, its figures, and a document of unrounded values for each release.
        results: Folder of results with the fold predictions of the analysed models; the shipped ones by default.

    Returns:
        Path of the page.

    Raises:
        MagBridgeError: If a result that the page reports is missing.
    """
    out = Path(out)
    for release in releases:
        measured = document.measure(release, results or SHIPPED, LOG.info)
        document.write(measured, out)
    documents = document.read_all(out)
    for name, draw in FIGURES.items():
        if (figure := draw(documents)) is not None:
            save(figure, out / f"{name}.png")
    ablations = [read_json(path) for path in sorted(out.glob(ABLATIONS))]
    write_text(out / "README.md", page(documents, ablations))
    return out / "README.md"


def page_files(out: Path) -> list[Path]:
    """Return the files that `write_page` replaces in its folder, without the documents of releases."""
    return [out / "README.md", *(out / f"{name}.png" for name in FIGURES)]


def page(documents: list[dict], ablations: list[dict]) -> str:
    """Render the page as Markdown."""
    shown = [d | _told(d) for d in documents]
    return template("benchmark.analysis", "page.md", keep_trailing_newline=True).render(
        documents=shown,
        ablations=ablations,
        bands=[f"{low:.1f} to {high:.1f}" for low, high in zip(SEVERITY_EDGES, SEVERITY_EDGES[1:])],
        names=SHORT,
        shots=sorted(
            {k for d in documents for models in d["few_shot"].values() for p in models.values() for k, *_ in p}
        ),
        deals=DEALS,
        near=document.NEAR,
        share=share,
        median=np.median,
        dearest=_dearest,
        channels=_channels,
    )


def _told(d: dict) -> dict:
    """Derive the values that the page reports in addition to those in a document."""
    weak = {SHORT[fault]: np.sum(counts[:2], axis=0) for fault, counts in d["severity"]["t3"].items()}
    found = {fault: hits / max(rows, 1) for fault, (hits, rows) in weak.items()}
    few = {task: models for task, models in d["few_shot"].items() if models}
    return {
        "short": short_name(d),
        "info": DatasetInfo(**d["dataset"]),
        "hidden": ", ".join(f"{fault} {value:.0%}" for fault, value in found.items() if value < 0.5),
        "best": {
            task: {k: max((points[i][1], m) for m, points in models.items()) for i, k in enumerate(_shots(models))}
            for task, models in few.items()
        },
        "spreads": [Spread(**found) for found in d["splits"]],
    }


def _shots(models: dict[str, list]) -> list[int]:
    return [k for k, *_ in next(iter(models.values()))]


def _dearest(o: dict) -> list[tuple[int, str]]:
    """Return the first step of the four windows that cost most, each with the R2 lost without it."""
    lost = o["whole"] - np.array(o["steps"])
    return [(i * WINDOW, f"{lost[i]:.2f}") for i in np.sort(np.argsort(-lost)[:4])]


def _channels(o: dict) -> str:
    """List the channels without which R2 is lost."""
    lost = {name: o["whole"] - r2 for name, r2 in zip(CHANNELS, o["channels"])}
    return ", ".join(f"{name} {value:.2f}" for name, value in lost.items() if value > 0.005)
