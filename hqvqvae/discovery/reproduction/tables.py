"""The paper's tables made from our own results, its own figures beside ours where we have them; ready to print."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...cells.proxies import PROXIES
from ...configuration_hqvqvae import HQVQVAEConfig
from ...hub.model_card import METHOD_MEANING
from ...training.fit import TrainingConfig
from ...training.methods import CODEBOOK_SIZE
from ..analysis import MethodResult, Study, early_rates
from ..interpretation import ANSWER_SCHEMA
from ..paper_values import TABLE_4, TABLE_8
from ..report import number
from ..verdict import p_text

BASELINES = (
    "paper",
    "paper-classical",
    "ae-kmeans",
    "vae-kmeans",
    "pca-kmeans",
    "random",
    "recommended",
    "recommended-classical",
)


def settings(config: HQVQVAEConfig, training: TrainingConfig) -> pd.DataFrame:
    """Table 4: what the model is made of and how it is trained."""
    ours = {**config.to_dict(), **vars(training)}
    columns = {"paper": TABLE_4.values(), "ours": [ours[name] for name in TABLE_4]}
    printed = {
        label: [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
        for label, values in columns.items()
    }
    return pd.DataFrame({"setting": list(TABLE_4), **printed})


def baselines(evaluation: dict[str, Any]) -> pd.DataFrame:
    """Table 5: the methods that the model is compared with, and their errors on cells left out of training."""
    rows = []
    for name, figures in evaluation["methods"].items():
        pooled = figures["test_mse_pooled"]
        spread = "" if pooled["std"] is None else f" ± {pooled['std']:.3f}"
        rows.append(
            {
                "method": f"{name}: {METHOD_MEANING[name]}",
                "training MSE": f"{figures['train_mse']:.3f}",
                "unseen cells, MSE": f"{pooled['mean']:.3f}{spread}",
                "median cell": f"{figures['test_mse_median_cell']['mean']:.3f}",
            }
        )
    return pd.DataFrame(rows)


def splits(protocols: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Table 8: leave one cell out, counted in the segments of each protocol, `{label: table of segments}`."""
    table = pd.DataFrame({"count": list(TABLE_8), "paper": [number(value) for value in TABLE_8.values()]})
    for label, segments in protocols.items():
        held_out = segments["cell_id"].value_counts()
        counts = {
            "cells in training": len(held_out) - 1,
            "cells held out": 1,
            "segments in all": len(segments),
            "fewest training segments": len(segments) - held_out.max(),
            "most training segments": len(segments) - held_out.min(),
            "fewest held-out segments": held_out.min(),
            "most held-out segments": held_out.max(),
            "mean held-out segments": held_out.mean(),
        }
        table[label] = [number(counts[name], 1) for name in TABLE_8]
    return table


def measures(evaluation: dict[str, Any], results: dict[str, MethodResult]) -> pd.DataFrame:
    """Table 9: the paper's metrics of every method: error and codebook from `evaluation`, the rest from `results`."""
    rows = []
    for name, figures in evaluation["methods"].items():
        result = results.get(name)
        row = {
            "method": name,
            "unseen cells, MSE": number(figures["test_mse_pooled"]["mean"], 3),
            "codebook used": f"{figures['codes_used'] / CODEBOOK_SIZE:.0%}",
            "perplexity": number(figures["perplexity"], 1),
            "stability over seeds, ARI / AMI": f"{number(figures['ari_over_seeds'])} / "
            f"{number(figures['ami_over_seeds'])}",
        }
        if result is None:
            consistency, lead, sensitivity = "not run", "-", np.nan
        else:
            nested, leads = result.nested, result.nested_leads
            consistency = "none eligible" if nested is None else f"{number(nested.rho)} ({p_text(nested.p_within)})"
            lead = "-" if leads is None else f"{leads.median:g} ({p_text(leads.p)})"
            sensitivity = result.table["sensitivity"].max()
        row |= {
            "consistency: rho on unseen cells (pW)": consistency,
            "median lead, segments (p)": lead,
            "sensitivity: Spearman with the early drop, best code": number(sensitivity),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def leads_by_cell(study: Study, result: MethodResult) -> pd.DataFrame | None:
    """Table 11: the candidate code cell by cell; None where no code is eligible."""
    if result.candidate is None:
        return None
    rates, _ = early_rates(study, result.codes[study.rows], result.n_codes)
    active = np.split(result.codes[study.rows] == result.candidate, study.index.starts[1:-1])
    first = [float(np.argmax(fires)) if fires.any() else np.nan for fires in active]
    leads = np.full(len(first), np.nan) if result.leads is None else result.leads.leads
    return pd.DataFrame(
        {
            "cell": study.index.cell_ids,
            "cohort": study.index.cohorts,
            "segments": [str(n) for n in study.index.n_segments],
            f"early rate of code {result.candidate}": [number(float(rate)) for rate in rates[:, result.candidate]],
            "first at segment": [number(place, 0) for place in first],
            "onset of degradation": [number(onset, 0) for onset in study.onsets],
            "lead [segments]": [number(lead, 0) for lead in leads],
            f"late {PROXIES[study.plan.proxy].label}": [number(value) for value in study.proxy],
        }
    )


def answer_fields(measured_shapes: list[str]) -> pd.DataFrame:
    """Table 12: the fields of a language model's answer; beside `key_shapes`, what we measured of the curve."""
    rows = []

    def walk(schema: dict[str, Any], path: str) -> None:
        for name, field in schema["properties"].items():
            inner = field.get("items", field)
            kind = "one of " + ", ".join(field["enum"]) if "enum" in field else str(field["type"])
            ours = "; ".join(measured_shapes) if name == "key_shapes" else ""
            needed = "yes" if name in schema["required"] else "no"
            rows.append({"field": f"{path}{name}", "type": kind, "required": needed, "measured": ours})
            if "properties" in inner:
                walk(inner, f"{path}{name}{'[]' if inner is not field else ''}.")

    walk(ANSWER_SCHEMA, "")
    return pd.DataFrame(rows)
