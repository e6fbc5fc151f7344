"""Ablations: does the state direction, and does SOH itself, carry the information that models find?

A pilot is a small release of one SOC level. A0 is the bridge as it is; A1 drifts along a random direction; A2 generates
each cell at another cell's SOH and is graded against its own; A3 drifts the opposite way.
"""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass

import numpy as np

from benchmark.baselines import models
from benchmark.data import Subset, TaskData
from benchmark.protocol import SHOTS, few_shot
from benchmark.results import Result
from benchmark.tasks import get_task
from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V, BridgeConfig
from bridge.identity import sample_seed
from bridge.retrieval.generate import Bridge
from bridge.upstream import Upstream
from dataset_card.errors import MagBridgeError
from dataset_card.plotting import LINE, MARK, canvas, save
from dataset_card.schema import MASTER_SEED, REUSE_ABOVE_SOH

ABLATIONS = {
    "A0": "the bridge as it is",
    "A1": "random state direction",
    "A2": "SOH permuted across cells, graded against the cells' own",
    "A3": "state direction negated",
}
TASKS = ("t1", "t2")
SEEDS = (0, 1, 2, 3, 4)
"""Each seed draws its own signals and few-shot rows, and holds out its own fifth of the cells."""

SOC_LEVEL = 5.0
"""One SOC level keeps the voltage of a cell fixed, so that few rows need not also teach a model what voltage does."""

SIGNALS_PER_CELL = 6
"""56 cells give 336 rows (the paper's pilots have about 310)."""

PUBLISHED = {
    ("t1", "A0"): (0.62, 0.64, 0.70, 0.77),
    ("t1", "A1"): (0.67, 0.61, 0.72, 0.78),
    ("t1", "A2"): (-0.01, 0.03, 0.00, -0.04),
    ("t1", "A3"): (0.67, 0.62, 0.72, 0.75),
    ("t2", "A0"): (0.72, 0.84, 0.84, 0.93),
    ("t2", "A1"): (0.76, 0.85, 0.85, 0.92),
    ("t2", "A2"): (0.56, 0.61, 0.56, 0.56),
    ("t2", "A3"): (0.74, 0.82, 0.85, 0.94),
}
"""Best model per shot, k = 2, 5, 10, 20, five seeds (paper, ablation table)."""


@dataclass(frozen=True)
class Score:
    """One fit.

    Attributes:
        ablation: A0 to A3.
        task: `t1` or `t2`.
        model: Baseline's name.
        k: Rows per class (T1: per SOH bin).
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
        upstream: Name of the upstream.
        rows: Rows of one pilot.
        scores: Every fit.
    """

    upstream: str
    rows: int
    scores: list[Score]

    def mean(self, ablation: str, task: str, k: int) -> tuple[str, float]:
        """The model with the best mean over seeds at k, and that mean."""
        by_model: dict[str, list[float]] = {}
        for score in self.scores:
            if (score.ablation, score.task, score.k) == (ablation, task, k):
                by_model.setdefault(score.model, []).append(score.value)
        return max(((model, float(np.mean(values))) for model, values in by_model.items()), key=lambda pair: pair[1])

    @property
    def shots(self) -> list[int]:
        """Values of k, ascending."""
        return sorted({score.k for score in self.scores})

    def as_dict(self) -> dict:
        """Best means and every score as plain values, for JSON."""
        best = [
            {"task": task, "ablation": ablation, "k": k, "model": model, "mean": value}
            for task in TASKS
            for ablation in ABLATIONS
            for k in self.shots
            for model, value in [self.mean(ablation, task, k)]
        ]
        return {"upstream": self.upstream, "rows": self.rows, "best": best, "scores": [asdict(s) for s in self.scores]}

    def table(self) -> str:
        """The paper's table, its numbers beside ours."""
        lines = []
        for task, title in (("t1", "T1, R2"), ("t2", "T2, balanced accuracy")):
            lines.append(f"{title:28}" + "".join(f"{f'k = {k}':>16}" for k in self.shots))
            for ablation, meaning in ABLATIONS.items():
                paper = dict(zip(SHOTS, PUBLISHED[task, ablation]))
                cells = (
                    f"{self.mean(ablation, task, k)[1]:.2f}" + (f" ({paper[k]:.2f})" if k in paper else "")
                    for k in self.shots
                )
                lines.append(f"{ablation} {meaning[:24]:25}" + "".join(f"{cell:>16}" for cell in cells))
            lines.append("")
        seeds = len({score.seed for score in self.scores})
        return "\n".join(
            [
                *lines,
                f"mean over {seeds} seeds of the best model per shot, in brackets the paper's; "
                f"{self.rows} rows, upstream {self.upstream}",
            ]
        )


def run_ablations(
    upstream: Upstream,
    config: BridgeConfig = BridgeConfig(),
    *,
    shots: tuple[int, ...] = SHOTS,
    seeds: tuple[int, ...] = SEEDS,
    names: tuple[str, ...] | None = None,
    progress: bool = False,
) -> AblationReport:
    """Generates a pilot for each ablation and seed and grades it with the benchmark's few-shot protocol.

    Args:
        upstream: The bridge's inputs, with a record at 5 % SOC for every cell.
        config: Strengths of the bridge's stages.
        shots: Values of k.
        seeds: Between one and five different numbers of 0 to 4.
        names: Baselines to choose the best of; the classical ones of Table III by default.
        progress: Whether to show a bar on a terminal.

    Raises:
        MagBridgeError: A seed is not one of 0 to 4, or the upstream has no record at 5 % SOC.
    """
    if not seeds or len(set(seeds)) != len(seeds) or not set(seeds) <= set(SEEDS):
        raise MagBridgeError(f"seeds {list(seeds)}: expected different numbers of {', '.join(map(str, SEEDS))}")
    scores, rows = [], 0
    for ablation, seed in _bar([(a, s) for a in ABLATIONS for s in seeds], progress):
        pilots = make_pilot(upstream, ablation, seed, config)
        for task, data in pilots.items():
            rows = len(data.train) + len(data.test)
            for model in models(task, "classical"):
                if names is None or model.name in names:
                    scores += _scores(ablation, few_shot(task, model, data, shots=shots, seeds=(seed,)))
    return AblationReport(upstream.name, rows, scores)


def make_pilot(
    upstream: Upstream, ablation: str, seed: int, config: BridgeConfig = BridgeConfig()
) -> dict[str, TaskData]:
    """One pilot: six signals of every cell at 5 % SOC, a fifth of the cells held out.

    The cells are dealt into five groups in the order of their SOH, so that every group spans the whole range: nine
    random cells, as in the release's own split, would be too few to compare four ablations on.

    Args:
        upstream: The bridge's inputs.
        ablation: A0 to A3.
        seed: Which group is held out, and seed of the signals and of what the ablation draws.
        config: Strengths of the bridge's stages.

    Returns:
        Rows of T1 and of T2; their targets are the cells' own SOH.
    """
    if ablation not in ABLATIONS:
        raise MagBridgeError(f"ablation {ablation!r}: expected one of {', '.join(ABLATIONS)}")
    pulses, rng = upstream.pulses, np.random.default_rng(seed)
    records = np.flatnonzero(pulses.soc == SOC_LEVEL)
    if not len(records):
        raise MagBridgeError(f"no pulse record at {SOC_LEVEL:g} % SOC: expected one for every cell")
    own = pulses.soh[records]
    held_out = np.argsort(np.argsort(own, kind="stable"), kind="stable") % len(SEEDS) == seed
    generated = rng.permutation(own) if ablation == "A2" else own
    direction = upstream.latent.direction
    if ablation == "A1":
        direction = rng.standard_normal(len(direction))
        direction /= np.linalg.norm(direction)
    elif ablation == "A3":
        direction = -direction

    latent = dataclasses.replace(upstream.latent, direction=direction)
    bridge = Bridge(dataclasses.replace(upstream, latent=latent), config)
    record = np.repeat(np.arange(len(records)), SIGNALS_PER_CELL)
    cell = pulses.cell[records][record].astype(str)
    seeds = [sample_seed(MASTER_SEED, "ablation", seed, c, i % SIGNALS_PER_CELL) for i, c in enumerate(cell)]
    voltage = np.clip(pulses.u[records].mean(axis=1), GROUNDED_MIN_V, GROUNDED_MAX_V)
    signals = bridge.generate_many(voltage[record], np.full(len(record), SOC_LEVEL), generated[record], seeds)

    ids = np.array([f"{c}_{i % SIGNALS_PER_CELL}" for i, c in enumerate(cell)])
    targets = {"t1": own[record], "t2": np.where(own > REUSE_ABOVE_SOH, "reuse", "recondition")[record]}
    test = held_out[record]
    pilots = {}
    for task in TASKS:
        everything = Subset(ids, cell, signals, targets[task])
        pilots[task] = TaskData(get_task(task), everything.take(~test), None, everything.take(test))
    return pilots


def _scores(ablation: str, result: Result) -> list[Score]:
    headline = get_task(result.task).headline.name
    return [
        Score(ablation, result.task, result.model, run.k, run.seed, run.scores[headline])
        for run in result.runs
        if run.k is not None
    ]


def _bar(items: list, shown: bool):
    if not shown:
        return items
    from tqdm import tqdm

    return tqdm(items, desc="pilots", disable=None, leave=False)


def plot(report: AblationReport, out) -> None:
    """Plots the best score over k for every ablation, T1 and T2, the paper's dashed."""
    figure, axes = canvas(1, 2, (11, 4.5))
    for axis, task, label in zip(axes, TASKS, ("R2", "balanced accuracy")):
        for ablation, colour in zip(ABLATIONS, (LINE, "#21918c", MARK, "#7b3294")):
            ours = [report.mean(ablation, task, k)[1] for k in report.shots]
            axis.plot(report.shots, ours, "o-", color=colour, label=f"{ablation}: {ABLATIONS[ablation]}")
            axis.plot(SHOTS, PUBLISHED[task, ablation], "--", color=colour, lw=1, alpha=0.7)
        axis.axhline(get_task(task).chance, color="0.6", lw=0.8, ls=":")
        axis.set_xscale("log")
        axis.set_xticks(report.shots, [str(k) for k in report.shots])
        axis.minorticks_off()
        axis.set_xlabel("training rows per class (T1: per SOH bin)")
        axis.set_ylabel(label)
        axis.set_title(get_task(task).title)
    axes[0].legend(fontsize=7, loc="center right", bbox_to_anchor=(1, 0.4))
    figure.suptitle(
        f"ablations, best model per shot, {report.rows} rows, upstream {report.upstream}; dashed: paper", fontsize=11
    )
    save(figure, out)
