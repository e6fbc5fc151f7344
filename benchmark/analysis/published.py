"""The published tables, and whether our results agree with them, figure by figure."""

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
        std: Over seeds; None where the source gives one run's figure.
        tolerance: How far our mean may be off and still agree; None: two joint standard deviations.
        source: `paper`, or `reference run`: the published script on a release with surrogate scans.
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
    """The published figures of one table."""
    return tuple(figure for figure in PUBLISHED if figure.table == table)


def verdict(figure: Published, result: Result) -> str:
    """`agrees` or `differs by ...` for our result beside a published figure."""
    difference = result.mean() - figure.mean
    allowed = figure.tolerance or 2 * math.hypot(figure.std or 0.0, result.std())
    return "agrees" if abs(difference) <= allowed else f"differs by {difference:+.3f} (allowed {allowed:.3f})"


def comparable(dataset: DatasetInfo) -> bool:
    """Whether the published figures speak of these rows: v1 from the published upstream, of any master seed."""
    version = dataset.bridge_version or ""
    return dataset.upstream == "published" and version.startswith(f"{V1.bridge}.") and not version.endswith(OWN_CELLS)


def comparison(table: int, results: list[Result]) -> list[dict]:
    """Published and measured figures side by side.

    Args:
        table: 3 or 4.
        results: Ours, one a model and task; those on rows that are not `comparable` are left out.

    Returns:
        One row a published figure that we have a result for: task, metric, model, published, std, source, ours,
        ours_std, protocol, verdict.
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
