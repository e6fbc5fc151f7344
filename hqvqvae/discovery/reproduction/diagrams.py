"""The paper's diagrams: the method, the model and the circuit from a configuration, protocol and split from cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset_card.running.plotting import canvas

from ...training.plotting import ACCENT, INK, NEUTRAL, OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from ...configuration_hqvqvae import HQVQVAEConfig
    from ..analysis import DiscoveryPlan

BOX_WIDTH, BOX_HEIGHT = 1.55, 0.9
STEP = BOX_WIDTH + 0.4


def _box(axis: Axes, x: float, y: float, text: str, colour: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner, shape = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2), "round,pad=0.02,rounding_size=0.08"
    style: dict[str, Any] = {"boxstyle": shape, "facecolor": colour, "edgecolor": INK, "alpha": 0.45}
    axis.add_patch(FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, **style))
    axis.text(x, y, text, ha="center", va="center", fontsize=8, color=INK)


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1})


def _row(axis: Axes, y: float, texts: list[str], colours: list[str], backwards: bool = False) -> None:
    """Boxes side by side, an arrow from each to the next."""
    edge = BOX_WIDTH / 2 + 0.03
    for place, (text, colour) in enumerate(zip(texts, colours, strict=True)):
        _box(axis, place * STEP, y, text, colour)
        if place:
            ends = ((place - 1) * STEP + edge, y), (place * STEP - edge, y)
            _arrow(axis, *(ends[::-1] if backwards else ends))


def _down(axis: Axes, place: int) -> None:
    """An arrow from a box of the upper row to the one below it."""
    _arrow(axis, (place * STEP, 2 - BOX_HEIGHT / 2 - 0.04), (place * STEP, 0.3 + BOX_HEIGHT / 2 + 0.04))


def _blank(width: float, height: float) -> tuple[Canvas, Axes]:
    figure, axis = canvas(size=(width, height))
    axis.set_axis_off()
    return figure, axis


def _bottleneck_words(config: HQVQVAEConfig) -> str:
    if config.bottleneck == "quantum":
        return f"circuit\n{config.n_qubits} qubits, {config.n_layers} layers\nreadout {config.readout}"
    return {"none": "no bottleneck"}.get(config.bottleneck, f"{config.bottleneck}\n{config.n_qubits} units")


def draw_method(config: HQVQVAEConfig, plan: DiscoveryPlan) -> Canvas:
    """From a discharge segment to the answer: the model in the upper row, discovery in the lower one."""
    upper = [
        f"discharge segment\n{len(config.feature_names)} features",
        "z-scores\nof training cells",
        f"encoder\n{'-'.join(map(str, [len(config.feature_names), *config.hidden_sizes, config.latent_dim]))}",
        _bottleneck_words(config),
        f"quantizer\n{config.codebook_size} codes\nof width {config.latent_dim}",
        "decoder\nmirrored",
        "reconstruction\nof the features",
    ]
    lower = [
        "early-warning\nscore",
        "precursor,\nor none",
        "cells exchanged:\nfreely, in cohorts",
        f"early share\nagainst late\n{plan.proxy}",
        f"one code a segment\nfirst {plan.early_fraction:.0%}: early",
    ]
    figure, axis = _blank(13, 3.6)
    _row(axis, 2, upper, [OKABE_ITO[4]] * 3 + [ACCENT] + [OKABE_ITO[4]] * 3)
    _row(axis, 0.3, lower, [OKABE_ITO[2]] * 5, backwards=True)
    _down(axis, 4)
    title = "From a discharge segment to a code (above), from codes to an answer (below)"
    axis.set(xlim=(-1, 6 * STEP + 1), ylim=(-0.4, 2.7), title=title)
    return figure


def layers(config: HQVQVAEConfig) -> list[tuple[str, int, int]]:
    """Every layer of the model in order: what it is, its width, its trained numbers."""
    from torch import nn

    from ...bottleneck import Bottleneck
    from ...modeling_hqvqvae import HQVQVAEModel

    model = HQVQVAEModel(config)
    rows = [("features", len(config.feature_names), 0)]

    def add(name: str, part: nn.Module) -> None:
        trained = sum(weights.numel() for weights in part.parameters())
        rows.extend([(name, part.out_features, trained)] if isinstance(part, nn.Linear) else [])

    for part in model.encoder:
        add("encoder", part)
    if isinstance(model.bottleneck, Bottleneck):
        add("to angles", model.bottleneck.project_in)
        bound = dict(model.bottleneck.named_parameters(recurse=False))  # of the circuit, or couplings of units
        kind = "circuit" if config.bottleneck == "quantum" else config.bottleneck
        width = model.bottleneck.project_out.in_features
        rows.append((kind, width, sum(weights.numel() for weights in bound.values())))
        add("from readout", model.bottleneck.project_out)
    rows.append((f"{config.codebook_size} codes", config.latent_dim, config.codebook_size * config.latent_dim))
    for part in model.decoder:
        add("decoder", part)
    return rows


def draw_model(config: HQVQVAEConfig) -> Canvas:
    """Every layer as a bar as high as it is wide, with its trained numbers below."""
    from matplotlib.patches import Rectangle

    rows = layers(config)
    figure, axis = _blank(11, 3.8)
    for place, (name, width, trained) in enumerate(rows):
        colour = ACCENT if name == "circuit" else OKABE_ITO[2] if name.endswith("codes") else OKABE_ITO[4]
        axis.add_patch(Rectangle((place - 0.2, -width / 2), 0.4, width, facecolor=colour, edgecolor=INK, alpha=0.6))
        axis.text(place, width / 2 + 1.5, str(width), ha="center", va="bottom", fontsize=8)
        axis.text(place, -36, name, ha="center", va="top", fontsize=8)
        axis.text(place, -41, f"{trained:,}" if trained else "", ha="center", va="top", fontsize=7, color=NEUTRAL)
        if place:
            _arrow(axis, (place - 0.78, 0), (place - 0.22, 0))
    total = sum(trained for _, _, trained in rows)
    bypass = ", the latent added to what the bottleneck gives" if config.residual else ""
    title = f"Widths of the layers, and their {total:,} trained numbers (grey){bypass}"
    axis.set(xlim=(-0.8, len(rows) - 0.4), ylim=(-47, 40), title=title)
    return figure


def draw_circuit(config: HQVQVAEConfig) -> Canvas:
    """The circuit gate by gate, as PennyLane writes it."""
    from ...pennylane_circuit import draw

    text = draw(config.n_qubits, config.n_layers, config.ansatz)
    lines = text.splitlines()
    figure, axis = _blank(0.085 * max(map(len, lines)) + 1, 0.16 * len(lines) + 0.8)
    axis.text(0.5, 0.5, text, family="DejaVu Sans Mono", fontsize=10, ha="center", va="center", linespacing=1.0)
    axis.set_title(f"{config.ansatz}, {config.n_qubits} qubits, {config.n_layers} layers")
    return figure


def draw_protocol() -> Canvas:
    """Leave one cell out: what is learned from training cells, and what of it meets the unseen cell."""
    upper = ["training cells", "z-scores:\nmean and spread", "model and\ncodebook", "code chosen,\nline fitted"]
    lower = ["unseen cell", "the same\nz-scores", "its codes", "prediction,\njudged once"]
    figure, axis = _blank(9, 3.2)
    _row(axis, 2, upper, [OKABE_ITO[4]] * 4)
    _row(axis, 0.3, lower, [OKABE_ITO[1]] * 4)
    for place in (1, 2, 3):
        _down(axis, place)
    title = "Nothing goes from the unseen cell to what is learned"
    axis.set(xlim=(-1, 3 * STEP + 1), ylim=(-0.4, 2.7), title=title)
    return figure


def draw_split(cohort_of: Mapping[str, str]) -> Canvas:
    """The folds as a matrix: one cell held out in each, all others in training.

    Args:
        cohort_of: Cohort of each cell, in the order of the folds.
    """
    from matplotlib.colors import ListedColormap

    cells, cohorts = list(cohort_of), list(cohort_of.values())
    figure, axis = canvas(size=(6.4, 5.6))
    axis.imshow(np.eye(len(cells)), cmap=ListedColormap([OKABE_ITO[4], ACCENT]), vmin=0, vmax=1)
    axis.set_xticks(range(len(cells)), cells, rotation=90, fontsize=7)
    axis.set_yticks(range(len(cells)), [f"fold {row + 1}" for row in range(len(cells))], fontsize=7)
    for place in range(1, len(cells)):
        if cohorts[place] != cohorts[place - 1]:
            axis.axvline(place - 0.5, color=INK, linewidth=0.8)
    axis.set_title("Training (blue) and held out (red); lines part the cohorts")
    return figure


def draw_notice(text: str) -> Canvas:
    """What stands in the place of a figure that cannot exist."""
    figure, axis = _blank(8, 2)
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=10, color=INK, wrap=True)
    return figure
