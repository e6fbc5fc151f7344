"""The verdict of a discovery run in plain words: `hub/templates/headline.md` and `verdict.md`, one sentence a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cells.proxies import PROXIES
from ..hub.template import render
from .analysis import MethodResult, Study, proxy_by_cohort
from .nulls import distinct_permutations, enough_orders
from .warning_score import DETECTORS, HORIZON, WarningEvaluation


def p_text(p: float) -> str:
    """A p as it is printed: three digits, or below the smallest that three digits show."""
    if not np.isfinite(p):
        return "not testable"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _p_equals(p: float, name: str) -> str:
    text = p_text(p)
    return f"{name} {text}" if text[0] in "<n" else f"{name} = {text}"


_FILTERS = {"p": _p_equals, "is_known": np.isfinite}


def is_precursor(study: Study, result: MethodResult) -> bool:
    """Whether the nested analysis finds a precursor: unseen cells predicted beyond what their cohort tells."""
    return result.nested is not None and result.nested.finds_precursor(study.plan.alpha)


def headline(study: Study, result: MethodResult) -> str:
    """One sentence that answers the question of the run."""
    codes, counts = np.unique(result.chosen[result.chosen >= 0], return_counts=True)
    values = _about(study, result) | {
        "constant": len(study.proxy) > 0 and np.ptp(study.proxy) == 0,
        "is_precursor": is_precursor(study, result),
        "often": (codes[counts.argmax()], counts.max()) if len(codes) else None,
    }
    return render("headline.md", values, _FILTERS)


def _about(study: Study, result: MethodResult) -> dict[str, Any]:
    cells, proxy = len(study.index.cell_ids), PROXIES[study.plan.proxy].label
    return {"plan": study.plan, "cells": cells, "proxy": proxy, "nested": result.nested}


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
    known = [control for control in controls.values() if control.nested is not None]
    leads, cohorts = primary.nested_leads, study.index.cohorts
    values = _about(study, primary) | {
        "headline": headline(study, primary),
        "primary": primary,
        "controls": known,
        "better": [c for c in known if c.nested and primary.nested and c.nested.rho >= primary.nested.rho],
        "best_code": None if primary.summary is None else primary.table.iloc[0],
        "cells_in_all": study.segments["cell_id"].nunique(),
        "cohorts": study.segments["cohort"].value_counts(normalize=True),
        "by_cohort": proxy_by_cohort(study),
        "sizes": np.unique(cohorts, return_counts=True)[1],
        "enough": enough_orders(cohorts, within=True),
        "ways": distinct_permutations(cohorts, within=True),
        "leads": leads,
        "leads_known": 0 if leads is None else int(np.isfinite(leads.leads).sum()),
        "warning": warning,
        "trained_apart": trained_apart,
        "left_out": study.cells[study.cells["left_out"] != ""],
        "zip": zip,
    }
    if warning is not None:
        values |= {
            "detectors": DETECTORS,
            "horizon": HORIZON,
            "reach": int(warning.cells.loc[warning.cells["detector"] == "age", "onset"].notna().sum()),
            "counts": {row["detector"]: row for row in warning.summary.to_dict("records")},
        }
    return [line for line in render("verdict.md", values, _FILTERS).split("\n") if line]
