"""The published tables, and their agreement with our results, figure by figure."""

import math
from dataclasses import dataclass

from benchmark.data import DatasetInfo
from benchmark.results import Result
from benchmark.tasks import get_task
from dataset_card.contract.editions import OWN_CELLS, V1
from dataset_card.storage.documents import packaged


@dataclass(frozen=True)
class Published:
    """One figure of a table.

    Attributes:
        table: 3 or 4.
        task: Task id.
        model: Name in the registry.
        mean: Headline metric.
        std: Std over seeds; None if the source gives the figure of one run.
        tolerance: Largest difference of our mean that counts as agreement; None for two joint standard deviations.
        source: `paper`, or `reference run` for the published script on a release with surrogate scans.
    """

    table: int
    task: str
    model: str
    mean: float
    std: float | None = None
    tolerance: float | None = None
    source: str = "paper"


_TABLES = packaged("benchmark.analysis", "published.yaml")
PUBLISHED = tuple(Published(**figure) for figure in _TABLES["figures"])
NOTES: dict[int, str] = _TABLES["notes"]


def figures(table: int) -> tuple[Published, ...]:
    """Return the published figures of one table."""
    return tuple(figure for figure in PUBLISHED if figure.table == table)


def verdict(figure: Published, result: Result) -> str:
    """Compare our result with a published figure; return `agrees` or `differs by ...`."""
    difference = result.mean() - figure.mean
    allowed = figure.tolerance or 2 * math.hypot(figure.std or 0.0, result.std())
    return "agrees" if abs(difference) <= allowed else f"differs by {difference:+.3f} (allowed {allowed:.3f})"


def comparable(dataset: DatasetInfo) -> bool:
    """Return whether the published figures apply to these rows: v1 from the published upstream, with any seed."""
    version = dataset.bridge_version or ""
    return dataset.upstream == "published" and version.startswith(f"{V1.bridge}.") and not version.endswith(OWN_CELLS)


def comparison(table: int, results: list[Result]) -> list[dict]:
    """Compare published and measured figures.

    Args:
        table: 3 or 4.
        results: Our results, one per model and task; those on rows that are not `comparable` are left out.

    Returns:
        One row per published figure for which there is a result: task, metric, model, published, published_std, source,
        ours, ours_std, protocol, verdict.
    """
    ours = {(r.task, r.model): r for r in results if comparable(r.dataset)}
    return [
        {
            "task": figure.task,
            "metric": get_task(figure.task).headline.name,
            "model": figure.model,
            "published": figure.mean,
            "published_std": figure.std,
            "source": figure.source,
            "ours": result.mean(),
            "ours_std": result.std(),
            "protocol": result.protocol,
            "verdict": verdict(figure, result),
        }
        for figure in figures(table)
        if (result := ours.get((figure.task, figure.model))) is not None
    ]
