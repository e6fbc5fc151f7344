"""Power of a search with a given number of cells: plant a precursor and count how often it is detected.

The cells have the cohorts, lives, early windows and codes of a study. Late proxies are redrawn: the mean of the cell's
cohort plus a deviation of the size found within cohorts. The early share of one additional code follows the proxy,
equally within and between cohorts; the effect is its correlation among the cells of a cohort. Nothing else is related
to the proxy. Other numbers of cells repeat the study's cells, or leave some out, cohort by cohort.
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import MARKERS, canvas

from ..cells.code_statistics import code_rates
from ..cells.proxies import index_cells
from ..training.jobs import ALONE, Engine, run_jobs
from ..training.plotting import INK, NEUTRAL, OKABE_ITO
from .analysis import DiscoveryPlan, Study
from .nulls import nested_test

SCHEMA_VERSION = 1
EFFECTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
NUMBERS_OF_CELLS = (10, 20, 40, 60, 90, 124)
MANY_CELLS = 40  # larger numbers get a third of the trials, because each takes as long as many small ones
TRIALS = 300
N_PERMUTATIONS = 199  # a trial needs only whether p is below the level
POWER = 0.8  # sufficient share of precursors found


@dataclass(frozen=True)
class Background:
    """Properties of a study's cells that are kept, including cells too short for the analysis.

    Attributes:
        cohorts: Cohort of each cell, (C,).
        segments: Number of valid segments of each cell, (C,).
        windows: Number of segments in its early window, (C,).
        rates: Early rate of each code, (C, K).
        present: Whether the cell has the code, (C, K).
        mean: Mean proxy of each cell's cohort, (C,).
        spread: Standard deviation of the proxy among cells of a cohort.
    """

    cohorts: np.ndarray
    segments: np.ndarray
    windows: np.ndarray
    rates: np.ndarray
    present: np.ndarray
    mean: np.ndarray
    spread: float


def background(study: Study, codes: np.ndarray, n_codes: int) -> Background:
    """Take cohorts, lives, codes and the spread of late proxies from a study.

    Args:
        study: The prepared cells.
        codes: Code of every valid segment, (N,).
        n_codes: Size of the codebook.

    Raises:
        MagBridgeError: If no cohort has two cells that take part, or a cohort has none: the spread is then unknown.
    """
    index = index_cells(study.segments)
    early = index.early(study.plan.early_fraction)
    proxy = pd.Series(study.proxy)
    means = proxy.groupby(study.index.cohorts).mean()
    freedom = len(proxy) - len(means)
    if freedom < 1 or set(index.cohorts) - set(means.index):
        needed = "cohorts with cells that take part, one of them with two or more"
        raise MagBridgeError(f"planting a precursor needs {needed}")
    deviations = proxy.to_numpy() - means[study.index.cohorts].to_numpy()
    rates, present = code_rates(index, codes, n_codes, early), code_rates(index, codes, n_codes) > 0
    mean, spread = means[index.cohorts].to_numpy(), float(np.sqrt(np.sum(deviations**2) / freedom))
    return Background(index.cohorts, index.n_segments, np.bincount(index.cell[early]), rates, present, mean, spread)


def draw_cells(ground: Background, n_cells: int, rng: np.random.Generator) -> np.ndarray:
    """Draw indices of cells, taking cohorts in turn and the cells of a cohort equally often (within one draw).

    Args:
        ground: Properties of the cells.
        n_cells: Number of cells to draw.
        rng: Source of randomness.

    Returns:
        Indices of cells, (n_cells,).
    """
    queues = []
    for cohort in np.unique(ground.cohorts):
        members = np.flatnonzero(ground.cohorts == cohort)
        rounds = -(-n_cells // len(members))
        queues.append(np.concatenate([rng.permutation(members) for _ in range(rounds)]))
    in_turn = itertools.chain.from_iterable(zip(*(queue[:n_cells].tolist() for queue in queues), strict=False))
    return np.array(list(itertools.islice(in_turn, n_cells)))


def plant(ground: Background, cells: np.ndarray, effect: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw late proxies, and early rates that include a precursor.

    Args:
        ground: Properties of the cells.
        cells: Indices of cells, (n,).
        effect: Correlation of the precursor's early rate with the proxy among cells of a cohort, 0 to 1.
        rng: Source of randomness.

    Returns:
        The proxy (n,); early rates (n, K + 1), with the precursor last; whether each cell has each code (n, K + 1).
    """
    n = len(cells)
    proxy = ground.mean[cells] + ground.spread * rng.standard_normal(n)
    noise = rng.standard_normal(n)
    score = noise if effect == 0 else proxy + ground.spread * np.sqrt(1 / effect**2 - 1) * noise
    windows = ground.windows[cells]
    # From none of the early window to all of it, in whole segments.
    fired = np.round((score - score.min()) / np.ptp(score) * windows)[:, None] / windows[:, None]
    rates = np.hstack([ground.rates[cells] * (1 - fired), fired])
    return proxy, rates, np.hstack([ground.present[cells], fired > 0])


def trials_of(n_cells: int, trials: int) -> int:
    """Return the number of trials to run for a number of cells."""
    return trials if n_cells <= MANY_CELLS else -(-trials // 3)


def _trials(job: tuple[int, float], ground: Background, plan: DiscoveryPlan, trials: int) -> tuple[float, float]:
    """Compute the share of planted precursors found, and their mean Spearman with the proxy over all cells."""
    n_cells, effect = job
    found, spearman = [], []
    for trial in range(trials_of(n_cells, trials)):
        rng = np.random.default_rng((plan.seed, n_cells, round(1000 * effect), trial))
        cells = draw_cells(ground, n_cells, rng)
        cells = cells[ground.segments[cells] >= plan.min_segments]
        proxy, rates, present = plant(ground, cells, effect, rng)
        others = present.sum(axis=0) - present  # (n, K + 1): number of other cells with the code
        repeated = np.broadcast_to(rates, (1, len(cells), *rates.shape))
        eligible = (others >= plan.min_cells_present)[None]
        result = nested_test(proxy, repeated, eligible, ground.cohorts[cells], plan.n_permutations, rng)
        found.append(result is not None and result.finds_precursor(plan.alpha))
        spearman.append(pd.Series(rates[:, -1]).corr(pd.Series(proxy), method="spearman"))
    return float(np.mean(found)), float(np.mean(spearman))


def measure_power(
    study: Study,
    codes: np.ndarray,
    n_codes: int,
    *,
    numbers_of_cells: Sequence[int] = NUMBERS_OF_CELLS,
    effects: Sequence[float] = EFFECTS,
    trials: int = TRIALS,
    engine: Engine = ALONE,
) -> dict[str, Any]:
    """Count how often a planted precursor is found, for each effect and number of cells.

    Args:
        study: The prepared cells to imitate.
        codes: Code of every valid segment, (N,).
        n_codes: Size of the codebook.
        numbers_of_cells: Numbers of cells to draw, in addition to the study's own; short cells are left out afterwards.
        effects: Correlations to plant, increasing.
        trials: Planted precursors per effect and number of cells.
        engine: Where the fits run.

    Returns:
        A JSON-ready record: the plan, and per number of cells the share found, the mean Spearman over all cells and
        the smallest effect that is found with `POWER`, None if none is.

    Raises:
        MagBridgeError: If effects are outside 0 to 1 or not increasing, or there are too few trials or cells.
    """
    if not trials > 0 or min(numbers_of_cells, default=3) < 3:
        raise MagBridgeError(f"trials={trials}, cells={list(numbers_of_cells)}; expected at least 1 trial and 3 cells")
    if list(effects) != sorted(set(effects)) or min(effects) < 0 or max(effects) > 1:
        raise MagBridgeError(f"effects={list(effects)}; expected increasing correlations from 0 to 1")
    ground = background(study, codes, n_codes)
    numbers = sorted({*numbers_of_cells, len(ground.cohorts)})
    plan = replace(study.plan, n_permutations=N_PERMUTATIONS)
    jobs = list(itertools.product(numbers, effects))
    work = functools.partial(_trials, ground=ground, plan=plan, trials=trials)
    counted = run_jobs(work, jobs, engine)
    results = dict(zip(jobs, counted, strict=True))
    curves = {}
    for n in numbers:
        found, rho = ([results[n, effect][which] for effect in effects] for which in (0, 1))
        smallest = smallest_effect(effects, found)
        curves[str(n)] = {"found": found, "spearman": rho, "smallest_effect": smallest, "trials": trials_of(n, trials)}
    record = {"schema_version": SCHEMA_VERSION, "plan": asdict(plan), "cells": len(ground.cohorts), "power": POWER}
    return record | {"effects": list(effects), "curves": curves}


def smallest_effect(effects: Sequence[float], found: Sequence[float]) -> float | None:
    """Interpolate linearly the effect above which at least a share `POWER` is found; None if there is no such effect.

    Isotonic regression first makes the shares rise, because counted ones fluctuate.
    """
    from sklearn.isotonic import IsotonicRegression

    rising = IsotonicRegression().fit_transform(effects, found)
    if rising[-1] < POWER:
        return None
    after = int(np.argmax(rising >= POWER))
    if after == 0:
        return float(effects[0])
    before = after - 1
    share = (POWER - rising[before]) / (rising[after] - rising[before])
    return float(effects[before] + share * (effects[after] - effects[before]))


def draw_power(record: dict[str, Any]) -> Any:
    """Draw the share found against the effect, with one line per number of cells."""
    figure, axis = canvas(size=(6.4, 4))
    for (cells, curve), colour, marker in zip(record["curves"].items(), OKABE_ITO, MARKERS, strict=False):
        axis.plot(record["effects"], curve["found"], color=colour, marker=marker, markersize=4, label=f"{cells} cells")
    axis.axhline(record["power"], color=NEUTRAL, linewidth=1, linestyle="--")
    axis.axhline(record["plan"]["alpha"], color=INK, linewidth=0.8, linestyle=":", label="level of the test")
    effect = "effect: correlation of early rate and late fade among cells of a cohort"
    axis.set(ylim=(-0.02, 1.02), xlabel=effect, ylabel="planted precursors found")
    axis.legend(loc="upper left")
    return figure
