"""The paper's baseline that is neither quantized nor quantum: a variational autoencoder with clustered latents.

Encoder and decoder, optimiser, epochs and batches are those of the other networks. Only this baseline has a weight of
the Kullback-Leibler term. It is chosen separately for each fit, by the reported error, on a fifth of the training
segments, on which the candidates were not trained; the segments of an unseen cell are not used.
"""

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import nn
from torch.nn import functional as F

from ..modeling_hqvqvae import perceptron
from .fit import TrainingConfig

KL_WEIGHTS = (1e-4, 1e-3, 1e-2, 1e-1)
HELD_BACK = 5  # every 5th segment is held back in the search


class VAE(nn.Module):
    """Encoder to mean and log variance of a normal latent, and decoder from it, for standardised features."""

    def __init__(self, widths: list[int]):
        super().__init__()
        self.encoder = perceptron([*widths[:-1], 2 * widths[-1]])
        self.decoder = perceptron(widths[::-1])

    def means(self, z: torch.Tensor) -> torch.Tensor:
        """Compute the mean latents `(n, D)` of standardised features `(n, F)`."""
        return self.encoder(z).chunk(2, -1)[0]

    def loss(self, z: torch.Tensor, kl_weight: float, generator: torch.Generator) -> torch.Tensor:
        """Compute squared error of one draw per segment plus weighted divergence from N(0, 1), as element means."""
        mean, log_variance = self.encoder(z).chunk(2, -1)
        noise = torch.randn(mean.shape, generator=generator)
        decoded = self.decoder(mean + torch.exp(log_variance / 2) * noise)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        return F.mse_loss(decoded, z) + kl_weight * divergence.mean()


def train_vae(z: torch.Tensor, widths: list[int], kl_weight: float, training: TrainingConfig) -> VAE:
    """Train a VAE without changing torch's global random state.

    Args:
        z: Standardised features `(n, F)`.
        widths: Widths of the encoder, from the features to the latent.
        kl_weight: Weight of the Kullback-Leibler term.
        training: Optimiser settings, epochs and seed.

    Returns:
        The VAE in evaluation mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        model = VAE(widths)
    generator = torch.Generator().manual_seed(training.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=training.learning_rate)
    for _ in range(training.epochs):
        for batch in torch.randperm(len(z), generator=generator).split(training.batch_size):
            optimizer.zero_grad()
            model.loss(z[batch], kl_weight, generator).backward()
            optimizer.step()
    return model.eval()


class ClusteredVAE:
    """A VAE and the k-means centres of its latents; the nearest centre is a segment's code.

    Args:
        z: Standardised training features `(n, F)`.
        widths: Widths of the encoder, from the features to the latent.
        n_codes: Number of centres.
        training: Optimiser settings, epochs and seed.
    """

    def __init__(self, z: np.ndarray, widths: list[int], n_codes: int, training: TrainingConfig):
        self.widths, self.n_codes, self.training = widths, n_codes, training
        order = np.random.default_rng(training.seed).permutation(len(z))
        back, kept = z[order[::HELD_BACK]], z[np.delete(order, np.s_[::HELD_BACK])]
        self.search = {}
        for weight in KL_WEIGHTS:
            self._fit(kept, weight)
            self.search[weight] = float(self.errors(back).mean())
        self.kl_weight = min(self.search, key=self.search.__getitem__)
        self._fit(z, self.kl_weight)

    def _fit(self, z: np.ndarray, kl_weight: float) -> None:
        self.model = train_vae(torch.tensor(z, dtype=torch.float32), self.widths, kl_weight, self.training)
        centres = min(self.n_codes, len(z))  # few segments, less those held back, may be fewer than the codes
        self.kmeans = KMeans(centres, n_init=1, random_state=self.training.seed).fit(self._latents(z))

    @torch.no_grad()
    def _latents(self, z: np.ndarray) -> np.ndarray:
        return self.model.means(torch.tensor(z, dtype=torch.float32)).numpy()

    def encode(self, z: np.ndarray) -> np.ndarray:
        """Return the codes `(n,)` of standardised features `(n, F)`."""
        return self.kmeans.predict(self._latents(z)).astype(np.int64)

    @torch.no_grad()
    def errors(self, z: np.ndarray) -> np.ndarray:
        """Compute the mean squared error of each segment's reconstruction from its centre, `(n,)`."""
        centres = torch.as_tensor(self.kmeans.cluster_centers_, dtype=torch.float32)
        return np.square(self.model.decoder(centres).double().numpy()[self.encode(z)] - z).mean(-1)
