"""The verdict of a discovery run in plain words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..cells.proxies import PROXIES
from .analysis import MethodResult, Study, proxy_by_cohort
from .nulls import distinct_permutations, enough_orders
from .warning_score import DETECTORS, HORIZON, WarningEvaluation


def p_text(p: float) -> str:
    """A p as it is printed: three digits, or below the smallest that three digits show."""
    if not np.isfinite(p):
        return "not testable"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _p_equals(name: str, p: float) -> str:
    text = p_text(p)
    return f"{name} {text}" if text[0] in "<n" else f"{name} = {text}"


def is_precursor(study: Study, result: MethodResult) -> bool:
    """Whether the nested analysis finds a precursor: unseen cells predicted beyond what their cohort tells."""
    return result.nested is not None and result.nested.finds_precursor(study.plan.alpha)


def headline(study: Study, result: MethodResult) -> str:
    """One sentence that answers the question of the run."""
    plan = study.plan
    proxy = PROXIES[plan.proxy].label
    cells = len(study.index.cell_ids)
    if cells < 3:
        return (
            f"No association can be tested: only {cells} cell{'s' * (cells != 1)} can take part, and predicting a cell "
            "that was left out needs at least 3."
        )
    if np.ptp(study.proxy) == 0:
        return f"No association can be tested: {proxy} is the same in all {cells} cells."
    nested = result.nested
    if nested is None:
        return (
            f"No candidate: no code is held by at least {plan.min_cells_present} cells with a varying early rate, so "
            f"none of them can stand for {proxy} across cells. The answer is none, not zero."
        )
    tested = f"rho = {nested.rho:.2f}, {_p_equals('pF', nested.p_free)}, {_p_equals('pW', nested.p_within)}"
    if is_precursor(study, result):
        codes, counts = np.unique(result.chosen[result.chosen >= 0], return_counts=True)
        often = f"code {codes[counts.argmax()]}, chosen in {counts.max()} of {cells} folds"
        return (
            f"A precursor was found: the early rate of {often}, predicts {proxy} of unseen cells beyond what the "
            f"cohort tells ({tested})."
        )
    if not np.isfinite(nested.p_free):
        return f"{cells} cells are too few to test whether a code predicts {proxy} (rho = {nested.rho:.2f})."
    if nested.rho > 0 and nested.p_free < plan.alpha:
        if not np.isfinite(nested.p_within):
            return (
                f"The codes predict {proxy} on unseen cells when cells are exchanged freely ({tested}), but the "
                "cohorts are too small to tell a precursor from a mark of the cohort. This is no evidence of a "
                "precursor."
            )
        return (
            f"No code predicts {proxy} on unseen cells beyond what the cohort tells ({tested}). Taken without "
            "regard to cohorts it would seem so: that is how cohorts that differ mislead."
        )
    if nested.p_within < plan.alpha:
        lack = "follow it across cells" if nested.rho <= 0 else "beat those of freely exchanged ones"
        return (
            f"No precursor established: predictions of {proxy} on unseen cells beat those of cells exchanged within "
            f"cohorts but do not {lack} ({tested}); a precursor must do all of it."
        )
    if np.isfinite(nested.p_within):
        return f"No code predicts {proxy} on unseen cells beyond what the cohort tells ({tested})."
    return f"No code predicts {proxy} on unseen cells ({tested})."


def verdict(
    study: Study,
    primary: MethodResult,
    controls: Mapping[str, MethodResult],
    warning: WarningEvaluation | None,
    *,
    trained_apart: bool,
) -> list[str]:
    """The verdict: the headline first, then what a reader needs to weigh it.

    Args:
        study: The prepared cells.
        primary: Result of the method in question.
        controls: Results of the controls by name.
        warning: Evaluation of the warning score, where there is one.
        trained_apart: Whether held-out cells took no part in training.

    Returns:
        Sentences.
    """
    sentences = [headline(study, primary)]
    proxy = PROXIES[study.plan.proxy].label
    sentences += _beside_controls(primary, controls, proxy)
    sentences += _about_seeds(study, primary)
    sentences += _about_table(study, primary)
    purity = primary.quality.get("cohort_purity", np.nan)
    cells, cohorts = study.segments["cell_id"].nunique(), study.segments["cohort"].value_counts(normalize=True)
    if primary.quality.get("codes_used") == 1:
        sentences.append("All segments carry one code: this codebook has collapsed and says nothing about any cell.")
    elif 1 < len(cohorts) < cells:
        sentences.append(
            f"The code of a segment names its cohort in {purity:.0%} of cases (always guessing the largest cohort: "
            f"{cohorts.max():.0%}); the mean of the cohort follows {proxy} with Spearman {proxy_by_cohort(study):.2f}."
        )
    sentences += _about_cohorts(study)
    sentences += _about_leads(primary)
    sentences += _about_warning(primary, warning)
    if not trained_apart:
        sentences.append(
            "The codes were given from outside, so the cells that are predicted may have taken part in training the "
            "codebook; the choice of the code is nested, the training is not."
        )
    left_out = study.cells[study.cells["left_out"] != ""]
    if len(left_out):
        reasons = "; ".join(f"{row.cell_id} ({row.left_out})" for row in left_out.itertuples())
        sentences.append(f"Left out of the association: {reasons}.")
    return sentences


def _beside_controls(primary: MethodResult, controls: Mapping[str, MethodResult], proxy: str) -> list[str]:
    if primary.nested is None:
        known = [(c.label, c.nested) for c in controls.values() if c.nested is not None]
        if not known:
            return []
        label, best = max(known, key=lambda control: control[1].rho)
        return [
            f"Of the controls, {label} predicts {proxy} of unseen cells best (rho = {best.rho:.2f}, "
            f"{_p_equals('pF', best.p_free)}, {_p_equals('pW', best.p_within)})."
        ]
    better = [
        f"{c.label} ({c.nested.rho:.2f})"
        for c in controls.values()
        if c.nested is not None and c.nested.rho >= primary.nested.rho
    ]
    if not better:
        return [f"No control predicts {proxy} of unseen cells as well (rho = {primary.nested.rho:.2f})."]
    names = ", ".join(better)
    return [f"Controls that predict unseen cells at least as well (rho = {primary.nested.rho:.2f}): {names}."]


def _about_seeds(study: Study, primary: MethodResult) -> list[str]:
    if primary.nested is None or len(primary.nested.rho_seeds) < 2:
        return []
    p = primary.nested.p_within_seeds
    seeds = ", ".join(
        "none" if not np.isfinite(r) else f"{r:.2f} ({_p_equals('pW', q)})"
        for r, q in zip(primary.nested.rho_seeds, p, strict=True)
    )
    alpha = study.plan.alpha
    return [f"Training seed by seed, rho is {seeds}; pW is below {alpha:g} in {np.sum(p < alpha)} of {len(p)}."]


def _about_table(study: Study, primary: MethodResult) -> list[str]:
    if primary.summary is None:
        return []
    best = primary.table.iloc[0]
    return [
        f"Picked in the paper's way, on the cells that it then describes, the best code is {best['code']:.0f} with "
        f"Spearman {best['spearman']:.2f}; the best of these codes reaches {primary.chance:.2f} by chance in one run "
        f"of twenty (adjusted {_p_equals('pF', best['p_free'])}, {_p_equals('pW', best['p_within'])})."
    ]


def _about_cohorts(study: Study) -> list[str]:
    cohorts = study.index.cohorts
    if len(cohorts) < 3:
        return []
    names, sizes = np.unique(cohorts, return_counts=True)
    if len(names) == 1:
        return ["There is one cohort only: exchanging cells within it is exchanging them freely, and pW repeats pF."]
    if not enough_orders(cohorts, within=True):
        ways = distinct_permutations(cohorts, within=True)
        return [
            f"Cells of a cohort can be exchanged in {ways} way{'' if ways == 1 else 's'} only (the largest has "
            f"{sizes.max()}), too few for a p: pW is not given."
        ]
    return []


def _about_leads(primary: MethodResult) -> list[str]:
    leads = primary.nested_leads
    if leads is None:
        return []
    known = int(np.isfinite(leads.leads).sum())
    return [
        f"The code chosen without each cell first fires a median of {leads.median:g} segments before the onset of "
        f"degradation, before it in {leads.positive:.0%} of {known} cells with both; sequences shifted at random do "
        f"as well or better with {_p_equals('p', leads.p)}."
    ]


def _about_warning(primary: MethodResult, warning: WarningEvaluation | None) -> list[str]:
    if warning is None:
        return []
    parts = []
    for row in warning.summary.to_dict("records"):
        lead = f", median lead {row['median_lead']:g}" if np.isfinite(row["median_lead"]) else ""
        plural = "" if row["false_alarm"] == 1 else "s"
        parts.append(f"{DETECTORS[row['detector']]} {row['hit']} ({row['false_alarm']} false alarm{plural}{lead})")
    reach = int(warning.cells.loc[warning.cells["detector"] == "age", "onset"].notna().sum())
    sentences = [
        f"Of {len(warning.cells) // len(DETECTORS)} held-out cells {reach} reach the onset of degradation. Warned of "
        f"at most {HORIZON} segments before: {'; '.join(parts)}."
    ]
    counts = warning.summary.set_index("detector")
    score, capacity = counts.loc["score"], counts.loc["capacity"]
    if score["hit"] <= capacity["hit"] and score["false_alarm"] >= capacity["false_alarm"]:
        sentences.append("The early-warning score is no better than a plain capacity threshold.")
    if primary.nested is None:
        sentences.append("Without a candidate code the score rests on code changes and late codes alone.")
    return sentences + ([f"{warning.note[0].upper()}{warning.note[1:]}."] if warning.note else [])
