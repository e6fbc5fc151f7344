"""SimVQ: a frozen random codebook and one trained linear layer on it, so that all codes move together.

Source: Y. Zhu et al., "Addressing Representation Collapse in Vector Quantized Models with One Linear Layer",
arXiv:2411.02038.
"""

from __future__ import annotations

import torch
from torch import nn

from .quantizer import VectorQuantizer


class SimVQ(VectorQuantizer):
    """A codebook of K vectors, each the same linear map of a vector that stays as it was drawn.

    Args:
        codebook_size: number of codes K.
        latent_dim: width D of a code's vector.
        gradient: see `VectorQuantizer`.
    """

    def __init__(self, codebook_size: int, latent_dim: int, gradient: str = "straight_through"):
        super().__init__(codebook_size, latent_dim, "loss", gradient=gradient)
        del self.codebook
        self.register_buffer("codebook", torch.empty(codebook_size, latent_dim))
        self.transform = nn.Linear(latent_dim, latent_dim, bias=False)

    def vectors(self) -> torch.Tensor:
        return self.transform(self.codebook)
