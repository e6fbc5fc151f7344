"""The rotation trick: the gradient of a code's vector reaches the latent turned and scaled, not copied.

Source: C. Fifty et al., "Restructuring Vector Quantization with the Rotation Trick", arXiv:2410.06424.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

TINY = 1e-6  # no length is divided by less


def rotate_to(latents: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """The vectors, as a rotation and scaling of the latents that counts as constant in the gradient.

    Args:
        latents: `(n, D)`.
        vectors: of their codes, `(n, D)`.

    Returns:
        The values of `vectors`, `(n, D)`.
    """
    scale = vectors.norm(dim=-1, keepdim=True) / latents.norm(dim=-1, keepdim=True).clamp(min=TINY)
    source, target = F.normalize(latents, dim=-1, eps=TINY).detach(), F.normalize(vectors, dim=-1, eps=TINY).detach()
    middle = F.normalize(source + target, dim=-1, eps=TINY)
    along = lambda direction: (latents * direction).sum(-1, keepdim=True)  # noqa: E731
    return (latents - 2 * along(middle) * middle + 2 * along(source) * target) * scale.detach()
