"""Ablations that show whether the state direction, or SOH itself, carries the information that models find.

A pilot is a small release at one SOC level. A0 is the unchanged bridge; A1 ages along a random direction; A2 generates
each cell at another cell's SOH and grades it against its own; A3 ages in the opposite direction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmark.baselines import models
from benchmark.data import Subset, TaskData
from benchmark.protocol import SHOTS, few_shot
from benchmark.tasks import get_task
from bridge.generate import AnyBridge
from bridge.identity import sample_seed
from bridge.plan import record_voltages
from bridge.v1.generate import Bridge
from bridge.validation import soh
from bridge.validation.checks import declared, reports
from bridge.validation.soh import ABLATIONS, READOUTS, CleanRows, ablated, of_one_law, permuted, transfer_scores
from dataset_card.contract.schema import MASTER_SEED, REUSE_ABOVE_SOH
from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import LINE, MARK, canvas, save

TASKS = ("t1", "t2")
SEEDS = (0, 1, 2, 3, 4)
"""Each seed draws different signals and few-shot rows, and holds out a different fifth of the batteries."""

SOC_LEVEL = 5.0
"""One SOC level fixes the voltage of each cell, so that a model need not learn the voltage's effect from few rows."""

SIGNALS_PER_CELL = 6
"""v1's 56 cells yield 336 rows (the paper's pilots have about 310), v2's 270 cells yield 1,620."""


class Score(NamedTuple):
    """One fit.

    Attributes:
        ablation: A0 to A3.
        task: `t1` or `t2`.
        model: Baseline's name.
        k: Number of rows per class (T1: per SOH bin).
        seed: Seed of signals, rows and held-out cells.
        value: R2 (T1) or balanced accuracy (T2), unrounded.
    """

    ablation: str
    task: str
    model: str
    k: int
    seed: int
    value: float


@dataclass(frozen=True)
class AblationReport:
    """Scores of all ablations.

    Attributes:
        bridge: `v1` or `v2`.
        upstream: Name of the upstream.
        rows: Number of rows of a pilot.
        scores: One entry per fit.
        transfer: Readouts fitted within each ablation, and readouts carried over to it from A0.
    """

    bridge: str
    upstream: str
    rows: int
    scores: list[Score]
    transfer: list[soh.Transfer]

    def mean(self, ablation: str, task: str, k: int) -> tuple[str, float]:
        """Return the model with the best mean over seeds at k, and that mean."""
        by_model: dict[str, list[float]] = {}
        for score in self.scores:
            if (score.ablation, score.task, score.k) == (ablation, task, k):
                by_model.setdefault(score.model, []).append(score.value)
        return max(((model, float(np.mean(values))) for model, values in by_model.items()), key=lambda pair: pair[1])

    @property
    def shots(self) -> list[int]:
        """Values of k, ascending."""
        return sorted({score.k for score in self.scores})

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len({score.seed for score in self.scores})

    def as_dict(self) -> dict:
        """Return best means and all scores as plain values, for JSON."""
        best = [
            {"task": task, "ablation": ablation, "k": k, "model": model, "mean": value}
            for task in TASKS
            for ablation in ABLATIONS
            for k in self.shots
            for model, value in [self.mean(ablation, task, k)]
        ]
        lists = {"scores": [s._asdict() for s in self.scores], "transfer": [asdict(t) for t in self.transfer]}
        return {"bridge": self.bridge, "upstream": self.upstream, "rows": self.rows, "best": best, **lists}

    def table(self) -> str:
        """Format the paper's table (for v1 with the paper's numbers next to ours) and the transfer scores."""
        paper = declared("published.yaml") if self.bridge == "v1" else {}
        return reports().ablations(self, ABLATIONS, paper, soh.transfer_table(self.transfer))


def run_ablations(
    bridge: AnyBridge,
    *,
    shots: tuple[int, ...] = SHOTS,
    seeds: tuple[int, ...] = SEEDS,
    names: tuple[str, ...] | None = None,
    progress: bool = False,
) -> AblationReport:
    """Generate a pilot for each ablation and seed and grade it with the benchmark's few-shot protocol.

    Args:
        bridge: A bridge whose upstream has a record at 5 % SOC for every cell.
        shots: Values of k.
        seeds: One to five different numbers from 0 to 4.
        names: Baselines of which the best counts; the classical ones of Table III by default.
        progress: Whether to show a progress bar on a terminal.

    Raises:
        MagBridgeError: If a seed is not one of 0 to 4, or if the upstream has no record at 5 % SOC.
    """
    if not seeds or len(set(seeds)) != len(seeds) or not set(seeds) <= set(SEEDS):
        raise MagBridgeError(f"seeds {list(seeds)}: expected different numbers from {', '.join(map(str, SEEDS))}")
    bridge, scores = of_one_law(bridge), []
    pilots = [(a, s) for a in ABLATIONS for s in seeds]
    for ablation, seed in tqdm(pilots, desc="pilots", disable=None if progress else True, leave=False):
        for task, data in make_pilot(bridge, ablation, seed).items():
            for model in models(task, "classical"):
                if names is None or model.name in names:
                    found = few_shot(task, model, data, shots=shots, seeds=(seed,))
                    fits = [(run.k, run.scores[get_task(task).headline.name]) for run in found.runs]
                    scores += [Score(ablation, task, model.name, k, seed, value) for k, value in fits if k is not None]
    rows = pilot_rows(bridge, seeds[0])
    transfer = transfer_scores(bridge, rows, readouts=tuple(READOUTS))
    version = "v1" if isinstance(bridge, Bridge) else "v2"
    return AblationReport(version, bridge.upstream.name, len(rows.soh), scores, transfer)


def pilot_rows(bridge: AnyBridge, seed: int) -> CleanRows:
    """Return the requests of a pilot: six signals of every cell at 5 % SOC, with seeds that no release uses.

    Raises:
        MagBridgeError: If no pulse record is at 5 % SOC.
    """
    pulses = bridge.upstream.pulses
    records = np.flatnonzero(pulses.soc == SOC_LEVEL)
    if not len(records):
        raise MagBridgeError(f"no pulse record at {SOC_LEVEL:g} % SOC: expected one for every cell")
    record = np.repeat(records, SIGNALS_PER_CELL)
    cells = enumerate(pulses.cell[record].astype(str))
    seeds = [sample_seed(MASTER_SEED, "ablation", seed, c, i % SIGNALS_PER_CELL) for i, c in cells]
    unit = getattr(pulses, "battery", pulses.cell)[record].astype(str).astype(object)  # v1's cells are batteries
    return CleanRows(record_voltages(pulses)[record], pulses.soc[record], pulses.soh[record], np.array(seeds), unit)


def make_pilot(bridge: AnyBridge, ablation: str, seed: int) -> dict[str, TaskData]:
    """Generate one pilot, with a fifth of its batteries held out.

    Batteries are dealt into five groups in the order of their mean SOH, so that every group spans the whole range: nine
    random cells, as in v1's own split, would be too few for comparing four ablations.

    Args:
        bridge: The unchanged bridge.
        ablation: A0 to A3.
        seed: Number of the held-out group, and seed of the signals and of the ablation's random numbers.

    Returns:
        Data of T1 and T2, whose targets derive from the cells' own SOH.

    Raises:
        MagBridgeError: If the ablation is unknown, or if no pulse record is at 5 % SOC.
    """
    rows, rng = pilot_rows(bridge, seed), np.random.default_rng(seed)
    changed = ablated(bridge, ablation, rng)
    signals = rows.signals(changed, permuted(rows.soh, rows.cell, rng) if ablation == "A2" else rows.soh)
    _, first, battery = np.unique(rows.cell, return_index=True, return_inverse=True)
    mean = np.bincount(battery, rows.soh) / np.bincount(battery)
    order = np.lexsort((first, mean))  # batteries of equal SOH in the order of the records
    group = np.empty(len(mean), int)
    group[order] = np.arange(len(mean)) % len(SEEDS)
    test = group[battery] == seed

    ids = np.char.mod("%d", np.arange(len(rows.cell)))
    targets = {"t1": rows.soh, "t2": np.where(rows.soh > REUSE_ABOVE_SOH, "reuse", "recondition")}
    pilots = {}
    for task in TASKS:
        everything = Subset(ids, rows.cell.astype(str), signals, targets[task])
        pilots[task] = TaskData(get_task(task), everything.take(~test), None, everything.take(test))
    return pilots


def plot(report: AblationReport, out) -> None:
    """Plot the best score over k for every ablation of T1 and T2; for v1, add the paper's scores as dashed lines."""
    paper = declared("published.yaml") if report.bridge == "v1" else {}
    figure, axes = canvas(1, 2, (11, 4.5))
    for axis, task, label in zip(axes, TASKS, ("R2", "balanced accuracy")):
        for ablation, colour in zip(ABLATIONS, (LINE, "#21918c", MARK, "#7b3294")):
            ours = [report.mean(ablation, task, k)[1] for k in report.shots]
            axis.plot(report.shots, ours, "o-", color=colour, label=f"{ablation}: {ABLATIONS[ablation]}")
            if paper:
                theirs = list(paper[task][ablation].values())
                axis.plot(SHOTS, theirs, "--", color=colour, lw=1, alpha=0.7)
        axis.axhline(get_task(task).chance, color="0.6", lw=0.8, ls=":")
        axis.set(xscale="log", xlabel="training rows per class (T1: per SOH bin)", ylabel=label)
        axis.set_title(get_task(task).title)
        axis.set_xticks(report.shots, [str(k) for k in report.shots])
        axis.minorticks_off()
    axes[0].legend(fontsize=7, loc="center right", bbox_to_anchor=(1, 0.4))
    what = f"best model per shot, {report.rows} rows, upstream {report.upstream}{'; dashed: paper' if paper else ''}"
    figure.suptitle(f"ablations of {report.bridge}, {what}", fontsize=11)
    save(figure, out)
