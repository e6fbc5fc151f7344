"""What a discovery run found, and the same as one record, ready for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .analysis import MethodResult, Study
from .verdict import is_precursor
from .warning_score import WarningEvaluation

if TYPE_CHECKING:
    from ..modeling_hqvqvae import HQVQVAEModel

SCHEMA_VERSION = 1
PACKAGES = ("magbridge-battery", "numpy", "scipy", "scikit-learn", "torch")


@dataclass(frozen=True)
class Discovery:
    """Everything that a run found.

    Attributes:
        study: The cells under the plan.
        primary: Result of the method in question.
        controls: Results of the controls by name.
        warning: Evaluation of the early-warning score, None where there are too few cells.
        verdict: The verdict in sentences.
        model: The model whose codes the warning score reads, None where the codes come from none.
        figures: Data behind each figure.
        settings: Seeds, protocol and methods.
        notes: What could not be done, and why.
    """

    study: Study
    primary: MethodResult
    controls: dict[str, MethodResult]
    warning: WarningEvaluation | None
    model: HQVQVAEModel | None
    verdict: list[str]
    figures: dict[str, pd.DataFrame]
    settings: dict[str, Any]
    notes: list[str]


def method_record(result: MethodResult) -> dict[str, object]:
    """One method's figures, unrounded and ready for JSON; what cannot be computed is NaN."""
    nested, leads = result.nested, result.nested_leads
    record: dict[str, object] = {"label": result.label, "nested": None, "table_10": result.summary, **result.quality}
    if nested is not None:
        record["nested"] = {
            "rho": nested.rho,
            "folds_with_code": float(np.mean(nested.chosen >= 0)),
            "r2": nested.r2,
            "p_free": nested.p_free,
            "p_within": nested.p_within,
            "rho_seeds": nested.rho_seeds.tolist(),
            "p_within_seeds": nested.p_within_seeds.tolist(),
        }
    if len(result.table):
        record["chance_spearman_95"] = result.chance
        record["table_2"] = result.table.to_dict("records")
    if leads is not None:
        record["lead_time"] = {"median": leads.median, "positive": leads.positive, "p": leads.p}
    return record


def record(discovery: Discovery) -> dict[str, object]:
    """The run as one record, ready for JSON."""

    study = discovery.study
    return {
        "schema_version": SCHEMA_VERSION,
        "plan": asdict(study.plan),
        **discovery.settings,
        "segments": len(study.segments),
        "cells": study.cells.to_dict("records"),
        "precursor_found": is_precursor(study, discovery.primary),
        "verdict": discovery.verdict,
        "notes": discovery.notes,
        "primary": method_record(discovery.primary),
        "controls": {name: method_record(result) for name, result in discovery.controls.items()},
        "warning": None if discovery.warning is None else discovery.warning.summary.to_dict("records"),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }
