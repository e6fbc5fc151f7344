"""Model cards, rendered from a configuration, a training record and the measured evaluation; no figure is typed in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..cells.nasa import URL
from .power_card import power_sentences
from .precursor_card import MATR_DATA, PRECURSOR_LIMITS, precursor_sections
from .study_card import study_report

REPOSITORY = "https://github.com/SakthiGs/MagBridge-Battery"

# Beside the folders of packaged weights, each written by the command of its name.
EVALUATION = "evaluation.json"
STUDY = "study/summary.json"
DISCOVERY = "discovery.json"
RELATIVE = "discovery-relative.json"
POWER = "power/power.json"
PRECURSORS = "precursors.json"  # in the folder of the weights that it is about

METHOD_MEANING = {
    "paper": "HQ-VQVAE exactly as in the paper",
    "paper-classical": "the same without the circuit",
    "paper-recipe": "the paper's architecture, recommended recipe",
    "recommended": "recipe, bypass around the circuit, small initial weights",
    "recommended-classical": "its classical twin: no bottleneck",
    "bounded": "recipe and small initial weights, no bypass",
    "bounded-classical": "its fair classical twin: tanh in place of the circuit",
    "ae-kmeans": "autoencoder + k-means",
    "vae-kmeans": "variational autoencoder + k-means, KL weight searched",
    "pca-kmeans": "PCA(8) + k-means",
    "random": "random codes",
}  # of the methods of methods.METHODS


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


def evaluation_table(evaluation: dict) -> str:
    """One record of `evaluation.evaluate` as a Markdown table."""
    lines = [
        "| method | train MSE | test MSE, pooled | test MSE, median cell "
        "| codes used | perplexity | ARI / AMI over seeds | cohort purity |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method, figures in evaluation["methods"].items():
        pooled, median = figures["test_mse_pooled"], figures["test_mse_median_cell"]
        spread = f" ± {pooled['std']:.3f}" if pooled["std"] is not None else ""
        ari, ami = figures["ari_over_seeds"], figures["ami_over_seeds"]
        agreement = "" if ari is None else f"{ari:.2f} / {ami:.2f}"
        lines.append(
            f"| `{method}`: {METHOD_MEANING[method]} | {figures['train_mse']:.3f} | {pooled['mean']:.3f}{spread} "
            f"| {median['mean']:.3f} | {figures['codes_used']:.1f} | {figures['perplexity']:.1f} "
            f"| {agreement} | {figures['cohort_purity']:.2f} |"
        )
    return "\n".join(lines)


def findings(by_what: dict[str, dict]) -> str:
    """What the measured figures say, good or bad, in sentences that quote them."""
    cell, cohort = by_what["cell"]["methods"], by_what["cohort"]["methods"]

    def pooled(methods: dict, name: str) -> str:
        return f"{methods[name]['test_mse_pooled']['mean']:.3f}"

    def against(first: str, second: str) -> str:
        return f"{pooled(cell, first)} against {pooled(cell, second)}"

    paper = cell["paper"]
    collapses = "collapses: it" if paper["codes_used"] < 16 else "is in use: the model"
    pairs = (("paper", "paper-classical"), ("recommended", "recommended-classical"), ("bounded", "bounded-classical"))
    worse = sum(
        cell[circuit]["test_mse_pooled"]["mean"] > cell[twin]["test_mse_pooled"]["mean"] for circuit, twin in pairs
    )
    harder = [
        cohort[name]["test_mse_pooled"]["mean"] / cell[name]["test_mse_pooled"]["mean"]
        for name in cell
        if name != "random"
    ]
    best = min(cell, key=lambda name: cell[name]["test_mse_pooled"]["mean"])
    worst_cell, worst = max(cell["recommended"]["test_mse_by_cell"].items(), key=lambda item: item[1])
    return "\n".join(
        (
            f"- The codebook of the paper's configuration {collapses} uses {paper['codes_used']:.1f} of 32 codes "
            f"(perplexity {paper['perplexity']:.1f}).",
            "- Test error with the circuit against its classical twin: "
            f"{against('paper', 'paper-classical')} as in the paper, "
            f"{against('recommended', 'recommended-classical')} recommended, "
            f"{against('bounded', 'bounded-classical')} without a bypass against the fair twin: higher with the "
            f"circuit in {worse} of {len(pairs)} pairs. A difference within the spread over seeds is "
            "none. Nothing here needs a quantum computer.",
            f"- The lowest test error is that of `{best}`, {pooled(cell, best)}.",
            "- An unseen cell has three sisters of its cohort in training. Leaving the whole cohort out multiplies the "
            f"error by {min(harder):.1f} to {max(harder):.1f}, by method.",
            f"- Codes mostly name the cohort: {cell['recommended']['cohort_purity']:.0%} of segments bear a code whose "
            "commonest cohort is theirs (`recommended`).",
            f"- The hardest cell for `recommended` is {worst_cell}, error {worst:.2f}: read the pooled and the median "
            "figure together.",
        )
    )


HEADER = {
    "license": "apache-2.0",
    "library_name": "transformers",
    "tags": ["battery", "tabular", "vector-quantization", "vq-vae", "quantum-machine-learning", "custom_code"],
}
"""What the Hub reads. Its leaderboards and `datasets` name data on the Hub alone, and these cells are not there."""


def _reference(config: dict) -> str:
    """What features are less, where the model works relative to the beginning of a cell."""
    window = config.get("reference_window")
    if window is None:
        return ""
    return (
        f"`encode` takes each cell's features less their mean over its discharges {window[0]} to {window[1]} (counted "
        "from 1, in order, from the first one on; `cells` tells cells apart), and gives code -1 up to there. "
    )


def _limits(name: str | None, measured: Measured) -> str:
    """What the data that a model was trained on do not allow."""
    if measured.precursors is not None:
        return PRECURSOR_LIMITS
    if name is None:
        return "It knows the cells that its owner trained it on; what was measured of other weights says nothing of it."
    return (
        "Five cohorts are an effective sample near five; codes mostly name the cohort. No code is a proven precursor "
        "of degradation."
    )


def render_card(
    config: dict,
    name: str | None,
    training: dict | None = None,
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
    circuit = (
        f"a circuit of {config['n_qubits']} qubits and {config['n_layers']} layers ({config['ansatz']})"
        + (" with a bypass around it" if config["residual"] else "")
        if config["bottleneck"] == "quantum"
        else "no circuit"
        if config["bottleneck"] == "none"
        else f"a bounded classical bottleneck ({config['bottleneck']})"
    )
    title = f"HQ-VQVAE ({name})" if name else "HQ-VQVAE"
    n_features = len(config["feature_names"])
    parts = [
        f"---\n{yaml.safe_dump(HEADER, sort_keys=False)}---",
        f"# {title}\n\nTurns one discharge segment of a Li-ion cell, described by {n_features} features, into one "
        f"of {config['codebook_size']} codes: encoder, {circuit}, vector quantizer, decoder.",
        "## Use\n\n```python\nfrom transformers import AutoModel\n\n"
        'model = AutoModel.from_pretrained("REPO_ID", trust_remote_code=True)\n'
        f"encoding = model.encode(features)  # float32 (n, {n_features}), in the units below\n"
        "encoding.codes, encoding.latents\n```\n\n"
        f"Features, in this order: {', '.join(config['feature_names'])} (protocol {config['protocol']}; in s, V, A, "
        f"degC, V/s and Ah; current is negative in discharge). Standardisation is part of the model. "
        + _reference(config)
        + (f'In the package: `HQVQVAEModel.from_pretrained("{name}")`; ' if name else "In the package: ")
        + "`python -m hqvqvae score CELL.csv` scores raw cycling data. No task of `transformers.pipeline` fits, "
        "since a row of numbers is no text, image or sound: call `encode`.",
    ]
    if measured.precursors is not None:
        parts.append(f"## Data\n\n{MATR_DATA} The code is part of [MagBridge-Battery]({REPOSITORY}).")
    elif name:
        parts.append(
            f"## Data and paper\n\nThe [NASA PCoE battery set]({URL}) (B. Saha and K. Goebel, 2007, NASA Prognostics "
            "Data Repository; public domain): 1,499 discharge segments of 20 cells in 5 cohorts, 1,466 after cleaning, "
            "all in training. It is no dataset of the Hub, so the header names none; the segments come with the "
            "package: `hqvqvae.load_segments()`.\n\nThe architecture is that of the paper *HQ-VQVAE for Unsupervised "
            "Battery Precursor Discovery*, of which no public address is known here. The code that trains and measures "
            f"it is part of [MagBridge-Battery]({REPOSITORY}), on whose data this model was not trained."
        )
    parts.append(
        "## Intended use and limits\n\nResearch on degradation patterns in laboratory cycling data. Not a safety "
        f"device, not a diagnosis of a battery in use. {_limits(name, measured)} The code numbers of two trainings are "
        "unrelated. Other chemistries, formats and protocols are out of distribution: look at the reconstruction error."
    )
    if training:
        measures = ", ".join(f"{key} {value:.4g}" for key, value in sorted(training["metrics"].items()))
        parts.append(f"## Training\n\nSeed {training['seed']}; {measures}.")
    if name and measured.evaluations:
        by_what = {evaluation["leave_out"]: evaluation for evaluation in measured.evaluations}
        seeds = len(by_what["cell"]["seeds"])
        parts += [
            f"## Measured\n\nMean squared error in z units on segments left out of training, {seeds} seeds, "
            f"protocol {by_what['cell']['protocol']}. Leave one cell out:",
            evaluation_table(by_what["cell"]),
            "Leave one cohort out:",
            evaluation_table(by_what["cohort"]),
            findings(by_what),
        ]
    if name and measured.study:
        parts.append(f"## Does the circuit help?\n\n{study_report(measured.study).rstrip()}")
    if name and measured.power:
        told = (
            "" if measured.discovery is None else f" `python -m hqvqvae discover`: {measured.discovery['verdict'][0]}"
        )
        if measured.relative is not None:
            first, last = measured.relative["plan"]["reference_window"]
            told += f" With `--reference {first}:{last}`, less each cell's beginning: {measured.relative['verdict'][0]}"
        parts.append(f"## Precursors\n\n{power_sentences(measured.power, measured.discovery)}{told}")
    if measured.precursors is not None:
        parts += [
            precursor_sections(measured.precursors),
            "## Reproduce\n\nEach line adds to the folder `precursors`; times are in the first table. "
            "`--method precursor` is HQ-VQVAE.\n\n```bash\npip install 'magbridge-battery[model]'\n"
            "python -m hqvqvae precursors --method kmeans --part search\n"
            "python -m hqvqvae precursors --method kmeans --part numbers\n"
            "python -m hqvqvae precursors --method kmeans --part transfer\n"
            "python -m hqvqvae precursors --method precursor --part search\n"
            "python -m hqvqvae precursors\n```",
        ]
    elif name:
        parts.append(
            "## Reproduce\n\n```bash\npip install 'magbridge-battery[model]'\n"
            f"python -m hqvqvae train --config {name} --seed {training['seed'] if training else 0} --out run\n"
            "python -m hqvqvae evaluate --by cell --by cohort --out evaluation.json\n"
            "python -m hqvqvae study --out study\npython -m hqvqvae discover --out discovery\n"
            "python -m hqvqvae power --out power\npython -m hqvqvae reproduce --out report\n```"
        )
    return "\n\n".join(parts) + "\n"
