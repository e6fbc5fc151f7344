"""Baselines for the model's codes: codes of every method on common folds, and predictors that are not codes.

A code deserves the name precursor only if it beats random codes, the age of the cell, its cohort, a single raw feature
and plain clustering. All of them go through the same analysis.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..cells.download import packaged_document
from ..cells.proxies import index_cells
from ..training.jobs import ALONE, Engine, run_jobs
from .analysis import Coding, MethodResult, Study
from .nulls import NestedResult, enough_orders, p_value, permutations, skill, spearman

if TYPE_CHECKING:
    from ..modeling_hqvqvae import HQVQVAEModel
    from ..training.fit import TrainingConfig
    from ..training.methods import Coder

AGE_BINS = 32
PRIMARY = "recommended"
LABELS: dict[str, str] = packaged_document("names.yaml")["discovery"]
TRAINED = ("recommended", "recommended-classical", "paper", "pca-kmeans", "ae-kmeans", "random")
RESERVED = ("cell_id", "cohort", "cycle", "valid", "reason", "resistance_ohm", "code")


def feature_columns(table: pd.DataFrame) -> list[str]:
    """Return a table's features: the paper's ten if all are present, else every numeric column without another role."""
    from ..cells.features import FEATURES

    if set(FEATURES) <= set(table.columns):
        return list(FEATURES)
    return [name for name in table.select_dtypes("number").columns if name not in RESERVED]


def _fitted(
    table: pd.DataFrame, method: str, seed: int, held_out: str | None = None, **options: Any
) -> tuple[Coder, np.ndarray]:
    """Fit a method without one cell, or on all cells, with `fit_method` options; return it and all rows' features."""
    from ..training.methods import fit_method

    columns = feature_columns(table)
    features = table[columns].to_numpy(dtype=float, copy=True)
    train = features if held_out is None else features[(table["cell_id"] != held_out).to_numpy()]
    return fit_method(method, train, seed, feature_names=tuple(columns), **options), features


def _codes(job: tuple[str, int, str | None], table: pd.DataFrame, **options: Any) -> np.ndarray:
    """Return the codes of all rows from a method fitted without one cell, or on all cells."""
    from ..training.fit import single_thread

    with single_thread():
        coder, features = _fitted(table, *job, **options)
        return coder.encode(features)


def reference_model(table: pd.DataFrame, method: str, seed: int, **options: Any) -> HQVQVAEModel | None:
    """Retrain the model of all cells whose codes are the reference; return None if the method is not an HQ-VQVAE.

    Args:
        table: The table that the methods are trained on; any reference window must already be subtracted.
        method: One of `methods.METHODS`.
        seed: Seed of the reference.
        **options: Options of `methods.fit_method`.
    """
    from ..training.methods import NeuralCoder

    coder, _ = _fitted(table, method, seed, **options)
    return coder.model if isinstance(coder, NeuralCoder) else None


def trained_codings(
    study: Study,
    table: pd.DataFrame,
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    protocol: str = "C",
    training: TrainingConfig | None = None,
    engine: Engine = ALONE,
) -> dict[str, list[Coding]]:
    """Train every method for every seed on all cells, and on all but each cell that takes part.

    Args:
        study: The prepared cells.
        table: Features of the segments under one protocol, with `cell_id` and `cycle`; extra segments are allowed.
        methods: Names from `methods.METHODS`.
        seeds: Training seeds.
        protocol: How the features were cleaned.
        training: Training settings; the default ones if None.
        engine: Where the fits run.

    Returns:
        One coding per seed for each method.
    """
    from ..training.methods import CODEBOOK_SIZE

    position = pd.Series(range(len(table)), index=pd.MultiIndex.from_frame(table[["cell_id", "cycle"]]))
    rows = position.loc[pd.MultiIndex.from_frame(study.segments[["cell_id", "cycle"]])].to_numpy()
    # A single cell cannot be held out: nothing would be left to train on.
    cells = list(study.index.cell_ids) if table["cell_id"].nunique() > 1 else []
    jobs = list(itertools.product(methods, seeds, [None, *cells]))
    fold = functools.partial(_codes, table=table, protocol=protocol, training=training)
    codes = run_jobs(fold, jobs, engine)
    found = {job: fold[rows] for job, fold in zip(jobs, codes, strict=True)}

    def coding(method: str, seed: int) -> Coding:
        folds = {cell: found[method, seed, cell] for cell in cells}
        return Coding(CODEBOOK_SIZE, found[method, seed, None], folds)

    return {method: [coding(method, seed) for seed in seeds] for method in methods}


def age_codes(study: Study) -> Coding:
    """Cut the cycle index into 32 equal bins: a code that depends only on age."""
    cycle = study.segments["cycle"].to_numpy(dtype=float)
    edges = np.linspace(cycle.min(), cycle.max(), AGE_BINS + 1)[1:-1]
    return Coding(AGE_BINS, np.searchsorted(edges, cycle, side="right"))


def raw_feature_control(study: Study, table: pd.DataFrame) -> MethodResult:
    """Run the nested analysis with early means of raw features, of either sign, in place of codes."""
    columns = feature_columns(table)
    joined = study.segments[["cell_id", "cycle"]].merge(table, on=["cell_id", "cycle"], how="left")
    early = index_cells(study.segments).early(study.plan.early_fraction)
    means = joined.loc[study.rows & early].groupby("cell_id", sort=False)[columns].mean().to_numpy()
    predictors = np.concatenate([means, -means], axis=1)
    shape = (1, len(means), *predictors.shape)
    nested = study.nested_test(np.broadcast_to(predictors, shape), np.ones(shape[:2] + shape[3:], dtype=bool))
    return MethodResult("raw-feature", LABELS["raw-feature"], 0, nested)


def cohort_control(study: Study) -> MethodResult:
    """Predict each cell by the mean proxy of its cohort's other cells, or of all other cells if it is alone.

    No permutation within cohorts can test this control, because it depends only on the cohort.
    """
    result = MethodResult("cohort-mean", LABELS["cohort-mean"], 0, None)
    n = len(study.proxy)
    if n < 3 or np.ptp(study.proxy) == 0:
        return result
    same = study.index.cohorts[:, None] == study.index.cohorts[None, :]
    np.fill_diagonal(same, False)
    alone = ~same.any(axis=1)
    same[alone] = ~np.eye(n, dtype=bool)[alone]
    weights = same / same.sum(axis=1, keepdims=True)
    drawn = permutations(study.index.cohorts, study.plan.n_permutations, study.rng(), within=False)
    orders = np.concatenate([study.proxy[None], study.proxy[drawn]])
    predictions = orders @ weights.T
    rho = spearman(predictions, orders)
    p_free = p_value(rho[0], rho[1:]) if enough_orders(study.index.cohorts, within=False) else np.nan
    unknown: dict[str, Any] = {"p_within": np.nan, "p_within_seeds": np.array([np.nan])}
    unknown["chosen"] = np.zeros((1, n), dtype=int)
    r2 = skill(predictions[0], study.proxy)
    nested = NestedResult(float(rho[0]), rho[:1], r2, p_free, predictions=predictions[:1], **unknown)
    return MethodResult("cohort-mean", LABELS["cohort-mean"], 0, nested)
