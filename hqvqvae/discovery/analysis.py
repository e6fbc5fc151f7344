"""Precursor discovery: the paper's protocol (section 3.5, Tables 2 and 10) and the nested, selection-free analysis.

The primary result is nested: for each held-out cell, a code is chosen and a line fitted on the other cells, with a
model that never saw it; the pooled predictions are tested by permuting the whole procedure. The paper's tables choose
the best code on the same cells that they then describe; they are shown as well, with p adjusted for the choice.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError

from ..cells.code_statistics import align, code_rates, frequency_table, purity, stability, usage
from ..cells.proxies import FEWEST_SEGMENTS, CellIndex, cell_table, index_cells, valid_segments
from .nulls import LeadTimes, NestedResult, lead_times, max_statistic, nested_test, spearman


@dataclass(frozen=True)
class DiscoveryPlan:
    """Choices fixed before the run and written into its report.

    Attributes:
        proxy: Degradation proxy, one of `PROXIES`.
        early_fraction: Early window, as a share of a cell's segments (paper, Table 10: 0.3).
        min_cells_present: A code is eligible if at least this many cells have it.
        min_segments: Cells with fewer valid segments are left out of the association (20 leaves the paper's 18).
        reference_window: First and last segment of each cell, from 1, whose mean is subtracted from the features;
            segments up to the last one are used for proxies only. None for unchanged features.
        alpha: Significance level of p.
        n_permutations: Draws per null.
        seed: Seed of the nulls.
    """

    proxy: str = "fade"
    early_fraction: float = 0.3
    min_cells_present: int = 6
    min_segments: int = 20
    reference_window: tuple[int, int] | None = None
    alpha: float = 0.05
    n_permutations: int = 1999
    seed: int = 0

    def __post_init__(self):
        life = f"at least {FEWEST_SEGMENTS}, because a shorter life has no meaningful early window or last third"
        for name, holds, expected in (
            ("early_fraction", 0 < self.early_fraction < 1, "a share between 0 and 1"),
            ("min_segments", self.min_segments >= FEWEST_SEGMENTS, life),
            ("min_cells_present", self.min_cells_present >= 1, "at least 1"),
            ("n_permutations", self.n_permutations >= 99, "at least 99, because fewer cannot show p < 0.05 reliably"),
        ):
            if not holds:
                raise MagBridgeError(f"{name} is {getattr(self, name)}: expected {expected}")
        if self.beginning >= self.min_segments:
            expected = f"a segment before min_segments, {self.min_segments}, so that every cell has later ones"
            raise MagBridgeError(f"the reference ends with segment {self.beginning}: expected {expected}")

    @property
    def beginning(self) -> int:
        """Number of segments up to the end of the reference window; 0 without one."""
        return 0 if self.reference_window is None else self.reference_window[1]


@dataclass(frozen=True)
class Coding:
    """Codes assigned to all valid segments by one method, trained with one seed.

    Attributes:
        n_codes: Size of the codebook, K.
        reference: Codes from the model trained on all cells, (N,).
        folds: Per held-out cell, codes of all segments from the model trained without it, (N,) each. Empty for given
            codes: held-out cells may then have taken part in training.
    """

    n_codes: int
    reference: np.ndarray
    folds: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        for codes in (self.reference, *self.folds.values()):
            if len(codes) != len(self.reference) or codes.min() < 0 or codes.max() >= self.n_codes:
                expected = f"{len(self.reference)} codes from 0 to {self.n_codes - 1}"
                raise MagBridgeError(f"{len(codes)} codes from {codes.min()} to {codes.max()}: expected {expected}")

    def fold(self, cell_id: str) -> np.ndarray:
        """Return codes of all segments (N,) from the model trained without this cell."""
        return self.folds.get(cell_id, self.reference)


@dataclass(frozen=True)
class Study:
    """The cells under one plan, prepared once for all methods.

    Attributes:
        plan: The choices fixed beforehand.
        segments: All valid segments after the reference window, (N rows).
        cells: One row per cell, with the reason if it is left out.
        rows: Mask of the segments of cells that take part, (N,) bool.
        index: Those cells and their segments.
        proxy: Proxy of each cell that takes part, (C,).
        onsets: Position of the onset of degradation among the cell's segments, NaN if never, (C,).
        early_drop: Relative capacity drop at the end of the early window, (C,).
    """

    plan: DiscoveryPlan
    segments: pd.DataFrame
    cells: pd.DataFrame
    rows: np.ndarray
    index: CellIndex
    proxy: np.ndarray
    onsets: np.ndarray
    early_drop: np.ndarray

    def rng(self) -> np.random.Generator:
        """Return a fresh generator, so that every method gets the same permutations."""
        return np.random.default_rng(self.plan.seed)

    def nested_test(self, predictors: np.ndarray, eligible: np.ndarray) -> NestedResult | None:
        """Predict each cell's proxy from the other cells by `nulls.nested_test`."""
        cohorts, draws = self.index.cohorts, self.plan.n_permutations
        return nested_test(self.proxy, predictors, eligible, cohorts, draws, self.rng())

    def leads(self, active: list[np.ndarray]) -> LeadTimes | None:
        """Compute lead times of a code, given its active segments per cell, with their circular-shift null."""
        return lead_times(active, self.onsets, self.plan.n_permutations, self.rng())

    def by_cell(self, codes: np.ndarray) -> list[np.ndarray]:
        """Split the codes of all segments (N,) by cell, for cells that take part."""
        return self.index.split(codes[self.rows])


def prepare(segments: pd.DataFrame, plan: DiscoveryPlan) -> Study:
    """Index the valid segments and compute the plan's proxy for every cell.

    Args:
        segments: One row per discharge segment: `cell_id`, `cohort`, `cycle`, `capacity` [Ah], `valid` and, for the
            resistance proxies, `resistance_ohm` if known.
        plan: The choices fixed before the run.

    Raises:
        MagBridgeError: If the table is malformed or no cell can take part.
    """
    segments = valid_segments(segments)
    cells = cell_table(segments, plan.proxy, min_segments=plan.min_segments, early_fraction=plan.early_fraction)
    if plan.reference_window is not None:
        segments = segments[segments.groupby("cell_id").cumcount() >= plan.beginning].reset_index(drop=True)
        cells = cells[cells["n_segments"] > plan.beginning].reset_index(drop=True)
        cells["onset"] = (cells["onset"] - plan.beginning).clip(lower=0)
    used = cells[cells["left_out"] == ""]
    rows = segments["cell_id"].isin(used["cell_id"]).to_numpy()
    index = index_cells(segments[rows].reset_index(drop=True))
    proxy, onsets, early_drop = (used[name].to_numpy(dtype=float) for name in ("proxy", "onset", "early_drop"))
    return Study(plan, segments, cells, rows, index, proxy, onsets, early_drop)


def early_rates(study: Study, codes: np.ndarray, n_codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the early rate r_ck of every code in every cell, and whether the cell has the code at all.

    Args:
        study: The prepared cells.
        codes: Code of every segment of the cells that take part, `(study.rows.sum(),)`.
        n_codes: Size of the codebook, K.

    Returns:
        Early rates (C, K) and presence (C, K) bool.
    """
    early = study.index.early(study.plan.early_fraction)
    return code_rates(study.index, codes, n_codes, early), code_rates(study.index, codes, n_codes) > 0


def nested_analysis(study: Study, codings: Sequence[Coding]) -> NestedResult | None:
    """Choose, fit and predict without the held-out cell, for all training seeds.

    Args:
        study: The prepared cells.
        codings: One per training seed.

    Returns:
        The nested result; None if no code is eligible.
    """
    predictors, eligible = [], []
    for coding in codings:
        rates, usable = [], []
        for c, cell_id in enumerate(study.index.cell_ids):
            rate, present = early_rates(study, coding.fold(cell_id)[study.rows], coding.n_codes)
            rates.append(rate)
            usable.append(np.delete(present, c, axis=0).sum(axis=0) >= study.plan.min_cells_present)
        predictors.append(rates)
        eligible.append(usable)
    return study.nested_test(np.array(predictors), np.array(eligible))


def held_out_codes(study: Study, coding: Coding) -> tuple[np.ndarray, float]:
    """Return each cell's codes from the model trained without it, in the reference model's names.

    Returns:
        Codes (N,), and the share of held-out segments with the same code from the reference model (NaN without folds).
    """
    codes = coding.reference.copy()
    cell_of = study.segments["cell_id"].to_numpy()
    alike = []
    for cell_id, fold in coding.folds.items():
        mine = cell_of == cell_id
        codes[mine] = _names(study, coding, cell_id)[fold[mine]]
        alike.append(codes[mine] == coding.reference[mine])
    return codes, float(np.mean(np.concatenate(alike))) if alike else np.nan


def _names(study: Study, coding: Coding, cell_id: str) -> np.ndarray:
    """Return the reference model's name of every code of the fold without this cell, (K,)."""
    shared = (study.segments["cell_id"] != cell_id).to_numpy()
    return align(coding.reference, coding.fold(cell_id), coding.n_codes, shared)


def chosen_names(study: Study, coding: Coding, chosen: np.ndarray) -> np.ndarray:
    """Translate the codes chosen by the folds, (C,), into the reference model's names; -1 means none."""
    pairs = zip(study.index.cell_ids, chosen, strict=True)
    return np.array([_names(study, coding, cell)[code] if code >= 0 else -1 for cell, code in pairs])


def code_table(study: Study, codes: np.ndarray, n_codes: int) -> tuple[pd.DataFrame, float]:
    """Compute the paper's Table 2 with its null: one row per code that occurs, best Spearman first.

    Args:
        study: The prepared cells.
        codes: Code of every valid segment, (N,).
        n_codes: Size of the codebook.

    Returns:
        A table of `code`, frequency and persistence (`frequency_table`), `cells_early`, `early_rate_mean` and `_std`
        over all cells taking part, `eligible`, `pearson` and `spearman` with the proxy, `p_free` and `p_within`
        adjusted by the maximum over eligible codes, `sensitivity` (Spearman of the early rate with the early capacity
        drop) and its `sensitivity_p_within`; and the Spearman of the best code by chance (95 % point, free
        permutation).
    """
    kept = codes[study.rows]
    rates, present = early_rates(study, kept, n_codes)
    eligible = present.sum(axis=0) >= study.plan.min_cells_present
    shared = (rates, eligible, study.index.cohorts, study.plan.n_permutations)
    late = max_statistic(study.proxy, *shared, study.rng())
    known = np.isfinite(study.early_drop).all()
    early = max_statistic(study.early_drop if known else np.zeros(len(rates)), *shared, study.rng())
    table = frequency_table(study.index, kept, n_codes)
    code = table["code"].to_numpy()
    centred = rates - rates.mean(axis=0)
    proxy = study.proxy - study.proxy.mean()
    norm = np.sqrt((centred**2).sum(axis=0) * (proxy**2).sum())
    pearson = np.divide(proxy @ centred, norm, out=np.full(n_codes, np.nan), where=norm > 0)
    of_codes = {"cells_early": (rates > 0).sum(axis=0), "early_rate_mean": rates.mean(axis=0)}
    of_codes |= {"early_rate_std": rates.std(axis=0), "eligible": eligible}
    of_codes |= {"pearson": np.where(np.isfinite(late.rho), pearson, np.nan), "spearman": late.rho}
    of_codes |= {"p_free": late.p_free, "p_within": late.p_within}
    of_codes |= {"sensitivity": early.rho, "sensitivity_p_within": early.p_within}
    table = table.assign(**{name: values[code] for name, values in of_codes.items()})
    table = table.sort_values(["spearman", "code"], ascending=[False, True], na_position="last")
    return table.reset_index(drop=True), late.chance


def nested_leads(study: Study, coding: Coding, chosen: np.ndarray) -> LeadTimes | None:
    """Compute lead times of the code that each cell's fold chose without it; `chosen` is (C,), -1 for none."""
    pairs = enumerate(study.index.cell_ids)
    return study.leads([study.by_cell(coding.fold(cell))[c] == chosen[c] for c, cell in pairs])


@dataclass(frozen=True)
class MethodResult:
    """The association of one method's codes with the proxy.

    Attributes:
        name: Name of the method.
        label: The method in words.
        n_codes: Size of its codebook; 0 for a predictor that is not a code.
        nested: The primary result; None if no code is eligible.
        table: The paper's Table 2 on held-out, aligned codes of the first seed; empty without codes.
        chance: Spearman of the best of these codes by chance (95 % point, cells permuted freely).
        summary: The paper's Table 10 for the best code; None if no code is eligible.
        leads: Lead times of the best code of the table; None if no cell has both an activation and an onset.
        nested_leads: The same for the codes chosen without the held-out cell.
        chosen: Those codes in the reference model's names, (C,), -1 for none; from the first seed that has any.
        codes: Held-out, aligned codes of every valid segment, (N,).
        quality: Usage, purity, stability and agreement.
    """

    name: str
    label: str
    n_codes: int
    nested: NestedResult | None
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    chance: float = np.nan
    summary: dict[str, float] | None = None
    leads: LeadTimes | None = None
    nested_leads: LeadTimes | None = None
    chosen: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))
    codes: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))
    quality: dict[str, float] = field(default_factory=dict)

    @property
    def candidate(self) -> int | None:
        """The best code of the table; None if no code is eligible."""
        return None if self.summary is None else int(self.summary["precursor_code"])


def summarise(study: Study, table: pd.DataFrame) -> dict[str, float] | None:
    """Compute the paper's Table 10 for the code with the largest Spearman.

    Args:
        study: The prepared cells.
        table: The table from `code_table`.

    Returns:
        The table's values by the paper's names; None if no code is eligible.
    """
    if not len(table) or not np.isfinite(table["spearman"].iloc[0]):
        return None
    best = table.iloc[0]
    found = {"precursor_code": int(best["code"]), "early_ratio": study.plan.early_fraction}
    found |= {"cells_total": len(study.index.cell_ids), "cells_present": int(best["cells_present"])}
    return found | {name: float(best[name]) for name in ("early_rate_mean", "early_rate_std")}


def analyse(study: Study, name: str, label: str, codings: Sequence[Coding]) -> MethodResult:
    """Run the whole analysis on one method's codes.

    Args:
        study: The prepared cells.
        name: Name of the method.
        label: The method in words.
        codings: One per training seed; the tables use the first, the primary result and stability use all.

    Returns:
        The method's result.
    """
    first, cell_of = codings[0], study.segments["cell_id"].to_numpy()
    codes, agreement = held_out_codes(study, first)
    table, chance = code_table(study, codes, first.n_codes)
    summary = summarise(study, table)
    leads = study.leads([own == summary["precursor_code"] for own in study.by_cell(codes)]) if summary else None
    nested = nested_analysis(study, codings)
    chosen, unseen_leads = np.empty(0, dtype=int), None
    if nested:
        answered = int(np.flatnonzero(np.isfinite(nested.rho_seeds))[0])
        chosen = chosen_names(study, codings[answered], nested.chosen[answered])
        unseen_leads = nested_leads(study, codings[answered], nested.chosen[answered])
    fold_pairs = [(c.reference[cell_of != cell], f[cell_of != cell]) for c in codings for cell, f in c.folds.items()]
    seed_pairs = [(a.reference, b.reference) for a, b in itertools.combinations(codings, 2)]
    quality = {key: float(np.mean([usage(c.reference, c.n_codes)[key] for c in codings])) for key in USAGE}
    quality["cohort_purity"] = purity(codes, study.segments["cohort"].to_numpy())
    quality["cell_purity"] = purity(codes, cell_of)
    for over, pairs in (("seeds", seed_pairs), ("folds", fold_pairs)):
        quality |= {f"{measure}_{over}": value for measure, value in stability(pairs).items()}
    quality["agreement"] = agreement
    found = (table, chance, summary, leads, unseen_leads, chosen, codes, quality)
    return MethodResult(name, label, first.n_codes, nested, *found)


USAGE = ("codes_used", "utilisation", "perplexity")


def proxy_by_cohort(study: Study) -> float:
    """Compute the Spearman of the proxy with its cohort's mean, to show how much the cohort already explains."""
    means = pd.Series(study.proxy).groupby(study.index.cohorts).transform("mean").to_numpy()
    return float(spearman(means, study.proxy))
