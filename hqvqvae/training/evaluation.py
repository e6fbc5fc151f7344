"""Leave-one-out evaluation by cell or cohort: every method on the same folds and seeds, with a new draw per fold."""

import functools
import hashlib
import itertools
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError

from ..cells.code_statistics import purity, stability
from ..cells.features import FEATURES, require_known
from .fit import TrainingConfig, single_thread
from .jobs import ALONE, Engine, run_jobs
from .methods import CODEBOOK_SIZE, METHODS, fit_method

SCHEMA_VERSION = 1
Fold = dict[str, Any]
GROUPS = {"cell": "cell_id", "cohort": "cohort"}


@dataclass(frozen=True)
class Job:
    """One fit: a method on all segments except those of one group."""

    method: str
    by: str
    held_out: str
    seed: int


def fold_seed(seed: int, by: str, held_out: str) -> int:
    """Derive the seed of one fold's fit, so that each fold draws its own weights and folds are independent draws.

    Args:
        seed: Seed of the round of folds.
        by: Kind of group that is left out.
        held_out: Name of the group.

    Returns:
        A 32-bit seed.
    """
    digest = hashlib.sha256(f"{seed}/{by}/{held_out}".encode()).digest()
    return int.from_bytes(digest[:4], "little")  # k-means takes 32 bits


def run_job(job: Job, segments: pd.DataFrame, protocol: str, training: TrainingConfig | None = None) -> Fold:
    """Fit and score one fold.

    Args:
        job: Fold, method and seed.
        segments: A table from `nasa.load_segments`.
        protocol: Protocol of the table.
        training: Training settings; the default ones if None. Each fold has its own seed.

    Returns:
        Errors `(m,)` of the held-out segments in table order (`test_errors`); and the mean error (`train_mse`), codes
        `(n,)` (`train_codes`) and `cohort_purity` of the training segments.
    """
    held_out = (segments[GROUPS[job.by]] == job.held_out).to_numpy()
    features = segments[list(FEATURES)].to_numpy(dtype=float)
    with single_thread():
        seed = fold_seed(job.seed, job.by, job.held_out)
        coder = fit_method(job.method, features[~held_out], seed, protocol=protocol, training=training)
        codes = coder.encode(features[~held_out])
        errors: Fold = {"test_errors": coder.errors(features[held_out])}
        errors["train_mse"] = float(coder.errors(features[~held_out]).mean())
    return errors | {"train_codes": codes, "cohort_purity": purity(codes, segments["cohort"].to_numpy()[~held_out])}


def evaluate(
    segments: pd.DataFrame,
    methods: tuple[str, ...] = METHODS,
    *,
    by: str = "cell",
    seeds: tuple[int, ...] = (0, 1, 2),
    protocol: str = "C",
    training: TrainingConfig | None = None,
    engine: Engine = ALONE,
) -> dict:
    """Measure methods on segments of groups that they were not fitted on.

    Args:
        segments: A table from `nasa.load_segments`.
        methods: Names from `methods.METHODS`.
        by: Group to leave out, "cell" or "cohort".
        seeds: Seeds, each for one full round of folds.
        protocol: Protocol of the table.
        training: Training settings; the default ones if None. Each fold has its own seed.
        engine: Where the fits run.

    Returns:
        A JSON-ready record; errors are mean squared errors in z units of the training segments, unrounded.

    Raises:
        MagBridgeError: If a method or kind of group is unknown, or there are fewer than two groups.
    """
    require_known("group to leave out", by, GROUPS)
    methods = tuple(dict.fromkeys(methods))  # a method given twice is measured once
    for method in methods:
        require_known("method", method, METHODS)
    groups = sorted(segments[GROUPS[by]].unique())
    if len(groups) < 2:
        raise MagBridgeError(f"leaving one {by} out needs at least two; got {groups}")
    jobs = [Job(*job) for job in itertools.product(methods, [by], groups, seeds)]
    fold = functools.partial(run_job, segments=segments, protocol=protocol, training=training)
    folds = run_jobs(fold, jobs, engine)
    results = dict(zip(jobs, folds, strict=True))
    record: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "leave_out": by, "protocol": protocol}
    record |= {"segments": len(segments), "groups": groups, "seeds": list(seeds)}
    record |= {"data_sha256": table_sha256(segments), "versions": versions(), "methods": {}}
    for method in methods:
        of_method = {job: fold for job, fold in results.items() if job.method == method}
        record["methods"][method] = _summary(segments, of_method)
    return record


def _summary(segments: pd.DataFrame, folds: dict[Job, Fold]) -> dict:
    """Summarise one method over its folds and seeds."""
    from scipy.stats import entropy

    per_seed: dict[int, np.ndarray] = {}
    for job, fold in folds.items():
        errors = per_seed.setdefault(job.seed, np.full(len(segments), np.nan))
        errors[(segments[GROUPS[job.by]] == job.held_out).to_numpy()] = fold["test_errors"]
    by_cell = pd.DataFrame(per_seed).groupby(segments["cell_id"].to_numpy()).mean()  # cells by seeds
    codes = [fold["train_codes"] for fold in folds.values()]
    shares = [np.bincount(of_fold, minlength=CODEBOOK_SIZE) / len(of_fold) for of_fold in codes]
    pairs = itertools.combinations(zip(folds, codes, strict=True), 2)
    agreement = stability([(one, two) for (job, one), (other, two) in pairs if job.held_out == other.held_out])
    pooled, median = [errors.mean() for errors in per_seed.values()], by_cell.median().tolist()
    figures: dict[str, Any] = {"test_mse_pooled": _spread(pooled), "test_mse_median_cell": _spread(median)}
    figures |= {"test_mse_by_cell": by_cell.mean(axis=1).to_dict()}
    means = {"train_mse": [fold["train_mse"] for fold in folds.values()]}
    means |= {"codes_used": [np.count_nonzero(share) for share in shares]}
    means |= {"perplexity": [np.exp(entropy(share)) for share in shares]}
    means |= {"cohort_purity": [fold["cohort_purity"] for fold in folds.values()]}
    figures |= {name: float(np.mean(values)) for name, values in means.items()}
    return figures | {f"{name}_over_seeds": None if np.isnan(value) else value for name, value in agreement.items()}


def _spread(values: list[float]) -> dict:
    values = [float(value) for value in values]
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": deviation, "per_seed": values}


def table_sha256(segments: pd.DataFrame, features: Sequence[str] = ()) -> str:
    """Hash cells, cycles and features of a table by SHA-256, as float32 so that the platform's last bits do not matter.

    The features are the paper's ten if all are present, whichever of them a model uses, else the given ones.
    """
    names = FEATURES if set(FEATURES) <= set(segments) else tuple(features)
    digest = hashlib.sha256("\n".join(segments["cell_id"]).encode())
    digest.update(segments["cycle"].to_numpy(dtype="<i8").tobytes())
    digest.update(segments[list(names)].to_numpy(dtype="<f4").tobytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions that a measured number depends on."""
    packages = ("magbridge-battery", "torch", "transformers", "scikit-learn", "numpy")
    return {"python": platform.python_version(), **{package: metadata.version(package) for package in packages}}
