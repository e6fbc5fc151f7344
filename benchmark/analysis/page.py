"""The analysis as a Markdown page with its figures: a pure function of the releases' documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

import numpy as np

from benchmark.analysis import document
from benchmark.analysis.figures import FIGURES, short_name
from benchmark.analysis.measures import SEVERITY_EDGES, share
from benchmark.analysis.occlusion import WINDOW
from benchmark.analysis.plots import SHORT
from benchmark.analysis.splits import DEALS, Spread
from benchmark.data import DatasetInfo
from benchmark.results import SHIPPED
from benchmark.tasks import TASKS
from dataset_card.contract.field import markdown_table
from dataset_card.contract.schema import CHANNELS
from dataset_card.running.log import LOG
from dataset_card.running.plotting import save
from dataset_card.storage.files import replacing

TEMPLATE = Path(__file__).with_name("page.md")

ABLATIONS = "ablations-*.json"
"""What `python -m bridge ablate --json` prints, filed beside the page."""


def write_page(releases: Sequence[str | Path], out: str | Path, results: Path | None = None) -> Path:
    """Measure releases and write the page on every release that the folder knows.

    Args:
        releases: Folders or Hub ids; none to draw anew what was measured before.
        out: Folder of the page: README.md, its figures, and a document of unrounded figures for each release.
        results: Folder of results, the fold predictions of the models taken apart among them; the shipped ones by
            default.

    Returns:
        Path of the page.

    Raises:
        MagBridgeError: A result that the page tells of is missing.
    """
    out = Path(out)
    for release in releases:
        measured = document.measure(release, results or SHIPPED, LOG.info)
        document.write(measured, out)
    documents = document.read_all(out)
    for name, draw in FIGURES.items():
        if (figure := draw(documents)) is not None:
            save(figure, out / f"{name}.png")
    ablations = [document.read(path) for path in sorted(out.glob(ABLATIONS))]
    with replacing(out / "README.md") as temporary:
        temporary.write_text(page(documents, ablations), encoding="utf-8")
    return out / "README.md"


def page_files(out: Path) -> list[Path]:
    """What `write_page` replaces in its folder, the documents of releases apart."""
    return [out / "README.md", *(out / f"{name}.png" for name in FIGURES)]


def page(documents: list[dict], ablations: list[dict]) -> str:
    """The Markdown text."""
    parts = {
        "releases": _releases(documents),
        "scores": _scores(documents),
        "severity": _severity(documents),
        "soh": _soh(documents),
        "curves": _curves(documents),
        "few_shot": _few_shot(documents),
        "splits": _splits(documents),
        "occlusion": _occlusion(documents),
        "ablations": _ablations(ablations),
    }
    words = {name: "\n".join(lines) or "Not measured." for name, lines in parts.items()}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(words, deals=DEALS)


def _releases(documents: list[dict]) -> list[str]:
    rows = [(d, DatasetInfo(**d["dataset"])) for d in documents]
    return [
        f"- {short_name(d)}: {row.name}, {row.bridge_version}, dataset {row.short}; taken apart: "
        + ", ".join(f"{task.upper()} `{model}`" for task, model in d["readers"].items())
        for d, row in rows
    ]


def _scores(documents: list[dict]) -> list[str]:
    columns = ("release", "task", "model", "official test", "95 % interval", "cross-validation by cell", "fresh rows")
    rows = []
    for d in documents:
        for row in d["scores"]:
            mean, std, low, high = row["test"]
            own = row["seed"] == d["dataset"]["seed"]
            cells = (
                short_name(d) if own else f"{short_name(d)}, seed {row['seed']}",
                row["task"].upper(),
                row["model"],
                f"{mean:.3f} ± {std:.3f}",
                "" if low is None else f"{low:.3f} to {high:.3f}",
                "" if row["folds"] is None else "{:.3f} ± {:.3f}".format(*row["folds"]),
                "" if row["ceiling"] is None else f"{row['ceiling']:.3f}",
            )
            rows.append(cells)
    return [_table(columns, rows)]


def _severity(documents: list[dict]) -> list[str]:
    bands = [f"{low:.1f} to {high:.1f}" for low, high in zip(SEVERITY_EDGES, SEVERITY_EDGES[1:])]
    rows = []
    for d in documents:
        for fault, found in d["severity"]["t3"].items():
            pairs = zip(found, d["severity"]["t4"][fault])
            texts = (f"{_percent(a)} / {_percent(b)} (n {a[1]})" for a, b in pairs)
            rows.append((short_name(d), SHORT[fault], *texts))
    lines = [_table(("release", "fault", *bands), rows), ""]
    for d in documents:
        alarms = share(*d["false_alarms"])[0]
        weak = {SHORT[fault]: _pooled(counts[:2]) for fault, counts in d["severity"]["t3"].items()}
        hidden = ", ".join(f"{fault} {value:.0%}" for fault, value in weak.items() if value < 0.5)
        lines += [
            f"- {short_name(d)}: false alarms on {100 * alarms:.1f} % of clean rows. Below severity 0.6, found in "
            f"fewer than half of the rows: {hidden or 'no fault'}."
        ]
    return lines


def _soh(documents: list[dict]) -> list[str]:
    rows = [
        (short_name(d), b["name"], f"{b['rows']:,}", f"{b['rmse'][0]:.4f}", _span(b["rmse"][1:], 4))
        for d in documents
        for b in d["soh"]["table"]
    ]
    lines = [_table(("release", "table", "rows", "error", "95 % interval"), rows), ""]
    for d in documents:
        low, high = d["soh"]["SOH"][0], d["soh"]["SOH"][-1]
        lines += [
            f"- {short_name(d)}: by SOC {_range(d['soh']['SOC'])}, by eighths of voltage "
            f"{_range(d['soh']['voltage'])}. Mean error {low['mean'][0]:+.3f} in the tenth of rows with the lowest SOH "
            f"(about {low['name']:.2f}) and {high['mean'][0]:+.3f} in the highest (about {high['name']:.2f})."
        ]
    return lines


def _curves(documents: list[dict]) -> list[str]:
    rows = [
        (short_name(d), task.upper(), model, ", ".join(f"{mean:.3f} ({n:,})" for n, mean, _ in points))
        for d in documents
        for task, models in d["curves"].items()
        for model, points in models.items()
    ]
    return [_table(("release", "task", "model", "score (training rows)"), rows)]


def _few_shot(documents: list[dict]) -> list[str]:
    found = [(d, task, models) for d in documents for task, models in d["few_shot"].items() if models]
    shots = sorted({k for _, _, models in found for points in models.values() for k, _, _ in points})
    rows = []
    for d, task, models in found:
        best = [max((points[i][1], m) for m, points in models.items()) for i in range(len(shots))]
        rows.append((short_name(d), task.upper(), *(f"{value:.2f} {model}" for value, model in best)))
    return [_table(("release", "task", *(f"k = {k}" for k in shots)), rows)]


def _splits(documents: list[dict]) -> list[str]:
    columns = ("by cell", "by row", "gap", "luck", "leakage", "rest", "std over deals: cells", "rows")
    rows = [
        (
            short_name(d),
            s.task.upper(),
            s.model,
            f"{s.by_cell:.3f}",
            f"{s.by_row:.3f}",
            f"{s.gap:+.3f}",
            f"{s.luck:+.3f}",
            f"{s.leakage:+.3f} ± {s.leakage_error:.3f}",
            f"{s.rest:+.3f}",
            f"{np.std(s.cell_deals, ddof=1):.3f}",
            f"{np.std(s.row_deals, ddof=1):.3f}",
        )
        for d in documents
        for s in _spreads(d)
    ]
    return [_table(("release", "task", "model", *columns), rows), ""] + [
        f"- {short_name(d)}, {task.id.upper()}: {_why(d, task.id)}"
        for d in documents
        for task in TASKS
        if any(s.task == task.id for s in _spreads(d))
    ]


def _spreads(d: dict) -> list[Spread]:
    return [Spread(**found) for found in d["splits"]]


def _why(d: dict, task: str) -> str:
    """The sign of a task's gap in words, from its figures."""
    parts = []
    for s in _spreads(d):
        if s.task == task:
            below = sum(score < s.by_cell for score in s.cell_deals)
            beyond = "" if abs(s.leakage) > 2 * s.leakage_error else ", within its error"
            parts.append(
                f"{s.model} {s.gap:+.3f} (luck {s.luck:+.3f}: the official split scores above {below} of "
                f"{len(s.cell_deals)} deals; leakage {s.leakage:+.3f}{beyond})"
            )
    test, others = (d["test_cells"][task][name] for name in ("test", "others"))
    words = (
        f"{'; '.join(parts)}. Out of fold, `{d['readers'][task]}` scores {test['score']:.3f} on the official test "
        f"cells and {others['score']:.3f} on the others"
    )
    if task == "t1":
        words += (
            f": its error there is {test['rmse']:.4f} against {others['rmse']:.4f}, the std of SOH "
            f"{test['soh_std']:.3f} against {others['soh_std']:.3f}, and R2 sets one against the other"
        )
    elif task == "t2":
        near = "; ".join(
            f"{label} {test['near'][label]:.0%} of its rows against {others['near'][label]:.0%}, recall "
            f"{test['recall'][label]:.3f} against {others['recall'][label]:.3f}"
            for label in test["near"]
        )
        words += f". Within {document.NEAR} of the threshold, there and elsewhere: {near}"
    elif task == "t4":
        words += f". The test has {test['rows']} rows"
    return f"{words}."


def _occlusion(documents: list[dict]) -> list[str]:
    lines = []
    for d in documents:
        for o in d["occlusion"]:
            steps = o["whole"] - np.array(o["steps"])
            worst = np.sort(np.argsort(-steps)[:4])
            dearest = ", ".join(f"{steps[i]:.2f}" for i in worst)
            lost = {name: o["whole"] - r2 for name, r2 in zip(CHANNELS, o["channels"])}
            channels = ", ".join(f"{name} {value:.2f}" for name, value in lost.items() if value > 0.005)
            lines += [
                f"- {short_name(d)}, `{o['model']}`: R2 {o['whole']:.3f} with everything in sight, {o['blind']:.2f} "
                f"with everything filled in. The windows that cost most begin at steps "
                f"{', '.join(f'{i * WINDOW}' for i in worst)} (R2 lost {dearest}, all "
                f"channels at once); the median window costs {np.median(steps):.3f}. Whole channels: "
                f"{channels or 'none costs more than .005'}; sensor 1 {o['whole'] - o['sensors'][0]:.2f}, sensor 2 "
                f"{o['whole'] - o['sensors'][1]:.2f}."
            ]
    return ["![R2 lost without a window of steps](occlusion.png)", "", *lines] if lines else lines


def _ablations(reports: list[dict]) -> list[str]:
    lines: list[str] = []
    for report in reports:
        shots = sorted({row["k"] for row in report["best"]})
        cells = {(row["task"], row["ablation"], row["k"]): row["mean"] for row in report["best"]}
        tasks = list(dict.fromkeys(row["task"] for row in report["best"]))
        pairs = [(task, k) for task in tasks for k in shots]
        names = dict.fromkeys(row["ablation"] for row in report["best"])
        rows = [(name, *(f"{cells[task, name, k]:.2f}" for task, k in pairs)) for name in names]
        carried = []
        for row in report["transfer"]:
            draw = f"{row['ablation']}, draw {row['seed']}" if row["ablation"] == "A1" else row["ablation"]
            carried.append((draw, *(f"{row[key]:.2f}" for key in ("within", "transfer", "slope"))))
        lines += [
            *([""] if lines else []),
            f"{report['bridge']}, upstream {report['upstream']}, {report['rows']:,} rows a pilot:",
            "",
            _table(("ablation", *(f"{task.upper()} k = {k}" for task, k in pairs)), rows),
            "",
            _table(("T1 over all cells", "R2, fitted anew", "R2, carried over from A0", "its slope"), carried),
        ]
    return lines


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return markdown_table(head, rows, "---")


def _percent(counts: Sequence[int]) -> str:
    return f"{100 * counts[0] / counts[1]:.0f}" if counts[1] else "-"


def _pooled(bands: Sequence[Sequence[int]]) -> float:
    hits, rows = np.array(bands).sum(axis=0)
    return float(hits / max(rows, 1))


def _span(limits: Sequence[float], digits: int) -> str:
    return f"{limits[0]:.{digits}f} to {limits[1]:.{digits}f}"


def _range(bins: list[dict]) -> str:
    errors = [b["rmse"][0] for b in bins]
    return _span((min(errors), max(errors)), 4)
