"""Finite scalar quantization: a few bounded numbers, each rounded to one of a few levels; every combination is a code.

Source: F. Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", arXiv:2309.15505.
"""

import math

import torch
from torch import nn

from .configuration_hqvqvae import HQVQVAEConfig
from .quantizer import check_codes

MOST_LEVELS = 8
MARGIN = 1e-3  # share by which the bound exceeds the outer levels, as in the paper


def levels_of(codebook_size: int) -> list[int]:
    """Return numbers of levels with the codebook size as their product: 3 to 8 each, if it has such factors."""
    levels, left = [], codebook_size
    while left > MOST_LEVELS:
        factor = next((n for n in range(MOST_LEVELS, 2, -1) if left % n == 0 and left // n > 2), left)
        levels.append(factor)
        left //= factor
    return levels + [left] * (left > 1 or not levels)


class FiniteScalarQuantizer(nn.Module):
    """Map linearly to one number per level count, bound and round it, map back; no codebook is learned.

    Args:
        config: gives the number of codes K, the product of the level counts, and the width D of a latent.
    """

    def __init__(self, config: HQVQVAEConfig):
        super().__init__()
        self.codebook_size, self.codebook_update = config.codebook_size, "loss"
        self.counts = levels_of(config.codebook_size)
        self.project_in = nn.Linear(config.latent_dim, len(self.counts))
        self.project_out = nn.Linear(len(self.counts), config.latent_dim)
        self.used: torch.Tensor | None = None

    def rounded(self, numbers: torch.Tensor) -> torch.Tensor:
        """Bound numbers `(n, d)` and round them to whole levels around 0, passing gradients straight through."""
        counts = numbers.new_tensor(self.counts)
        half = (counts - 1) * (1 + MARGIN) / 2
        offset = torch.where(counts % 2 == 0, 0.5, 0.0)
        bounded = (numbers + torch.atanh(offset / half)).tanh() * half - offset
        return bounded + (bounded.round() - bounded).detach()

    def encode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the code of each latent: `(n, D)` to int64 `(n,)`."""
        return self._code(self.rounded(self.project_in(latents)))

    def _code(self, whole: torch.Tensor) -> torch.Tensor:
        counts = torch.tensor(self.counts, device=whole.device)
        return ((whole.round().long() + counts // 2) * self._basis(whole.device)).sum(-1)

    def _basis(self, device: torch.device) -> torch.Tensor:
        return torch.tensor([math.prod(self.counts[:place]) for place in range(len(self.counts))], device=device)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the vectors of codes: int64 `(n,)` to `(n, D)`.

        Raises:
            HQVQVAEError: If a code is outside 0 ... K - 1.
        """
        check_codes(codes, self.codebook_size)
        counts = torch.tensor(self.counts, device=codes.device)
        whole = codes[:, None] // self._basis(codes.device) % counts - counts // 2
        return self._vectors(whole.to(self.project_out.weight))

    def _vectors(self, whole: torch.Tensor) -> torch.Tensor:
        return self.project_out(whole / (whole.new_tensor(self.counts) // 2).clamp(min=1))

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize latents `(n, D)`; return vectors `(n, D)`, codes `(n,)`, and two losses that are zero."""
        whole = self.rounded(self.project_in(latents))
        codes = self._code(whole.detach())
        if self.training and self.used is not None and latents.requires_grad:
            self.used += torch.bincount(codes, minlength=self.codebook_size)
        none = latents.new_zeros(())
        return self._vectors(whole), codes, none, none
