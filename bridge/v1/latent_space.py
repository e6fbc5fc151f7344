"""The latent space of the bridge: angle scaling, LDA on reservoir embeddings, direction of charge state."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bridge.v1.reservoir import EMBEDDING
from dataset_card.errors import MagBridgeError
from dataset_card.running.compiled import compiled

LATENT = 4
"""Number of LDA coordinates: one fewer than the five anchors."""


@dataclass(frozen=True)
class AngleScaler:
    """Standardisation of the channels ahead of the reservoir.

    Attributes:
        mean: (6,) channel means in nT.
        std: (6,) population standard deviations in nT.
    """

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def from_trajectories(cls, means: np.ndarray, stds: np.ndarray) -> AngleScaler:
        """Compute the scaler over all samples of all scans, which follows exactly from the anchors' statistics.

        Args:
            means: (A, T, 6) mean trajectories in nT.
            stds: (A, T, 6) population standard deviations in nT.
        """
        mean = means.mean(axis=(0, 1))
        square = (stds**2 + means**2).mean(axis=(0, 1))
        return cls(mean, np.sqrt(square - mean**2))


@dataclass(frozen=True)
class LatentSpace:
    """Linear map from embeddings to LDA coordinates, and the direction of the charge state in them.

    Attributes:
        scaler_mean: (171,) embedding means.
        scaler_scale: (171,) embedding standard deviations.
        components: (171, 4) LDA directions on standardised embeddings.
        xbar: (171,) LDA's overall mean.
        direction: (4,) unit vector of increasing anchor voltage.
    """

    scaler_mean: np.ndarray
    scaler_scale: np.ndarray
    components: np.ndarray
    xbar: np.ndarray
    direction: np.ndarray

    @classmethod
    def fit(cls, embeddings: np.ndarray, anchor: np.ndarray) -> LatentSpace:
        """Fit the space to embedded scans.

        Args:
            embeddings: (n, 171) embeddings of the scans.
            anchor: (n,) index of each scan's anchor, 0..A-1; at least five anchors.

        Raises:
            MagBridgeError: If shapes are wrong, an embedding is not finite, there are fewer than five anchors, or an
                anchor has fewer than two scans.
        """
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        from sklearn.linear_model import LinearRegression
        from sklearn.preprocessing import StandardScaler
        from threadpoolctl import threadpool_limits

        embeddings, anchor = np.asarray(embeddings, float), np.asarray(anchor)
        if embeddings.shape != (len(anchor), EMBEDDING) or not np.isfinite(embeddings).all():
            raise MagBridgeError(
                f"embeddings of shape {embeddings.shape} for {len(anchor)} scans: expected finite "
                f"numbers of shape ({len(anchor)}, {EMBEDDING})"
            )
        counts = np.bincount(anchor)
        if len(counts) <= LATENT or counts.min() < 2:
            expected = f"expected at least {LATENT + 1} anchors, of at least two scans each"
            raise MagBridgeError(f"scans per anchor {counts.tolist()}: {expected}")
        scaler = StandardScaler().fit(embeddings)
        # One thread: the last digits must not depend on the number of cores, and for so small a matrix it is faster.
        with threadpool_limits(1):
            lda = LinearDiscriminantAnalysis().fit(scaler.transform(embeddings), anchor)
        space = cls(scaler.mean_, scaler.scale_, lda.scalings_[:, :LATENT], lda.xbar_, np.zeros(LATENT))
        # Versions of scikit-learn scale the axes differently; here the unbiased variance within anchors is 1.
        within = space.project(embeddings) - _centroids(space.project(embeddings), anchor)[anchor]
        variance = (within**2).sum(axis=0) / (len(anchor) - len(counts))
        space = replace(space, components=space.components / np.sqrt(variance))
        with threadpool_limits(1):
            slope = LinearRegression().fit(space.project(embeddings), anchor).coef_
        return replace(space, direction=slope / np.linalg.norm(slope))

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Project embeddings (n, 171) to LDA coordinates (n, 4)."""
        standardised = (embeddings - self.scaler_mean) / (self.scaler_scale + 1e-12) - self.xbar
        return _product(np.ascontiguousarray(standardised), np.ascontiguousarray(self.components))


@compiled(nogil=True)
def _product(a, b):
    """Compute a @ b, summing each entry in order: a BLAS product may round differently with the number of rows."""
    out = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                out[i, j] += a[i, k] * b[k, j]
    return out


def separation(coordinates: np.ndarray, anchor: np.ndarray) -> dict[str, float]:
    """Measure how well the space separates the anchors.

    Args:
        coordinates: (n, 4) LDA coordinates.
        anchor: (n,) anchor indices.

    Returns:
        `r2` of the linear regression of the anchor index on the coordinates, `scatter` (mean distance of a scan to
        its anchor's centroid) and `adjacent` (mean distance between the centroids of adjacent anchors).
    """
    from sklearn.linear_model import LinearRegression

    centroids = _centroids(coordinates, anchor)
    return {
        "r2": float(LinearRegression().fit(coordinates, anchor).score(coordinates, anchor)),
        "scatter": float(np.linalg.norm(coordinates - centroids[anchor], axis=1).mean()),
        "adjacent": float(np.linalg.norm(np.diff(centroids, axis=0), axis=1).mean()),
    }


def _centroids(coordinates: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    return np.stack([coordinates[anchor == a].mean(axis=0) for a in range(anchor.max() + 1)])
