"""A warning of a short life: the early-warning score of `warning_score`, fitted to lives, judged on unseen cells.

No cell of the data reaches its end within the 100 cycles that are public, so the score is asked another question than
on whole lives: will this cell last less long than the median one? An alarm is raised once, at the first cycle whose
score reaches a threshold that at most a fifth of the long-lived training cells reach.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from ...training.fit import TrainingConfig
from ...training.jobs import run_jobs
from ...training.methods import fit_method
from ..nulls import choose_and_predict
from ..warning_score import WarningScore, calibrate, first_alarm, outcome, regress, window_features
from .search import fit_seed, fold_of
from .study import TRAIN_STEP, LifeStudy, balanced_folds

DETECTORS = {
    "score": "warning score of the codes",
    "capacity": "capacity less than at the beginning",
    "v_mean_charge": "mean voltage less than at the beginning",
}
SMOOTH = 10  # segments of the trailing mean of the two plain detectors


def fit_short(codes: list[np.ndarray], short: np.ndarray, n_codes: int, precursor: int | None) -> WarningScore:
    """Fit the score to which cells are short-lived, without a threshold."""
    late, total = np.ones(n_codes), np.full(n_codes, 2.0)
    for sequence, is_short in zip(codes, short, strict=True):
        counts = np.bincount(sequence, minlength=n_codes)
        total += counts
        late += counts * is_short
    late_share = late / total
    rows = [window_features(sequence, precursor, late_share) for sequence in codes]
    labels = [np.full(len(sequence), is_short) for sequence, is_short in zip(codes, short, strict=True)]
    return regress(
        rows, labels, [np.full(len(sequence), 1 / len(sequence)) for sequence in codes], late_share, precursor
    )


def fit_calibrated(
    codes: list[np.ndarray], short: np.ndarray, n_codes: int, precursor: int | None, fold: np.ndarray
) -> WarningScore:
    """Fit on all given cells; the threshold comes from scores of cells that each fit left out."""
    scores: list[np.ndarray] = [np.empty(0)] * len(codes)
    for f in np.unique(fold):
        kept = np.flatnonzero(fold != f)
        without = fit_short([codes[c] for c in kept], short[kept], n_codes, precursor)
        for c in np.flatnonzero(fold == f):
            scores[c] = without.score(codes[c])
    fitted = fit_short(codes, short, n_codes, precursor)
    return replace(fitted, threshold=calibrate(scores, _ends(scores, short), np.inf))


def _ends(scores: list[np.ndarray], short: np.ndarray) -> np.ndarray:
    """The end of the record for short-lived cells, which an alarm must come before; NaN for the others."""
    return np.where(short, [len(score) for score in scores], np.nan)


def precursor_of(study: LifeStudy, rates: np.ndarray, cells: np.ndarray) -> int | None:
    """The code that ranks the lives of some cells best, either way; None where none is eligible."""
    usable = (rates[cells] > 0).sum(axis=0) >= study.plan.min_cells_present
    pick = choose_and_predict(study.severity[None, cells], rates[cells], rates[:0], usable, either_sign=True)[1][0]
    return None if pick < 0 else int(pick)


def _codes(part: int, study: LifeStudy, method: str, n_codes: int, training: TrainingConfig | None) -> np.ndarray:
    train = np.flatnonzero(fold_of(study)[study.index.cell] != part)[::TRAIN_STEP]
    seed = fit_seed(study.plan.seed, method, n_codes, part)
    coder = fit_method(
        method, study.features[train], seed, feature_names=study.names, training=training, n_codes=n_codes
    )
    return coder.encode(study.features)


def evaluate(
    study: LifeStudy, method: str, n_codes: int, training: TrainingConfig | None = None, **jobs: Any
) -> dict[str, Any]:
    """Raise alarms on cells that neither codes, score nor threshold have seen, beside two plain detectors.

    Args:
        study: The cells.
        method: Of the codes.
        n_codes: Size of the codebook.
        training: Other than the default.
        **jobs: `workers`, `address` and `progress` of `run_jobs`.

    Returns:
        Per detector: cells by outcome (`hit`, `false_alarm`, `missed`, `quiet`), median `alarm_cycle` and median
        `lead_cycles` from the alarm to the end of life of hits; `lives` below the median are short.
    """
    fold, cuts = fold_of(study), study.index.starts[1:-1]
    work = functools.partial(_codes, study=study, method=method, n_codes=n_codes, training=training)
    coded = run_jobs(work, list(range(study.plan.folds)), **jobs)
    plain = {name: _plain(study, name) for name in list(DETECTORS)[1:]}
    rows: dict[str, list[tuple[str, float, float]]] = {name: [] for name in DETECTORS}
    cycles = np.split(study.table["cycle"].to_numpy(), cuts)
    for part in range(study.plan.folds):
        train = np.flatnonzero(fold != part)
        limit = float(np.median(study.lives[train]))
        short = study.lives < limit
        codes = np.split(coded[part], cuts)
        shares = np.stack([np.bincount(sequence, minlength=n_codes) / len(sequence) for sequence in codes])
        inner = balanced_folds(study.index.cohorts[train], study.plan.inner_folds, np.random.default_rng(part))
        fitted = fit_calibrated(
            [codes[c] for c in train], short[train], n_codes, precursor_of(study, shares, train), inner
        )
        for name in DETECTORS:
            scores = [fitted.score(sequence) for sequence in codes] if name == "score" else plain[name]
            of_train = [scores[c] for c in train]
            threshold = (
                fitted.threshold if name == "score" else calibrate(of_train, _ends(of_train, short[train]), np.inf)
            )
            for c in np.flatnonzero(fold == part):
                alarm = None if threshold is None else first_alarm(scores[c], threshold)
                judged = outcome(alarm, len(codes[c]) if short[c] else np.nan, np.inf)
                cycle = np.nan if alarm is None else float(cycles[c][alarm])
                rows[name].append((judged, cycle, study.lives[c] - cycle))
    return {name: _summary(found) for name, found in rows.items()}


def _plain(study: LifeStudy, name: str) -> list[np.ndarray]:
    """Trailing mean of minus a feature, per cell; the features are relative to the beginning."""
    means = -study.table.groupby("cell_id", sort=False)[name].transform(lambda rows: rows.rolling(SMOOTH, 1).mean())
    return np.split(means.to_numpy(), study.index.starts[1:-1])


def _summary(rows: list[tuple[str, float, float]]) -> dict[str, Any]:
    judged = [row[0] for row in rows]
    hits = np.array([row[1:] for row in rows if row[0] == "hit"]).reshape(-1, 2)
    medians = np.median(hits, axis=0) if len(hits) else (np.nan, np.nan)
    counts = {name: judged.count(name) for name in ("hit", "false_alarm", "missed", "quiet")}
    return counts | {"alarm_cycle": float(medians[0]), "lead_cycles": float(medians[1])}
