"""The paper's diagrams: method, model and circuit, drawn from a configuration; protocol and split, from cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset_card.running.plotting import canvas

from ...cells.download import packaged_document
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
    """Draw boxes in a row, with an arrow from each to the next."""
    edge = BOX_WIDTH / 2 + 0.03
    for place, (text, colour) in enumerate(zip(texts, colours, strict=True)):
        _box(axis, place * STEP, y, text, colour)
        if place:
            ends = ((place - 1) * STEP + edge, y), (place * STEP - edge, y)
            _arrow(axis, *(ends[::-1] if backwards else ends))


def _blank(width: float, height: float) -> tuple[Canvas, Axes]:
    figure, axis = canvas(size=(width, height))
    axis.set_axis_off()
    return figure, axis


def _bottleneck_words(config: HQVQVAEConfig) -> str:
    if config.bottleneck == "quantum":
        return f"circuit\n{config.n_qubits} qubits, {config.n_layers} layers\nreadout {config.readout}"
    return {"none": "no bottleneck"}.get(config.bottleneck, f"{config.bottleneck}\n{config.n_qubits} units")


def _draw_rows(name: str, size: tuple[float, float], colours: tuple[list[str], list[str]], **values: Any) -> Canvas:
    """Draw two rows of boxes, as described in `artefacts.yaml`, with arrows from the upper row to the lower one."""
    words = packaged_document("artefacts.yaml")["diagrams"][name]
    upper, lower = ([text.format(**values) for text in words[row]] for row in ("upper", "lower"))
    figure, axis = _blank(*size)
    _row(axis, 2, upper, colours[0])
    _row(axis, 0.3, lower, colours[1], backwards=len(lower) < len(upper))
    for place in [len(lower) - 1] if len(lower) < len(upper) else range(1, len(lower)):
        _arrow(axis, (place * STEP, 2 - BOX_HEIGHT / 2 - 0.04), (place * STEP, 0.3 + BOX_HEIGHT / 2 + 0.04))
    axis.set(xlim=(-1, (len(upper) - 1) * STEP + 1), ylim=(-0.4, 2.7), title=words["title"])
    return figure


def draw_method(config: HQVQVAEConfig, plan: DiscoveryPlan) -> Canvas:
    """Draw the way from a discharge segment to the answer: the model in the upper row, discovery in the lower one."""
    n_features = len(config.feature_names)
    widths = "-".join(map(str, [n_features, *config.hidden_sizes, config.latent_dim]))
    words = {"n_features": n_features, "widths": widths, "bottleneck": _bottleneck_words(config)}
    colours = [OKABE_ITO[4]] * 3 + [ACCENT] + [OKABE_ITO[4]] * 3, [OKABE_ITO[2]] * 5
    return _draw_rows("method", (13, 3.6), colours, config=config, plan=plan, **words)


def layers(config: HQVQVAEConfig) -> list[tuple[str, int, int]]:
    """List every layer of the model in order: its kind, its width, its number of trained parameters."""
    from torch import nn

    from ...bottleneck import Bottleneck
    from ...modeling_hqvqvae import HQVQVAEModel

    model = HQVQVAEModel(config)
    rows = [("features", len(config.feature_names), 0)]

    def add(name: str, *parts: nn.Module) -> None:
        for part in parts:
            if isinstance(part, nn.Linear):
                rows.append((name, part.out_features, sum(weights.numel() for weights in part.parameters())))

    add("encoder", *model.encoder)
    if isinstance(model.bottleneck, Bottleneck):
        add("to angles", model.bottleneck.project_in)
        bound = sum(weights.numel() for weights in model.bottleneck.parameters(recurse=False))
        kind = "circuit" if config.bottleneck == "quantum" else config.bottleneck
        rows.append((kind, model.bottleneck.project_out.in_features, bound))
        add("from readout", model.bottleneck.project_out)
    rows.append((f"{config.codebook_size} codes", config.latent_dim, config.codebook_size * config.latent_dim))
    add("decoder", *model.decoder)
    return rows


def draw_model(config: HQVQVAEConfig) -> Canvas:
    """Draw every layer as a bar whose height is its width, with the number of trained parameters below."""
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
    bypass = "; the latent is added to the bottleneck's output" if config.residual else ""
    title = f"Widths of the layers, and their {total:,} trained parameters (grey){bypass}"
    axis.set(xlim=(-0.8, len(rows) - 0.4), ylim=(-47, 40), title=title)
    return figure


def draw_circuit(config: HQVQVAEConfig) -> Canvas:
    """Draw the circuit gate by gate, in PennyLane's text form."""
    from ...pennylane_circuit import draw

    text = draw(config.n_qubits, config.n_layers, config.ansatz)
    lines = text.splitlines()
    figure, axis = _blank(0.085 * max(map(len, lines)) + 1, 0.16 * len(lines) + 0.8)
    axis.text(0.5, 0.5, text, family="DejaVu Sans Mono", fontsize=10, ha="center", va="center", linespacing=1.0)
    axis.set_title(f"{config.ansatz}, {config.n_qubits} qubits, {config.n_layers} layers")
    return figure


def draw_protocol() -> Canvas:
    """Draw leave-one-cell-out: what is learned from training cells, and how it is applied to the unseen cell."""
    return _draw_rows("protocol", (9, 3.2), ([OKABE_ITO[4]] * 4, [OKABE_ITO[1]] * 4))


def draw_split(cohort_of: Mapping[str, str]) -> Canvas:
    """Draw the folds as a matrix: one cell held out in each, all others in training.

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
    axis.set_title("Training (blue) and held out (red); lines separate the cohorts")
    return figure


def draw_notice(text: str) -> Canvas:
    """Draw a notice in place of a figure that cannot be made."""
    figure, axis = _blank(8, 2)
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=10, color=INK, wrap=True)
    return figure
