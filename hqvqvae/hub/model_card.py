"""Model cards, rendered from a configuration, a training record and the measured evaluation; no figure is typed in."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dataset_card.cards.card import REPOSITORY

from ..cells.nasa import URL
from .sentences import evaluation_table, findings, power_sentences, precursor_sections, render, study_report

# In the folder of all packaged weights; each file is written by the command of its name.
EVALUATION = "evaluation.json"
STUDY = "study/summary.json"
DISCOVERY = "discovery.json"
RELATIVE = "discovery-relative.json"
POWER = "power/power.json"
PRECURSORS = "precursors.json"  # in the folder of the weights that it describes


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a record that a command wrote; return None if there is no such file yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def measured(folder: Path, weights: Path | None = None) -> dict[str, Any]:
    """Read the available measurements of packaged weights.

    Args:
        folder: Folder of all packaged weights.
        weights: Folder of one card's weights; if it has records of its own, only those are read.

    Returns:
        `evaluations` (records of `python -m hqvqvae evaluate`), `study` (the summary), `discovery`, `relative` (the
        same with `--reference`) and `power`; or `precursors`.
    """
    if weights is not None and (own := read_record(weights / PRECURSORS)) is not None:
        return {"precursors": own}
    files = {"study": STUDY, "discovery": DISCOVERY, "relative": RELATIVE, "power": POWER}
    evaluation = read_record(folder / EVALUATION) or {"evaluations": []}
    return evaluation | {name: read_record(folder / file) for name, file in files.items()}


def render_card(
    config: dict[str, Any],
    name: str | None,
    training: dict[str, Any] | None = None,
    measured: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Render the README.md of a model repository.

    Args:
        config: The configuration as a dict.
        name: Name of the configuration for packaged weights; None for a user's own model.
        training: The record of its training run, if known.
        measured: Measurements of packaged weights, shown only for those.

    Returns:
        Markdown with a YAML header; `REPO_ID` stands for the repository's name until it is pushed.
    """
    by_what = {evaluation["leave_out"]: evaluation for evaluation in measured.get("evaluations", [])}
    study, power, found = (measured.get(name) for name in ("study", "power", "precursors"))
    values = {"config": config, "name": name, "training": training, "repository": REPOSITORY, "nasa": URL}
    values |= {"discovery": measured.get("discovery"), "relative": measured.get("relative"), "evaluations": by_what}
    values["tables"] = {by: evaluation_table(evaluation) for by, evaluation in by_what.items()}
    values["findings"] = findings(by_what) if by_what else ""
    values["study"] = study_report(study).rstrip() if study else ""
    values["power"] = power_sentences(power, measured["discovery"]) if power else ""
    values["precursors"] = precursor_sections(found) if found else ""
    return render("model_card.md", values) + "\n"
