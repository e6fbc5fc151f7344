"""Transfer: a model fitted on the clean rows of one release or chemistry, scored on those of another.

At most `FIT_ROWS` clean rows of the source are fitted on, every clean row of the target is scored. The controls fit the
same rows with the SOH of whole cells dealt to other cells, `DEALS` times. Nothing is chosen by a target's rows.
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
"""Readouts of SOH: of summary statistics, of noise, and of shape. T2 is their SOH against 0.85."""

SEED = 0
FIT_ROWS = 3000
"""About v1's clean rows: sources of one size compare, and support vectors of more cost the square of it."""


DEALS = 5
"""Deals of the control, each scored on at most `FIT_ROWS` of the target's rows."""


@dataclass(frozen=True)
class Side:
    """Rows of one release, or those of it whose cells stand in these tables: `LFP-35Ah`, or `NMC` for both of NMC."""

    release: str
    tables: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.release} {'+'.join(self.tables)}".strip()

    def of(self, rows: Mapping[str, Subset]) -> Subset:
        """Its rows among those of every release."""
        whole = rows[self.release]
        if not self.tables:
            return whole
        table = np.array([table_of(cell) for cell in whole.cell_ids.tolist()])
        kept = np.isin(table, self.tables) | np.isin(np.char.partition(table, "-")[:, 0], self.tables)
        if not kept.any():
            raise MagBridgeError(f"no cell of {', '.join(self.tables)} in the release {self.release}")
        return whole.take(kept)


V1, V2, LFP, OTHERS = Side("v1"), Side("v2"), Side("v2", ("LFP",)), Side("v2", ("LMO", "NMC"))
PARTS = tuple(Side("v2", tables) for tables in (("LMO",), ("NMC",), ("NMC-2.1Ah",), ("NMC-21Ah",)))
BOTH_WAYS = ((V1, V2), (V1, LFP), (LFP, OTHERS), *((LFP, part) for part in PARTS), PARTS[2:])
PAIRS = (*(pair for a, b in BOTH_WAYS for pair in ((a, b), (b, a))), (Side("simulated"), V2))
"""Source and target."""


@dataclass(frozen=True)
class Transfer:
    """One fit, scored elsewhere.

    Attributes:
        source: Rows fitted on.
        target: Rows scored.
        model: Name.
        deal: Number of the deal of SOH among the source's cells; None for the true SOH.
        scores: Headline value of T1 and T2 by task id.
        intervals: Its 95 % interval by the target's batteries, by task id; none for a deal.
        slope: Of the prediction on the truth: 1 where it follows, 0 where it does not, negative where it is reversed.
        correlation: Of prediction and truth.
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
    """Every clean row of each release, SOH as target."""
    return {name: Subset.concatenate(load_task("t1", folder).subsets()) for name, folder in releases.items()}


def transfers(rows: Mapping[str, Subset], models=MODELS, pairs=PAIRS, deals: int = DEALS) -> Iterator[Transfer]:
    """Fit each model on each source, with true and with dealt SOH, and score it on the target.

    Args:
        rows: From `read_rows`.
        models: Names of T1 models.
        pairs: Sources and targets.
        deals: Controls a pair.
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
    """At most `FIT_ROWS` of the rows, over all their cells."""
    return np.sort(np.random.default_rng(SEED).permutation(len(rows))[:FIT_ROWS])


def _dealt(rows: Subset, deal: int) -> Subset:
    """The rows with the SOH of another cell each; a cell's rows stay together."""
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
    """The transfers as a Markdown page.

    Args:
        found: From `transfers`.
        labels: What each release is, by the name that `Side` has.
    """
    dealt: dict[tuple, list[Transfer]] = {}
    for t in found:
        if t.deal is not None:
            dealt.setdefault((t.source, t.target, t.model), []).append(t)
    return template("benchmark.analysis", "transfer.md", keep_trailing_newline=True).render(
        found=[t for t in found if t.deal is None], dealt=dealt, labels=labels, fit_rows=FIT_ROWS, deals=DEALS
    )


def write_page(releases: Mapping[str, str | Path], out: str | Path) -> Path:
    """Run the track and write its page.

    Args:
        releases: Folder or Hub id of `v1`, `v2` and `simulated` (v2 of the simulated upstream).
        out: Markdown file.

    Returns:
        Its path.
    """
    infos = {name: dataset_info(release_folder(folder)) for name, folder in releases.items()}
    labels = {name: f"{info.name}, {info.bridge_version}, dataset {info.short}" for name, info in infos.items()}
    text = page(list(transfers(read_rows(releases))), labels)
    out = Path(out)
    write_text(out, text)
    return out
