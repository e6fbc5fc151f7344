"""Model cards, rendered from a configuration, a training record and the measured evaluation; no figure is typed in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_card.cards.card import REPOSITORY

from ..cells.nasa import URL
from .sentences import evaluation_table, findings, power_sentences, precursor_sections, study_report
from .template import render

# Beside the folders of packaged weights, each written by the command of its name.
EVALUATION = "evaluation.json"
STUDY = "study/summary.json"
DISCOVERY = "discovery.json"
RELATIVE = "discovery-relative.json"
POWER = "power/power.json"
PRECURSORS = "precursors.json"  # in the folder of the weights that it is about


def read_record(path: Path) -> dict[str, Any] | None:
    """A record that a command wrote, None where there is none yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


@dataclass(frozen=True)
class Measured:
    """What was measured of packaged weights; None where it was not yet.

    Attributes:
        evaluations: Records of `python -m hqvqvae evaluate`, by cell and by cohort.
        study: Summary of `python -m hqvqvae study`.
        discovery: Record of `python -m hqvqvae discover`.
        relative: The same with `--reference`: features less each cell's own beginning.
        power: Record of `python -m hqvqvae power`.
        precursors: Record of `python -m hqvqvae precursors`, for the weights that it wrote; then nothing else is there.
    """

    evaluations: list[dict[str, Any]] | None = None
    study: dict[str, Any] | None = None
    discovery: dict[str, Any] | None = None
    relative: dict[str, Any] | None = None
    power: dict[str, Any] | None = None
    precursors: dict[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path, weights: Path | None = None) -> Measured:
        """The records beside the packaged weights of a folder, or those in the folder of the weights themselves."""
        if weights is not None and (own := read_record(weights / PRECURSORS)) is not None:
            return cls(precursors=own)
        evaluation = read_record(folder / EVALUATION)
        return cls(
            evaluations=None if evaluation is None else evaluation["evaluations"],
            study=read_record(folder / STUDY),
            discovery=read_record(folder / DISCOVERY),
            relative=read_record(folder / RELATIVE),
            power=read_record(folder / POWER),
        )


def render_card(
    config: dict[str, Any],
    name: str | None,
    training: dict[str, Any] | None = None,
    measured: Measured = Measured(),
) -> str:
    """The README.md of a model repository.

    Args:
        config: the configuration as a dict.
        name: of the configuration for packaged weights, None for a user's own model.
        training: the record of its training run, if known.
        measured: what was measured of packaged weights, shown for those.

    Returns:
        Markdown with a YAML header; `REPO_ID` stands for the repository's name until it is pushed.
    """
    by_what = {evaluation["leave_out"]: evaluation for evaluation in measured.evaluations or []}
    values = vars(measured) | {
        "config": config,
        "name": name,
        "training": training,
        "window": config.get("reference_window"),
        "repository": REPOSITORY,
        "nasa": URL,
        "evaluations": by_what,
        "tables": {by: evaluation_table(evaluation) for by, evaluation in by_what.items()},
        "findings": findings(by_what) if by_what else "",
        "study": study_report(measured.study).rstrip() if measured.study else "",
        "power": power_sentences(measured.power, measured.discovery) if measured.power else "",
        "precursors": precursor_sections(measured.precursors) if measured.precursors else "",
    }
    return render("model_card.md", values) + "\n"
