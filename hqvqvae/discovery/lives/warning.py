"""A warning of a short life: the early-warning score of `warning_score`, fitted to lives and tested on unseen cells.

No cell of the data reaches its end within the 100 public cycles, so the score answers another question than on whole
lives: will this cell last less long than the median one? An alarm is raised once, at the first cycle whose score
reaches a threshold that at most a fifth of the long-lived training cells reach.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ...configuration_hqvqvae import HQVQVAEConfig
from ...training.fit import TrainingConfig
from ..nulls import choose_and_predict, lead_times, p_value, permutations
from ..warning_score import OUTCOMES, WarningScore, calibrate, first_alarm, fit_calibrated, outcome
from .search import fit_without, fold_of
from .study import LifeStudy, balanced_folds

N_CODES = HQVQVAEConfig.named("precursor").codebook_size
PLAIN = ("capacity", "v_mean_charge")  # detectors without codes: a decrease since the beginning
SMOOTH = 10  # segments in their trailing mean


def calibrated_to_short(
    codes: list[np.ndarray], short: np.ndarray, n_codes: int, precursor: int | None, fold: np.ndarray
) -> WarningScore:
    """Fit the score to whether cells are short-lived, with a threshold from cells that each fit left out.

    Args:
        codes: Codes of each cell in order of life, (n_c,) each.
        short: Whether each cell is short-lived, (C,) bool.
        n_codes: Size of the codebook.
        precursor: The precursor code, or None.
        fold: Fold in which each cell is left out, (C,).

    Returns:
        The score of all cells with its threshold.
    """
    late = np.where(short, 0.0, np.nan).tolist()
    cells = [(of, at, np.full(len(of), near)) for of, at, near in zip(codes, late, short, strict=True)]
    fitted = fit_calibrated(cells, n_codes, precursor, _ends(codes, short), fold, np.inf)
    assert fitted is not None, "the median separates short lives from long ones"
    return fitted


def _ends(values: list[np.ndarray], short: np.ndarray) -> np.ndarray:
    """Return the end of each short-lived cell's record, which an alarm must precede; NaN for other cells."""
    return np.where(short, [len(of_cell) for of_cell in values], np.nan)


def precursor_of(study: LifeStudy, rates: np.ndarray, cells: np.ndarray, *, either_sign: bool = True) -> int | None:
    """Find the code that ranks the lives of some cells best.

    Args:
        study: The cells.
        rates: Share of each code in each cell's segments, (C, K).
        cells: Indices of the cells to rank.
        either_sign: Whether a code that is rarer in shorter lives may also be chosen.

    Returns:
        The code; None if no code is eligible.
    """
    usable = (rates[cells] > 0).sum(axis=0) >= study.plan.min_cells_present
    target = study.severity[None, cells]
    pick = choose_and_predict(target, rates[cells], rates[:0], usable, either_sign=either_sign)[1][0]
    return None if pick < 0 else int(pick)


def evaluate(study: LifeStudy, method: str, training: TrainingConfig | None = None) -> dict[str, Any]:
    """Raise alarms on cells unseen by codes, score and threshold.

    Args:
        study: The cells.
        method: Method of the codes, or one of `PLAIN`.
        training: Training settings; the default ones if None.

    Returns:
        Counts of cells by outcome (`hit`, `false_alarm`, `missed`, `quiet`; lives below the median are short); median
        `alarm_cycle` and `lead_cycles` of hits, from the alarm to the end of life; `p` of the number of correct
        outcomes, with everything repeated on lives permuted within cohorts. For codes also `first`, see `_first`.
    """
    fold = fold_of(study)
    sequences = None
    if method not in PLAIN:
        coders = [fit_without(study, fold == part, method, N_CODES, part, training) for part in range(study.plan.folds)]
        sequences = [study.index.split(coder.encode(study.features)) for coder in coders]
    rng = np.random.default_rng((study.plan.seed, 5))
    drawn = study.lives[permutations(study.index.cohorts, study.plan.n_alarm_orders, rng, within=True)]
    found, *chance = (_alarms(replace(study, lives=lives), sequences, method) for lives in (study.lives, *drawn))
    right = [row["hit"] + row["quiet"] for row in chance]
    found["p"] = p_value(found["hit"] + found["quiet"], np.array(right))
    return found if sequences is None else found | {"first": _first(study, sequences)}


def _alarms(study: LifeStudy, sequences: list[list[np.ndarray]] | None, method: str) -> dict[str, Any]:
    """Count cells by outcome, with medians of hits; `sequences` are codes by fold, None for a plain detector."""
    fold, lives = fold_of(study), study.lives
    cycles = study.index.split(study.table["cycle"].to_numpy())
    rows = []
    for part in range(study.plan.folds):
        train = np.flatnonzero(fold != part)
        short = lives < np.median(lives[train])
        if sequences is None:
            scores = _plain(study, method)
            of_train = [scores[c] for c in train]
            threshold = calibrate(of_train, _ends(of_train, short[train]), np.inf)
        else:
            codes = sequences[part]
            inner = balanced_folds(study.index.cohorts[train], study.plan.inner_folds, np.random.default_rng(part))
            precursor = precursor_of(study, _shares(codes), train)
            fitted = calibrated_to_short([codes[c] for c in train], short[train], N_CODES, precursor, inner)
            scores, threshold = [fitted.score(sequence) for sequence in codes], fitted.threshold
        for c in np.flatnonzero(fold == part):
            alarm = first_alarm(scores[c], threshold)
            judged = outcome(alarm, len(scores[c]) if short[c] else np.nan, np.inf)
            cycle = np.nan if alarm is None else float(cycles[c][alarm])
            rows.append((judged, cycle, lives[c] - cycle))
    judged_all = [row[0] for row in rows]
    hits = np.array([row[1:] for row in rows if row[0] == "hit"]).reshape(-1, 2)
    medians = np.median(hits, axis=0) if len(hits) else (np.nan, np.nan)
    counts = {name: judged_all.count(name) for name in OUTCOMES}
    return counts | {"alarm_cycle": float(medians[0]), "lead_cycles": float(medians[1])}


def _first(study: LifeStudy, sequences: list[list[np.ndarray]]) -> dict[str, Any]:
    """Find when the code of short lives, chosen without the cell, first fires in it, and how long before its end.

    Returns:
        `cells` in which it fires, medians of the `cycle` and of the `lead_cycles` to the end of life, and `p` of that
        lead against randomly shifted sequences, as in `nulls.lead_times`.
    """
    fold = fold_of(study)
    first_cycle = study.table["cycle"].to_numpy()[study.index.starts[:-1]]
    active = [np.empty(0, dtype=bool)] * len(fold)
    for part, codes in enumerate(sequences):
        code = precursor_of(study, _shares(codes), np.flatnonzero(fold != part), either_sign=False)
        for c in np.flatnonzero(fold == part):
            active[c] = codes[c] == (-1 if code is None else code)
    rng = np.random.default_rng((study.plan.seed, 6))
    leads = lead_times(active, study.lives - first_cycle, study.plan.n_permutations, rng)
    if leads is None:
        return {"cells": 0, "cycle": np.nan, "lead_cycles": np.nan, "p": np.nan}
    cycle = np.nanmedian(study.lives - leads.leads)
    return {
        "cells": int(np.isfinite(leads.leads).sum()), "cycle": float(cycle), "lead_cycles": leads.median, "p": leads.p,
    }  # fmt: skip


def _shares(codes: list[np.ndarray]) -> np.ndarray:
    return np.stack([np.bincount(sequence, minlength=N_CODES) / len(sequence) for sequence in codes])


def _plain(study: LifeStudy, name: str) -> list[np.ndarray]:
    """Compute the trailing mean of a feature's negative per cell; features are relative to the beginning."""
    means = -study.table.groupby("cell_id", sort=False)[name].transform(lambda rows: rows.rolling(SMOOTH, 1).mean())
    return study.index.split(means.to_numpy())
