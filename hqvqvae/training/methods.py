"""Methods that turn segments into codes, with one interface: named HQ-VQVAE configurations and classical baselines.

coder = fit_method("pca-kmeans", features, seed=0)
coder.encode(features)      # codes, int64 (n,)
coder.errors(features)      # squared error of each segment in the training segments' z units, float64 (n,)
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from dataset_card.errors import MagBridgeError

from ..cells.features import require_known
from ..configuration_hqvqvae import NAMED_CONFIGS, PAPER_FEATURES, HQVQVAEConfig

CODEBOOK_SIZE = 32
RAW_Z_CLIP = 10.0  # protocol P keeps faulty records; their z-scores are bounded

BASELINES = ("ae-kmeans", "vae-kmeans", "pca-kmeans", "random")
METHODS = (*(name for name, options in NAMED_CONFIGS.items() if "feature_names" not in options), *BASELINES)
LIFE_METHODS = ("kmeans", "pca3-kmeans", "vae-kmeans", "precursor-classical", "precursor", "random")
"""Methods in the search for codes that predict lives, whose inputs are few: three components are half of them."""

QUANTIZERS = ("precursor-rotation", "precursor-simvq", "precursor-fsq")
"""Further quantizers and gradients in that search."""

PCA_DIMS = {"pca-kmeans": 8, "pca3-kmeans": 3, "kmeans": 10_000}


class Coder(Protocol):
    """A fitted method."""

    def encode(self, features: np.ndarray) -> np.ndarray:
        """Return the codes `(n,)` of segments `(n, F)` in their own units."""

    def errors(self, features: np.ndarray) -> np.ndarray:
        """Return the mean squared reconstruction error per segment `(n,)`, in z units of the training segments."""


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


class Standardised:
    """A method that works on z-scores, with the training segments' mean and spread.

    Args:
        features: Training segments `(n, F)` in their own units.
        z_clip: Bound on the magnitude of z-scores; None for no bound.
        fit: Function that fits a coder to their z-scores.
    """

    def __init__(self, features: np.ndarray, z_clip: float | None, fit: Callable[[np.ndarray], Coder]):
        self.mean, self.std, self.z_clip = features.mean(0), features.std(0), z_clip
        self.fitted = fit(self.z(features))

    def z(self, features: np.ndarray) -> np.ndarray:
        z = (features - self.mean) / self.std
        return z if self.z_clip is None else z.clip(-self.z_clip, self.z_clip)

    def encode(self, features: np.ndarray) -> np.ndarray:
        return self.fitted.encode(self.z(features))

    def errors(self, features: np.ndarray) -> np.ndarray:
        return self.fitted.errors(self.z(features))


class PCAKMeans:
    """k-means on the first principal components of z-scores, at most as many as there are features."""

    def __init__(self, z: np.ndarray, seed: int, n_codes: int, n_components: int):
        from sklearn.cluster import KMeans
        from sklearn.decomposition import PCA

        if len(z) < n_codes:
            raise MagBridgeError(f"k-means needs at least {n_codes} segments, one per code; got {len(z)}; use more")
        self.pca = PCA(min(n_components, z.shape[1]), random_state=seed).fit(z)
        self.kmeans = KMeans(n_codes, n_init=10, random_state=seed).fit(self.pca.transform(z))

    def encode(self, z: np.ndarray) -> np.ndarray:
        return self.kmeans.predict(self.pca.transform(z)).astype(np.int64)

    def errors(self, z: np.ndarray) -> np.ndarray:
        decoded = self.pca.inverse_transform(self.kmeans.cluster_centers_[self.encode(z)])
        return np.square(decoded - z).mean(-1)


class RandomCodes:
    """A random code for each segment, decoded to the mean z-scores of the training segments that drew it."""

    def __init__(self, z: np.ndarray, seed: int, n_codes: int):
        self.seed, self.n_codes = seed, n_codes
        codes = self.encode(z)
        drawn = [z[codes == code] for code in range(n_codes)]
        self.means = np.stack([rows.mean(0) if len(rows) else np.zeros(z.shape[1]) for rows in drawn])

    def encode(self, z: np.ndarray) -> np.ndarray:
        return np.random.default_rng((self.seed, len(z))).integers(self.n_codes, size=len(z))

    def errors(self, z: np.ndarray) -> np.ndarray:
        return np.square(self.means[self.encode(z)] - z).mean(-1)


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
        name: One of `METHODS`, `LIFE_METHODS` or `QUANTIZERS`: a named configuration, "ae-kmeans" (the autoencoder
            without bottleneck, with k-means on its latents), "vae-kmeans" (the same with a variational autoencoder),
            "kmeans", "pca-kmeans", "pca3-kmeans" or "random".
        features: Training segments `(n, F)` in their own units.
        seed: Seed of everything random in the method.
        protocol: How the features were cleaned; "P" bounds z-scores at +-10.
        feature_names: Names of the columns.
        training: A `TrainingConfig`, whose seed is replaced; the default one if None.
        n_codes: Codebook size.
        reference_window: Segments of a cell whose mean was subtracted from the features; stored in the model, which
            then subtracts it itself.

    Returns:
        The fitted coder.

    Raises:
        MagBridgeError: If the method is unknown or a feature is constant.
    """
    require_known("method", name, METHODS + LIFE_METHODS + QUANTIZERS)
    from .fit import TrainingConfig, fit, single_thread
    from .vae import ClusteredVAE

    z_clip = RAW_Z_CLIP if protocol == "P" else None
    training = replace(training or TrainingConfig(), seed=seed)
    # By extremes, because the computed spread of equal numbers may be a rounding error rather than 0.
    constant = [column for column, spread in zip(feature_names, np.ptp(features, axis=0), strict=True) if spread == 0]
    if constant:
        raise MagBridgeError(f"constant over the {len(features)} training segments: {constant}; leave them out")
    values = np.asarray(features, dtype=float)
    like = HQVQVAEConfig()
    widths = [values.shape[1], *like.hidden_sizes, like.latent_dim]
    fits: dict[str, Callable[[np.ndarray], Coder]] = {
        "vae-kmeans": lambda z: ClusteredVAE(z, widths, n_codes, training),
        "random": lambda z: RandomCodes(z, seed, n_codes),
        **dict.fromkeys(PCA_DIMS, lambda z: PCAKMeans(z, seed, n_codes, PCA_DIMS[name])),
    }
    if name in fits:
        with single_thread():
            return Standardised(values, z_clip, fits[name])
    config_name = name
    if name == "ae-kmeans":
        # All epochs are warm-up: the autoencoder never uses its codebook, which k-means places afterwards.
        config_name, training = "recommended-classical", replace(training, warmup_epochs=training.epochs)
    own: dict[str, Any] = {} if reference_window is None else {"reference_window": reference_window}
    own |= {"feature_names": list(feature_names), "protocol": protocol, "z_clip": z_clip, "codebook_size": n_codes}
    config = HQVQVAEConfig.named(config_name, **own)
    return NeuralCoder(fit(config, features, training, measure_each_epoch=False).model)
