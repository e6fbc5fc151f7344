"""The paper's tables made from our own results, next to its own figures if it prints them; ready to print."""

from typing import Any

import numpy as np
import pandas as pd

from ...cells.features import FEATURE_UNITS
from ...cells.proxies import PROXIES
from ...configuration_hqvqvae import HQVQVAEConfig
from ...hub.sentences import WORDS
from ...training.fit import TrainingConfig
from ...training.methods import CODEBOOK_SIZE
from ..analysis import MethodResult, Study, early_rates
from ..interpretation import answer_schema
from ..paper_values import listing, table
from ..report import number, p_text

BASELINES: tuple[str, ...] = tuple(WORDS["baselines"])


def features() -> pd.DataFrame:
    """Tabulate the features, with the paper's units and ours (Table 1)."""
    units = {**FEATURE_UNITS, "cycle_index": "column `cycle`, not an input: Table 3 omits it"}
    printed = table(1)
    return printed.rename(columns={"unit": "unit, paper"}).assign(**{"unit, ours": printed["feature"].map(units)})


def inputs(config: HQVQVAEConfig) -> pd.DataFrame:
    """Tabulate which features the model uses (Table 3)."""
    printed = table(3)
    used = ["yes" if name in config.feature_names else "no" for name in printed["feature"]]
    return printed.assign(**{"used, paper": "yes", "used, ours": used})


def settings(config: HQVQVAEConfig, training: TrainingConfig) -> pd.DataFrame:
    """Tabulate the model's architecture and training settings (Table 7)."""
    fixed = {
        "encoding": "Angle", "optimizer": "Adam", "weight_decay": "0.0", "clipping": "None", "scheduler": "None",
        "normalization": "Z-score", "protocol": "Cross-cell",
        "feature_names": ", ".join(config.feature_names),
    }  # fmt: skip
    ours = {**config.to_dict(), **vars(training), **fixed, "readout": f"Pauli-{config.readout}"}
    rows = [(label, value, str(ours[name])) for label, (name, value) in listing(7).items()]
    return pd.DataFrame(rows, columns=["hyperparameter", "paper", "ours"])


def baselines(evaluation: dict[str, Any]) -> pd.DataFrame:
    """Tabulate the methods compared, and our errors on cells left out of training (Table 5)."""
    rows = {WORDS["printed_as"][row["method"]]: row for row in table(5).to_dict("records")}
    rows |= {name: {"method": "-"} for name in evaluation["methods"] if name not in rows}
    for name, row in rows.items():
        pooled = evaluation["methods"][name]["test_mse_pooled"]
        spread = "" if pooled["std"] is None else f" ± {pooled['std']:.3f}"
        row |= {"ours": f"{name}: {WORDS['methods'][name]}", "ours, unseen cells, MSE": f"{pooled['mean']:.3f}{spread}"}
    return pd.DataFrame(rows.values()).fillna("-")


def schema_fields() -> pd.DataFrame:
    """Tabulate the answer's fields in short (Table 6)."""
    ours = {path.split(".")[-1] for path in _schema_fields()}
    fields = pd.DataFrame(listing(6).items(), columns=["field", "meaning"])
    return fields.assign(ours=["yes" if name in ours else "no" for name in fields["field"]])


def datasets(recorded: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the cohorts, counting all recorded segments (Table 8)."""
    cohorts = recorded.groupby("cohort", sort=False)
    cycles = cohorts["cycle"].min().map(str) + "-" + cohorts["cycle"].max().map(str)
    counts = {"batteries, ours": cohorts["cell_id"].nunique().map(str), "segments, ours": cohorts.size().map(str)}
    ours = pd.DataFrame(counts | {"cycles, ours": cycles})
    paper = table(8).astype({"batteries": str, "segments": str}).set_index("cohort")
    return paper.join(ours).reset_index(drop=True)


def environment() -> pd.DataFrame:
    """Tabulate the computing environments of the paper and of this run (Table 9)."""
    import platform

    import torch

    cuda = torch.cuda.is_available()
    ours = {"OS": platform.platform(), "Python": platform.python_version(), "pandas": pd.__version__}
    ours |= {"numpy": np.__version__, "torch": torch.__version__, "cuda_available": str(cuda)}
    ours["gpu_name"] = torch.cuda.get_device_name() if cuda else "none: a CPU"
    ours |= {"cuda_version": str(torch.version.cuda), "timestamp": "omitted, so that equal runs give equal bytes"}
    return pd.DataFrame([{"item": item, "paper": value, "ours": ours[item]} for item, value in listing(9).items()])


def splits(protocols: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tabulate leave-one-cell-out splits for each protocol's segments, `{label: table of segments}` (Table 4)."""
    printed = listing(4)
    counted = pd.DataFrame({"count": list(printed), "paper": [number(value) for value in printed.values()]})
    for label, segments in protocols.items():
        held_out, total = segments["cell_id"].value_counts(), len(segments)
        counts: dict[str, float] = {"cells in training": len(held_out) - 1, "cells held out": 1}
        counts |= {"cells in all": len(held_out), "segments in all": total}
        mean, low, high = held_out.mean(), held_out.min(), held_out.max()
        for which, out, others in (("mean", mean, mean), ("fewest", low, high), ("most", high, low)):
            counts |= {f"{which} held-out segments": out, f"{which} training segments": total - others}
        counted[label] = [number(counts[name], 1) for name in printed]
    return counted


def measures(evaluation: dict[str, Any], results: dict[str, MethodResult]) -> pd.DataFrame:
    """Tabulate the paper's metrics (section 4.5) per method: errors from `evaluation`, others from `results`."""
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
        row |= {"consistency: rho on unseen cells (pW)": consistency, "median lead, segments (p)": lead}
        rows.append(row | {"sensitivity: Spearman with the early drop, best code": number(sensitivity)})
    return pd.DataFrame(rows)


def leads_by_cell(study: Study, result: MethodResult) -> pd.DataFrame | None:
    """Tabulate the candidate code cell by cell; None if no code is eligible."""
    if result.candidate is None:
        return None
    rates, _ = early_rates(study, result.codes[study.rows], result.n_codes)
    active = study.by_cell(result.codes == result.candidate)
    first = [float(np.argmax(fires)) if fires.any() else np.nan for fires in active]
    leads = np.full(len(first), np.nan) if result.leads is None else result.leads.leads
    index = study.index
    cells: dict[str, Any] = {"cell": index.cell_ids, "cohort": index.cohorts, "segments": index.n_segments.astype(str)}
    early, late = f"early rate of code {result.candidate}", f"late {PROXIES[study.plan.proxy].label}"
    places: dict[str, Any] = {"first at segment": first, "onset of degradation": study.onsets, "lead [segments]": leads}
    cells[early] = [number(float(rate)) for rate in rates[:, result.candidate]]
    cells |= {name: [number(value, 0) for value in values] for name, values in places.items()}
    return pd.DataFrame(cells | {late: [number(value) for value in study.proxy]})


def answer_fields(measured_shapes: list[str]) -> pd.DataFrame:
    """Tabulate a language model's answer fields, the paper's and ours, with the measured curve shape (Table 12)."""
    ours = _schema_fields()
    rows = []
    for field in table(12).to_dict("records"):
        kind, needed = ours.get(field["field"], ("none", "no"))
        shapes = "; ".join(measured_shapes) if field["field"].endswith("key_shapes") else ""
        rows.append((field["field"], field["type"], kind, field["required"], needed, shapes))
    columns = ["field", "type, paper", "type, ours", "required, paper", "required, ours", "measured"]
    return pd.DataFrame(rows, columns=columns)


def _schema_fields() -> dict[str, tuple[str, str]]:
    """Return, by path, the type of every field in the answer's schema and whether it is required."""
    found = {}

    def walk(schema: dict[str, Any], path: str) -> None:
        for name, field in schema["properties"].items():
            inner = field.get("items", field)
            kind = "one of " + ", ".join(field["enum"]) if "enum" in field else str(field["type"])
            found[f"{path}{name}"] = (kind, "yes" if name in schema["required"] else "no")
            if "properties" in inner:
                walk(inner, f"{path}{name}{'[]' if inner is not field else ''}.")

    walk(answer_schema(), "")
    return found
