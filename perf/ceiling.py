"""Estimates how far any model can get: learners on many fresh rows from the generator.

    python -m bridge build --seed 1 --out fresh/1        (and so on)
    python perf/ceiling.py magbridge-battery --fresh fresh/1 fresh/2 --out benchmark/results

Training rows are the clean rows of the training and validation cells in releases of other master seeds, fresh faults
injected into them, and those releases' Regime-B rows; none is a row of a test cell. Scored on the official test rows.
A lower estimate of the best possible score, not a proof. Filed under the protocol `ceiling`, never ranked.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from benchmark import Model, Subset, TaskData, evaluate_model, get_task, load_task
from benchmark.baselines.matched import MatchedFeatures
from benchmark.baselines.noise_level import NoiseLevelFeatures
from benchmark.baselines.recipe import SYNTHETIC, NoiseLevelRegressor, SecondLifeThreshold
from benchmark.results import write_result
from bridge.anomalies import inject
from dataset_card.schema import SYNTHETIC_SUBTYPES

FAULTS_A_ROW = 2
"""Different faults injected into each fresh clean row."""

TREES, LEAVES, BINS = 150, 15, 64


class FreshLearner:
    """T3 and T4: gradient boosting on all noise-level and matched features and the level distance."""

    def fit(self, signals: np.ndarray, target: np.ndarray, *, clean: Subset) -> FreshLearner:
        """Fits features on `clean`, trees on all rows."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.transformers = (NoiseLevelFeatures().fit(clean.signals), MatchedFeatures().fit(clean.signals))
        self.trees = HistGradientBoostingClassifier(
            max_iter=TREES,
            max_leaf_nodes=LEAVES,
            max_bins=BINS,
            class_weight="balanced",
            early_stopping=False,
            random_state=0,
        ).fit(self._features(signals), target)
        return self

    def predict(self, signals: np.ndarray) -> np.ndarray:
        """Labels, (n,)."""
        return self.trees.predict(self._features(signals))

    def _features(self, signals: np.ndarray) -> np.ndarray:
        distance = self.transformers[1].background_.distance(signals)[:, None]
        return np.concatenate([*(t.transform(signals) for t in self.transformers), distance], axis=1)


LEARNERS = {"t1": NoiseLevelRegressor, "t2": SecondLifeThreshold, "t3": FreshLearner, "t4": FreshLearner}
"""For T1 and T2 the recipe's own: boosting on all features stays below it even on fresh rows."""


def fresh_clean(releases: list[Path], target: str) -> Subset:
    """Clean rows of training and validation cells."""
    rows = [load_task({"soh": "t1", "second_life_class": "t2"}[target], folder) for folder in releases]
    return Subset.concatenate([s for data in rows for s in (data.train, data.validation)])


def fresh_faults(clean: Subset, seed: int = 0) -> Subset:
    """Faults of uniform severity injected into every clean row; targets are subtypes."""
    rng = np.random.default_rng(seed)
    signals, subtypes = [], []
    for x in clean.signals:
        for fault in rng.choice(SYNTHETIC_SUBTYPES, FAULTS_A_ROW, replace=False):
            signals.append(inject(x, str(fault), float(rng.uniform(0.2, 1.0)), int(rng.integers(2**31))))
            subtypes.append(str(fault))
    return Subset(
        *(np.repeat(a, FAULTS_A_ROW) for a in (clean.sample_ids, clean.cell_ids)), np.stack(signals), np.array(subtypes)
    )


def fresh_rows(task: str, releases: list[Path], clean: Subset) -> Subset:
    """Training rows of one task."""
    if task in ("t1", "t2"):
        return fresh_clean(releases, get_task(task).target)
    faults = fresh_faults(clean)
    if task == "t4":
        return faults
    regime_b = [
        s.take(s.target == "bridge_extrapolation") for folder in releases for s in load_task("t3", folder).subsets()
    ]
    labels = np.full(len(clean), "none"), np.full(len(faults), SYNTHETIC)
    grounded = [dataclasses.replace(rows, target=label) for rows, label in zip((clean, faults), labels)]
    return Subset.concatenate([*grounded, *regime_b])


def main() -> None:
    """Prints and files one result a task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path, help="release whose test rows are scored")
    parser.add_argument("--fresh", type=Path, nargs="+", required=True, help="releases of other master seeds")
    parser.add_argument("--out", type=Path, help="folder for result files")
    arguments = parser.parse_args()
    clean = fresh_clean(arguments.fresh, "soh")
    for task in ("t1", "t2", "t3", "t4"):
        data, rows = load_task(task, arguments.release), fresh_rows(task, arguments.fresh, clean)
        learner = (
            "The recipe" if task in ("t1", "t2") else f"Boosting ({TREES} trees of {LEAVES} leaves) on its features"
        )
        model = Model(
            "fresh-rows",
            (task,),
            lambda seed, t: LEARNERS[t.id](),
            f"{learner}, fitted on {len(rows)} fresh generator rows: a lower estimate of what is reachable.",
            None,
            "full",
            (0,),
        )
        fresh = TaskData(
            data.task, rows, None, data.test, data.split, data.dataset, load_clean=lambda: {"train": clean}
        )
        result = dataclasses.replace(evaluate_model(task, model, fresh), protocol="ceiling")
        print(
            f"{task}: {result.headline} {result.mean():.4f} from {len(rows)} fresh rows, {result.seconds:.0f} s",
            flush=True,
        )
        if arguments.out:
            write_result(result, arguments.out, predictions=False)


if __name__ == "__main__":
    main()
