"""How well the latent space separates the anchors, on fitted and on held-out scans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.v1.latent_space import LatentSpace, separation
from dataset_card.errors import MagBridgeError

BLOCKS = 5
MEANING = (
    "With 171 dimensions for 205 scans, the fit pulls the fitted scans onto their centroids, so only the held-out "
    "ratios show how far apart the anchors are for a new scan. The ratio by blocks of positions is the stricter one, "
    "because neighbouring positions are alike."
)


@dataclass(frozen=True)
class Separation:
    """Scatter within anchors against the distance between them.

    Attributes:
        name: The scans on which the figures are measured.
        scatter: Mean distance of a scan to its anchor's centroid, in LDA units.
        adjacent: Mean distance between the centroids of adjacent anchors, in LDA units.
        ratio: `adjacent` over `scatter`.
        fits: Number of fits behind the figures.
    """

    name: str
    scatter: float
    adjacent: float
    ratio: float
    fits: int


def separations(embeddings: np.ndarray, anchor: np.ndarray, fitted: LatentSpace) -> list[Separation]:
    """Measure in-sample and held-out separation.

    Args:
        embeddings: (S, 171) embeddings of the scans, ordered by position at each anchor.
        anchor: (S,) anchor indices, with the same number of scans each.
        fitted: The space in use, fitted on all scans.

    Returns:
        In-sample; held out by position (one position of every anchor at a time); held out by block (a fifth of the
        positions of every anchor, adjacent ones, at a time).

    Raises:
        MagBridgeError: If the anchors have different numbers of scans, or too few.
    """
    counts = np.bincount(anchor)
    positions = counts[0]
    if (counts != positions).any() or positions < 2 * BLOCKS:
        raise MagBridgeError(f"scans per anchor {counts.tolist()}: expected the same number, at least {2 * BLOCKS}")
    inside = separation(fitted.project(embeddings), anchor)
    position = np.tile(np.arange(positions), len(counts))
    return [
        Separation("in-sample", inside["scatter"], inside["adjacent"], inside["adjacent"] / inside["scatter"], 1),
        _held_out("held out by position", embeddings, anchor, position),
        _held_out("held out by block of positions", embeddings, anchor, position * BLOCKS // positions),
    ]


def _held_out(name: str, embeddings: np.ndarray, anchor: np.ndarray, group: np.ndarray) -> Separation:
    scatter, adjacent, weight = [], [], []
    for value in np.unique(group):
        seen = group != value
        space = LatentSpace.fit(embeddings[seen], anchor[seen])
        z = space.project(embeddings)
        centroids = np.stack([z[seen & (anchor == a)].mean(axis=0) for a in range(anchor.max() + 1)])
        scatter.append(np.linalg.norm(z[~seen] - centroids[anchor[~seen]], axis=1).mean())
        adjacent.append(np.linalg.norm(np.diff(centroids, axis=0), axis=1).mean())
        weight.append((~seen).sum())
    within, between = (float(np.average(values, weights=weight)) for values in (scatter, adjacent))
    return Separation(name, within, between, between / within, len(weight))
