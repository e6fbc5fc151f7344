"""Transfer: models fitted on the clean rows of one release or chemistry and scored on those of another.

Models are fitted on at most `FIT_ROWS` clean rows of the source and scored on every clean row of the target. The
controls are fitted on the same rows, with SOH permuted between whole cells, `DEALS` times. No choice depends on rows of
a target.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmark.baselines import get_model
from benchmark.data import Subset, dataset_info, load_task, release_folder
from benchmark.models import Model
from benchmark.protocol import asks
from benchmark.scoring import battery_statistics, interval, score
from benchmark.tasks import get_task
from dataset_card.contract.schema import REUSE_ABOVE_SOH, SECOND_LIFE_CLASSES, table_of
from dataset_card.errors import MagBridgeError
from dataset_card.running.templates import template
from dataset_card.storage.files import write_text

MODELS = ("ridge", "noise-level", "functional-signed")
"""Readouts of SOH from summary statistics, from noise, and from shape. T2 is their SOH against 0.85."""

SEED = 0
FIT_ROWS = 3000
"""Largest number of rows to fit on, about that of v1's clean rows: sources of equal size can be compared, and the cost
of support vectors grows with the square."""


DEALS = 5
"""Number of deals for the control, each scored on at most `FIT_ROWS` of the target's rows."""


@dataclass(frozen=True)
class Side:
    """Rows of one release, or only those of cells in given tables: `NMC-2.1Ah`, or `NMC` for all NMC tables."""

    release: str
    tables: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.release} {'+'.join(self.tables)}".strip()

    def of(self, rows: Mapping[str, Subset]) -> Subset:
        """Select its rows from those of all releases."""
        whole = rows[self.release]
        if not self.tables:
            return whole
        table = np.array([table_of(cell) for cell in whole.cell_ids.tolist()])
        kept = np.isin(table, self.tables) | np.isin(np.char.partition(table, "-")[:, 0], self.tables)
        if not kept.any():
            raise MagBridgeError(
                f"no cell of {', '.join(self.tables)} in the release {self.release}: pass a release with these tables"
            )
        return whole.take(kept)


V1, V2, LFP, OTHERS = Side("v1"), Side("v2"), Side("v2", ("LFP",)), Side("v2", ("LMO", "NMC"))
PARTS = tuple(Side("v2", tables) for tables in (("LMO",), ("NMC",), ("NMC-2.1Ah",), ("NMC-21Ah",)))
BOTH_WAYS = ((V1, V2), (V1, LFP), (LFP, OTHERS), *((LFP, part) for part in PARTS), PARTS[2:])
PAIRS = (*(pair for a, b in BOTH_WAYS for pair in ((a, b), (b, a))), (Side("simulated"), V2))
"""Pairs of source and target."""


@dataclass(frozen=True)
class Transfer:
    """Scores of a fit on other rows.

    Attributes:
        source: Rows that the model was fitted on.
        target: Rows that it was scored on.
        model: Name of the model.
        deal: Number of the deal of SOH among the source's cells; None for the true SOH.
        scores: Headline score on T1 and T2, by task id.
        intervals: 95 % interval of the score, resampled by the target's batteries, by task id; empty for a deal.
        slope: Slope of the prediction on the truth: 1 if it follows the truth, 0 if it does not, negative if it is
            reversed.
        correlation: Correlation of prediction and truth.
    """

    source: Side
    target: Side
    model: str
    deal: int | None
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    slope: float
    correlation: float


def read_rows(releases: Mapping[str, str | Path]) -> dict[str, Subset]:
    """Read all clean rows of each release, with SOH as target."""
    return {name: Subset.concatenate(load_task("t1", folder).subsets()) for name, folder in releases.items()}


def transfers(rows: Mapping[str, Subset], models=MODELS, pairs=PAIRS, deals: int = DEALS) -> Iterator[Transfer]:
    """Fit each model on each source, with true and with dealt SOH, and score it on the target.

    Args:
        rows: Rows from `read_rows`.
        models: Names of T1 models.
        pairs: Pairs of source and target.
        deals: Number of controls per pair.

    Yields:
        One `Transfer` per model, pair and deal.
    """
    for name in models:
        model, sides = get_model(name), {side for pair in pairs for side in pair}
        inputs = {side: model.inputs(side.of(rows).signals) for side in sides}
        fitted = {}
        for source, target in pairs:
            given, scored = source.of(rows), target.of(rows)
            drawn, few = _drawn(given), _drawn(scored)
            for deal in (None, *range(deals)):
                if (source, deal) not in fitted:
                    kept = given.take(drawn)
                    kept = kept if deal is None else _dealt(kept, deal)
                    fitted[source, deal] = _fit(model, kept, inputs[source][drawn])
                at = np.arange(len(scored)) if deal is None else few
                prediction = np.asarray(fitted[source, deal].predict(inputs[target][at]), dtype=float)
                yield _score(prediction, model, source, target, scored.take(at), deal)


def _drawn(rows: Subset) -> np.ndarray:
    """Draw at most `FIT_ROWS` of the rows, over all their cells."""
    return np.sort(np.random.default_rng(SEED).permutation(len(rows))[:FIT_ROWS])


def _dealt(rows: Subset, deal: int) -> Subset:
    """Return the rows with SOH permuted between cells; the rows of a cell stay together."""
    cells, first, index = np.unique(rows.cell_ids, return_index=True, return_inverse=True)
    dealt = np.random.default_rng(deal).permutation(len(cells))
    return replace(rows, target=rows.target[first][dealt][index])


def _fit(model: Model, rows: Subset, inputs: np.ndarray):
    task = get_task("t1")
    extras = {"groups": rows.battery_ids} if asks(model, task, "groups") else {}
    return model.build(0, task).fit(inputs, rows.target, **extras)


def _score(
    prediction: np.ndarray, model: Model, source: Side, target: Side, rows: Subset, deal: int | None
) -> Transfer:
    scores, intervals = {}, {}
    for task, truth, given in (
        (get_task("t1"), rows.target, prediction),
        (get_task("t2"), _classes(rows.target), _classes(prediction)),
    ):
        scores[task.id] = score(task, truth, given)[task.headline.name]
        if deal is None:
            batteries, statistics = battery_statistics(task, truth, given, rows.battery_ids)
            intervals[task.id] = interval(task, batteries, statistics[None])
    centred = rows.target - rows.target.mean()
    slope = float(centred @ prediction / (centred @ centred))
    spread = prediction.std()
    correlation = slope * float(rows.target.std() / spread) if spread > 0 else 0.0
    return Transfer(source, target, model.name, deal, scores, intervals, slope, correlation)


def _classes(soh: np.ndarray) -> np.ndarray:
    above, below = SECOND_LIFE_CLASSES
    return np.where(soh > REUSE_ABOVE_SOH, above, below)


def page(found: list[Transfer], labels: Mapping[str, str]) -> str:
    """Render the transfers as a Markdown page.

    Args:
        found: Transfers from `transfers`.
        labels: Description of each release, by its name in `Side`.
    """
    dealt: dict[tuple, list[Transfer]] = {}
    for t in found:
        if t.deal is not None:
            dealt.setdefault((t.source, t.target, t.model), []).append(t)
    return template("benchmark.analysis", "transfer.md", keep_trailing_newline=True).render(
        found=[t for t in found if t.deal is None], dealt=dealt, labels=labels, fit_rows=FIT_ROWS, deals=DEALS
    )


def write_page(releases: Mapping[str, str | Path], out: str | Path) -> Path:
    """Run the transfers and write their page.

    Args:
        releases: Folder or Hub id of `v1`, `v2` and `simulated` (v2 from the simulated upstream).
        out: Markdown file to write.

    Returns:
        Path of the file.
    """
    infos = {name: dataset_info(release_folder(folder)) for name, folder in releases.items()}
    labels = {name: f"{info.name}, {info.bridge_version}, dataset {info.short}" for name, info in infos.items()}
    text = page(list(transfers(read_rows(releases))), labels)
    out = Path(out)
    write_text(out, text)
    return out
