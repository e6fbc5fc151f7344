"""Compare learners for the recipe without using any test cell, by cross-validation by cell on other releases.

    python -m bridge build --seed 11 --out fresh/11        (and so on)
    python perf/selection.py fresh/11 fresh/12 fresh/13

Only training and validation cells are used. Features are fitted to the clean rows of every training fold. The output
has each learner's mean score over releases (T1: R2, T3 and T4: balanced accuracy) and its distance from the best, with
the standard error of that difference. T2 is T1 with a threshold, and T3's gate handles Regime-B.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from benchmark import Subset, load_task
from benchmark.baselines.matched import MatchedFeatures
from benchmark.baselines.noise_level import NoiseLevelFeatures
from benchmark.baselines.recipe import REGIME_B, boosting, forest, logistic, ratios

FOLDS = 5


def members(task: str, names: np.ndarray) -> dict:
    """Return the single learners of a task."""
    if task == "t3":
        return {
            "logistic C=0.3": logistic(0.3),
            "logistic C=3": logistic(3),
            "boosting 60x4": boosting(60, 4, seed=0),
            "boosting 60x8": boosting(60, 8, seed=0),
            "boosting 150x4": boosting(150, 4, seed=0),
        }
    return {
        "ratios C=3": ratios(names, 3),
        "ratios C=30": ratios(names, 30),
        "logistic C=0.1": logistic(0.1),
        "boosting 60x4": boosting(60, 4, seed=0),
        "forest": forest(seed=0),
    }


REGRESSIONS = [(n, 0.1, 0.002, 0.005) for n in (1, 2, 3)] + [
    (1, C, gamma, epsilon)
    for C, gamma, epsilon in (
        (0.03, 0.002, 0.005),
        (0.3, 0.002, 0.005),
        (0.1, 0.001, 0.005),
        (0.1, 0.004, 0.005),
        (0.1, 0.002, 0.0025),
        (0.1, 0.002, 0.01),
    )
]
"""Settings of the regressions: number of background components, C, gamma and epsilon."""

VOTES = {
    "t3": (
        ("logistic C=3", "boosting 60x4"),
        ("logistic C=3", "boosting 60x8"),
        ("logistic C=3", "boosting 150x4"),
        ("logistic C=0.3", "boosting 60x4"),
        ("logistic C=3", "boosting 60x4", "boosting 150x4"),
    ),
    "t4": (
        ("ratios C=30", "forest"),
        ("ratios C=3", "forest"),
        ("ratios C=30", "boosting 60x4"),
        ("logistic C=0.1", "forest"),
        ("ratios C=30", "logistic C=0.1", "forest"),
        ("ratios C=30", "forest", "boosting 60x4"),
    ),
}


def soh_scores(release: Path) -> dict[str, float]:
    """Compute the R2 of support vector regressions over the held-out rows of all folds."""
    data = load_task("t1", release)
    rows = Subset.concatenate([data.train, data.validation])
    predictions: dict[str, np.ndarray] = {}
    for train, test in GroupKFold(FOLDS).split(rows.signals, groups=rows.battery_ids):
        for components in {n for n, *_ in REGRESSIONS}:
            inputs = make_pipeline(NoiseLevelFeatures(components), StandardScaler()).fit(rows.signals[train])
            inputs = inputs.transform(rows.signals)
            for n, C, gamma, epsilon in REGRESSIONS:
                if n == components:
                    name = f"components {n}, C={C}, gamma={gamma}, epsilon={epsilon}"
                    svr = SVR(C=C, gamma=gamma, epsilon=epsilon).fit(inputs[train], rows.target[train])
                    predictions.setdefault(name, np.zeros(len(rows)))[test] = svr.predict(inputs[test])
    return {name: r2_score(rows.target, prediction) for name, prediction in predictions.items()}


def class_scores(task: str, release: Path) -> dict[str, float]:
    """Compute the balanced accuracy of every learner and vote over the held-out rows of all folds."""
    data = load_task(task, release)
    rows = Subset.concatenate([data.train, data.validation])
    rows = rows.take(rows.target != REGIME_B)  # handled by the gate
    clean_of = data.load_clean()
    clean = Subset.concatenate([clean_of["train"], clean_of["validation"]])
    shares: dict[str, np.ndarray] = {}
    for train, test in GroupKFold(FOLDS).split(rows.signals, groups=rows.battery_ids):
        features = MatchedFeatures().fit(clean.signals[np.isin(clean.battery_ids, rows.battery_ids[train])])
        inputs = features.transform(rows.signals)
        for name, learner in members(task, features.get_feature_names_out()).items():
            learner = clone(learner).fit(inputs[train], rows.target[train])
            share = shares.setdefault(name, np.zeros((len(rows), len(learner.classes_))))
            share[test] = learner.predict_proba(inputs[test])
    shares |= {" + ".join(vote): sum(shares[name] for name in vote) for vote in VOTES[task]}
    classes = np.unique(rows.target)
    return {n: float(balanced_accuracy_score(rows.target, classes[s.argmax(axis=1)])) for n, s in shares.items()}


def main() -> None:
    """Print one table per task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("releases", type=Path, nargs="+", help="releases with other master seeds")
    parser.add_argument("--tasks", nargs="+", choices=("t1", "t3", "t4"), default=("t1", "t3", "t4"))
    arguments = parser.parse_args()
    for task in arguments.tasks:
        with threadpool_limits(1):
            score = soh_scores if task == "t1" else partial(class_scores, task)
            found = [score(release) for release in arguments.releases]
        table = {name: np.array([f[name] for f in found]) for name in found[0]}
        ordered = sorted(table, key=lambda name: -table[name].mean())
        best = table[ordered[0]]
        print(f"{task}: mean score over {len(found)} releases")
        for name in ordered:
            behind = best - table[name]
            error = behind.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
            print(f"  {table[name].mean():.4f}  {behind.mean():.4f} ± {error:.4f} behind  {name}")


if __name__ == "__main__":
    main()
