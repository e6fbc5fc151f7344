"""Vector quantizer: nearest code, straight-through gradient, the paper's loss; options: EMA, k-means, restarts."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .errors import HQVQVAEError

EMA_EPSILON = 1e-5  # keeps the vector of a code that nothing was assigned to where it is


class VectorQuantizer(nn.Module):
    """A codebook of K vectors.

    Args:
        codebook_size: number of codes K.
        latent_dim: width D of a code's vector.
        codebook_update: "loss" (the codebook is a parameter, moved by the codebook term of the loss) or "ema" (a moving
            average of the latents assigned to each code, updated in training mode).
        ema_decay: decay of that average per step.
    """

    codebook: torch.Tensor
    ema_count: torch.Tensor
    ema_sum: torch.Tensor

    def __init__(self, codebook_size: int, latent_dim: int, codebook_update: str = "loss", ema_decay: float = 0.9):
        super().__init__()
        self.codebook_size = codebook_size
        self.codebook_update = codebook_update
        self.ema_decay = ema_decay
        # Everything is persistent: models built on the meta device get non-persistent buffers back uninitialised.
        if codebook_update == "loss":
            self.codebook = nn.Parameter(torch.empty(codebook_size, latent_dim))
        else:
            self.register_buffer("codebook", torch.empty(codebook_size, latent_dim))
            self.register_buffer("ema_count", torch.empty(codebook_size))
            self.register_buffer("ema_sum", torch.empty(codebook_size, latent_dim))

    def encode(self, latents: torch.Tensor) -> torch.Tensor:
        """The nearest code of each latent: `(n, D)` to int64 `(n,)`."""
        return torch.cdist(latents, self.codebook, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """The vectors of codes: int64 `(n,)` to `(n, D)`.

        Raises:
            HQVQVAEError: a code outside 0 ... K - 1.
        """
        if codes.numel() and (codes.min() < 0 or codes.max() >= self.codebook_size):
            raise HQVQVAEError(
                f"codes run from {int(codes.min())} to {int(codes.max())}; expected 0 to {self.codebook_size - 1}"
            )
        return F.embedding(codes, self.codebook)

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize latents `(n, D)`.

        Returns:
            Quantized latents `(n, D)` whose gradient passes straight through to the latents, codes `(n,)`, the codebook
            loss ||sg[z] - e||^2 (carries no gradient with an EMA codebook) and the commitment loss ||z - sg[e]||^2,
            both as means over the elements.
        """
        codes = self.encode(latents)
        vectors = F.embedding(codes, self.codebook)
        codebook_loss = F.mse_loss(vectors, latents.detach())
        commitment_loss = F.mse_loss(latents, vectors.detach())
        if self.training and self.codebook_update == "ema":
            self._update_average(latents.detach(), codes)
        return latents + (vectors - latents).detach(), codes, codebook_loss, commitment_loss

    @torch.no_grad()
    def _update_average(self, latents: torch.Tensor, codes: torch.Tensor) -> None:
        assigned = F.one_hot(codes, self.codebook_size).to(latents.dtype)
        self.ema_count.lerp_(assigned.sum(0), 1 - self.ema_decay)
        self.ema_sum.lerp_(assigned.T @ latents, 1 - self.ema_decay)
        # Sum and count shrink together where nothing is assigned; epsilon on both keeps their ratio finite.
        self.codebook.copy_((self.ema_sum + EMA_EPSILON * self.codebook) / (self.ema_count + EMA_EPSILON)[:, None])

    @torch.no_grad()
    def set_codes(self, index: torch.Tensor, vectors: torch.Tensor) -> None:
        """Put codes where they are told; the averages of an EMA codebook start there with a count of one."""
        self.codebook[index] = vectors
        if self.codebook_update == "ema":
            self.ema_count[index] = 1.0
            self.ema_sum[index] = vectors

    def init_kmeans(self, latents: torch.Tensor, seed: int) -> None:
        """Place the codebook at the k-means centres of latents `(n, D)`.

        Raises:
            HQVQVAEError: fewer latents than codes.
        """
        if len(latents) < self.codebook_size:
            raise HQVQVAEError(
                f"k-means needs at least as many segments as codes, got {len(latents)} for {self.codebook_size}; "
                "lower codebook_size or bring more segments"
            )
        try:
            from sklearn.cluster import KMeans
        except ImportError as error:
            raise HQVQVAEError("codebook_init 'kmeans' needs scikit-learn: pip install scikit-learn") from error
        clusters = KMeans(self.codebook_size, n_init=1, random_state=seed).fit(latents.detach().cpu().numpy())
        centres = torch.as_tensor(clusters.cluster_centers_).to(self.codebook)
        self.set_codes(torch.arange(self.codebook_size, device=self.codebook.device), centres)

    def restart_unused(self, used: torch.Tensor, latents: torch.Tensor, generator: torch.Generator) -> int:
        """Move each unused code onto a latent drawn at random.

        Args:
            used: how often each code was used, `(K,)`.
            latents: where to draw from, `(n, D)`.
            generator: a CPU generator.

        Returns:
            How many codes were moved.
        """
        unused = torch.nonzero(used == 0).flatten()
        drawn = torch.randint(len(latents), (len(unused),), generator=generator)
        self.set_codes(unused, latents[drawn.to(latents.device)].detach())
        return len(unused)


def perplexity(codes: torch.Tensor, codebook_size: int) -> torch.Tensor:
    """exp of the entropy of code usage: 1 for a single code, K for an even use of K."""
    share = torch.bincount(codes, minlength=codebook_size).double() / max(codes.numel(), 1)
    return torch.exp(torch.special.entr(share).sum())


def usage(codes: torch.Tensor) -> int:
    """Number of codes that occur."""
    return int(torch.unique(codes).numel())
