"""All that turns segments into codes, behind one face: the named HQ-VQVAE configurations and the classical baselines.

coder = fit_method("pca-kmeans", features, seed=0)
coder.encode(features)      # codes, int64 (n,)
coder.errors(features)      # squared error of each segment in the training segments' z units, float64 (n,)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from dataset_card.errors import MagBridgeError

from ..cells.features import require_known
from ..configuration_hqvqvae import NAMED_CONFIGS, PAPER_FEATURES, HQVQVAEConfig

CODEBOOK_SIZE = 32
RAW_Z_CLIP = 10.0  # protocol P keeps broken records; their z-scores are bounded

BASELINES = ("ae-kmeans", "vae-kmeans", "pca-kmeans", "random")
METHODS = (*(name for name, options in NAMED_CONFIGS.items() if "feature_names" not in options), *BASELINES)
LIFE_METHODS = ("kmeans", "pca3-kmeans", "vae-kmeans", "precursor-classical", "precursor", "random")
QUANTIZERS = ("precursor-rotation", "precursor-simvq", "precursor-fsq")
"""Of the search for codes that foretell lives, whose inputs are few: three principal components are half of them."""
PCA_DIMS = {"pca-kmeans": 8, "pca3-kmeans": 3, "kmeans": 10_000}


class Coder(Protocol):
    """A fitted method."""

    def encode(self, features: np.ndarray) -> np.ndarray:
        """Codes `(n,)` of segments `(n, F)` in their own units."""

    def errors(self, features: np.ndarray) -> np.ndarray:
        """Mean squared error of each segment's reconstruction `(n,)`, in z units of the training segments."""


class NeuralCoder:
    """A trained `HQVQVAEModel` as a coder."""

    def __init__(self, model):
        self.model = model

    def encode(self, features: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            return self.model.encode_relative(torch.tensor(features, dtype=torch.float32))[0].numpy()

    def errors(self, features: np.ndarray) -> np.ndarray:
        import torch

        from .fit import segment_errors

        return segment_errors(self.model, torch.tensor(features, dtype=torch.float32)).double().numpy()


class _Standardised:
    """z-scores by the training segments' mean and spread."""

    def __init__(self, features: np.ndarray, z_clip: float | None):
        self.mean, self.std, self.z_clip = features.mean(0), features.std(0), z_clip

    def z(self, features: np.ndarray) -> np.ndarray:
        z = (features - self.mean) / self.std
        return z if self.z_clip is None else z.clip(-self.z_clip, self.z_clip)


class PCAKMeans(_Standardised):
    """k-means on principal components, or on all there is of them."""

    def __init__(self, features: np.ndarray, seed: int, z_clip: float | None, n_codes: int, n_components: int):
        from sklearn.cluster import KMeans
        from sklearn.decomposition import PCA

        super().__init__(features, z_clip)
        self.pca = PCA(min(n_components, features.shape[1]), random_state=seed).fit(self.z(features))
        self.kmeans = KMeans(n_codes, n_init=10, random_state=seed).fit(self.pca.transform(self.z(features)))

    def encode(self, features: np.ndarray) -> np.ndarray:
        return self.kmeans.predict(self.pca.transform(self.z(features))).astype(np.int64)

    def errors(self, features: np.ndarray) -> np.ndarray:
        decoded = self.pca.inverse_transform(self.kmeans.cluster_centers_[self.encode(features)])
        return np.square(decoded - self.z(features)).mean(-1)


class VAEKMeans(_Standardised):
    """k-means on the latents of a variational autoencoder, see `vae`."""

    def __init__(self, features: np.ndarray, training, z_clip: float | None, n_codes: int):
        from .vae import ClusteredVAE

        super().__init__(features, z_clip)
        like = HQVQVAEConfig()
        widths = [features.shape[1], *like.hidden_sizes, like.latent_dim]
        self.clustered = ClusteredVAE(self.z(features), widths, n_codes, training)

    def encode(self, features: np.ndarray) -> np.ndarray:
        return self.clustered.encode(self.z(features))

    def errors(self, features: np.ndarray) -> np.ndarray:
        return self.clustered.errors(self.z(features))


class RandomCodes(_Standardised):
    """A code drawn at random for each segment, decoded to the mean of the training segments that drew it."""

    def __init__(self, features: np.ndarray, seed: int, z_clip: float | None, n_codes: int):
        super().__init__(features, z_clip)
        self.seed, self.n_codes = seed, n_codes
        codes, z = self.encode(features), self.z(features)
        drawn = [z[codes == code] for code in range(n_codes)]
        self.means = np.stack([rows.mean(0) if len(rows) else np.zeros(z.shape[1]) for rows in drawn])

    def encode(self, features: np.ndarray) -> np.ndarray:
        return np.random.default_rng((self.seed, len(features))).integers(self.n_codes, size=len(features))

    def errors(self, features: np.ndarray) -> np.ndarray:
        return np.square(self.means[self.encode(features)] - self.z(features)).mean(-1)


def fit_method(
    name: str,
    features: np.ndarray,
    seed: int,
    *,
    protocol: str = "C",
    feature_names: tuple[str, ...] = PAPER_FEATURES,
    training=None,
    n_codes: int = CODEBOOK_SIZE,
    reference_window: tuple[int, int] | None = None,
) -> Coder:
    """Fit one method on training segments.

    Args:
        name: one of `METHODS` or `LIFE_METHODS`: a named configuration, "ae-kmeans" (the autoencoder without
            bottleneck, k-means on its latents), "vae-kmeans" (the same of a variational one), "kmeans", "pca-kmeans",
            "pca3-kmeans" or "random".
        features: training segments `(n, F)` in their own units.
        seed: of everything random in it.
        protocol: how the features were cleaned; "P" bounds z-scores at +-10.
        feature_names: names of the columns.
        training: a `TrainingConfig` other than the default; its seed is replaced.
        n_codes: size of the codebook.
        reference_window: which segments of a cell the features were taken less; a model will do so itself.

    Returns:
        The fitted coder.

    Raises:
        MagBridgeError: an unknown method, or a feature that is constant.
    """
    require_known("method", name, METHODS + LIFE_METHODS + QUANTIZERS)
    from .fit import TrainingConfig, fit, single_thread

    z_clip = RAW_Z_CLIP if protocol == "P" else None
    training = replace(training or TrainingConfig(), seed=seed)
    # By extremes: the spread of equal numbers may come out as rounding, not as 0.
    constant = [column for column, spread in zip(feature_names, np.ptp(features, axis=0), strict=True) if spread == 0]
    if constant:
        raise MagBridgeError(f"constant over the {len(features)} training segments: {constant}; leave them out")
    with single_thread():
        values = np.asarray(features, dtype=float)
        if name == "vae-kmeans":
            return VAEKMeans(values, training, z_clip, n_codes)
        if name == "random":
            return RandomCodes(values, seed, z_clip, n_codes)
        if name in PCA_DIMS:
            return PCAKMeans(values, seed, z_clip, n_codes, PCA_DIMS[name])
    config_name = name
    if name == "ae-kmeans":
        # All epochs are warm-up: an autoencoder that never sees its codebook, which k-means then places.
        config_name, training = "recommended-classical", replace(training, warmup_epochs=training.epochs)
    own = {} if reference_window is None else {"reference_window": reference_window}
    config = HQVQVAEConfig.named(
        config_name, **own, feature_names=list(feature_names), protocol=protocol, z_clip=z_clip, codebook_size=n_codes
    )
    return NeuralCoder(fit(config, features, training, measure_each_epoch=False).model)
