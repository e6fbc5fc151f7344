"""The paper's baseline that is neither quantized nor quantum: a variational autoencoder, its latents clustered after.

Encoder and decoder, optimiser, epochs and batches are those of the other networks. What they do not have is the weight
of the Kullback-Leibler term. It is chosen, anew for each fit and by the error that is reported, on a fifth of the
training segments that the candidates were not trained on; the segments of an unseen cell take no part.
"""

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import nn
from torch.nn import functional as F

from ..modeling_hqvqvae import perceptron
from .fit import TrainingConfig

KL_WEIGHTS = (1e-4, 1e-3, 1e-2, 1e-1)
HELD_BACK = 5  # one segment in so many is held back in the search


class VAE(nn.Module):
    """Encoder to mean and log variance of a normal latent, decoder from it, on standardised features."""

    def __init__(self, widths: list[int]):
        super().__init__()
        self.encoder = perceptron([*widths[:-1], 2 * widths[-1]])
        self.decoder = perceptron(widths[::-1])

    def means(self, z: torch.Tensor) -> torch.Tensor:
        """Mean latents `(n, D)` of standardised features `(n, F)`."""
        return self.encoder(z).chunk(2, -1)[0]

    def loss(self, z: torch.Tensor, kl_weight: float, generator: torch.Generator) -> torch.Tensor:
        """Mean squared error of one draw a segment, and the weighted divergence from N(0, 1), means over elements."""
        mean, log_variance = self.encoder(z).chunk(2, -1)
        noise = torch.randn(mean.shape, generator=generator)
        decoded = self.decoder(mean + torch.exp(log_variance / 2) * noise)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        return F.mse_loss(decoded, z) + kl_weight * divergence.mean()


def train_vae(z: torch.Tensor, widths: list[int], kl_weight: float, training: TrainingConfig) -> VAE:
    """A VAE of standardised features `(n, F)`; its draws are the training's own, torch's state is left as it was."""
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
    """A VAE and the k-means centres of its latents: the nearest centre is a segment's code.

    Args:
        z: standardised training features `(n, F)`.
        widths: of the encoder, from the features to the latent.
        n_codes: centres.
        training: optimiser, epochs and seed.
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
        centres = min(self.n_codes, len(z))  # what is left of few segments may be fewer than the codes
        self.kmeans = KMeans(centres, n_init=1, random_state=self.training.seed).fit(self._latents(z))

    @torch.no_grad()
    def _latents(self, z: np.ndarray) -> np.ndarray:
        return self.model.means(torch.tensor(z, dtype=torch.float32)).numpy()

    def encode(self, z: np.ndarray) -> np.ndarray:
        """Codes `(n,)` of standardised features."""
        return self.kmeans.predict(self._latents(z)).astype(np.int64)

    @torch.no_grad()
    def errors(self, z: np.ndarray) -> np.ndarray:
        """Mean squared error of each segment's reconstruction from its centre, `(n,)`."""
        centres = torch.as_tensor(self.kmeans.cluster_centers_, dtype=torch.float32)
        return np.square(self.model.decoder(centres).double().numpy()[self.encode(z)] - z).mean(-1)
