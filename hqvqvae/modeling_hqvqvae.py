"""HQ-VQVAE: encoder, bottleneck with a quantum circuit, vector quantizer, decoder, as a `PreTrainedModel`.

x -> standardise -> encoder -> z_e -> bottleneck (linear, circuit, linear) -> z_q -> nearest code e -> decoder -> x^
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .bottleneck import Bottleneck
from .configuration_hqvqvae import HQVQVAEConfig
from .errors import HQVQVAEError
from .quantizer import VectorQuantizer, perplexity

_LOADING_FAULTS = ("missing_keys", "unexpected_keys", "mismatched_keys")
PACKAGED = Path(__file__).parent / "pretrained"  # folders of weights that ship with the package, by name


@dataclass
class HQVQVAEOutput(ModelOutput):
    """Output of `HQVQVAEModel`; errors are in standardised units, means over elements.

    Args:
        loss: reconstruction + codebook + beta * commitment (without the codebook term where EMA moves the codebook).
        reconstruction_loss: mean squared error of the standardised features.
        codebook_loss: ||sg[z] - e||^2.
        commitment_loss: ||z - sg[e]||^2, before beta.
        reconstruction: features in their own units, `(n, F)`.
        codes: int64 `(n,)`.
        latents: what was quantized, `(n, D)`.
        perplexity: exp of the entropy of code usage in this batch.
    """

    loss: torch.Tensor | None = None
    reconstruction_loss: torch.Tensor | None = None
    codebook_loss: torch.Tensor | None = None
    commitment_loss: torch.Tensor | None = None
    reconstruction: torch.Tensor | None = None
    codes: torch.Tensor | None = None
    latents: torch.Tensor | None = None
    perplexity: torch.Tensor | None = None


@dataclass
class HQVQVAEEncoding(ModelOutput):
    """Output of `HQVQVAEModel.encode`: codes `(n,)` and the latents they were read from `(n, D)`."""

    codes: torch.Tensor | None = None
    latents: torch.Tensor | None = None


def _perceptron(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class HQVQVAEModel(PreTrainedModel):
    """Codes for discharge segments (paper, section 3).

    Inputs are features in their own units, in the order of `config.feature_names`; the mean and spread that standardise
    them are part of the weights.

    Example:
        >>> import torch
        >>> from hqvqvae import HQVQVAEModel, load_segments
        >>> model = HQVQVAEModel.from_pretrained("recommended")
        >>> segments = load_segments()
        >>> features = torch.tensor(segments[model.config.feature_names].to_numpy(), dtype=torch.float32)
        >>> model.encode(features).codes.shape
        torch.Size([1466])
    """

    config_class = HQVQVAEConfig
    base_model_prefix = "hqvqvae"
    main_input_name = "features"

    def __init__(self, config: HQVQVAEConfig):
        super().__init__(config)
        widths = [len(config.feature_names), *config.hidden_sizes, config.latent_dim]
        self.register_buffer("feature_mean", torch.empty(widths[0]))
        self.register_buffer("feature_std", torch.empty(widths[0]))
        self.encoder = _perceptron(widths)
        self.bottleneck = nn.Identity() if config.bottleneck == "none" else Bottleneck(config)
        self.quantizer = VectorQuantizer(
            config.codebook_size, config.latent_dim, config.codebook_update, config.ema_decay
        )
        self.decoder = _perceptron(widths[::-1])
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)  # torch's own default for a linear layer
            init.uniform_(module.weight, -bound, bound)
            init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, Bottleneck):
            module.init_weights(self.config.circuit_init_std)
        elif isinstance(module, VectorQuantizer):
            init.uniform_(module.codebook, -1 / module.codebook_size, 1 / module.codebook_size)
            if module.codebook_update == "ema":
                init.ones_(module.ema_count)
                init.copy_(module.ema_sum, module.codebook)
        elif module is self:
            init.zeros_(self.feature_mean)
            init.ones_(self.feature_std)

    def _check_features(self, features: torch.Tensor) -> None:
        names = self.config.feature_names
        if features.ndim != 2 or features.shape[1] != len(names):
            raise HQVQVAEError(
                f"features have shape {tuple(features.shape)}; expected (n, {len(names)}): {', '.join(names)}"
            )
        finite = torch.isfinite(features)
        if not finite.all():
            row, column = torch.nonzero(~finite)[0].tolist()
            raise HQVQVAEError(
                f"feature {names[column]} of row {row} is {features[row, column].item()}; expected finite numbers"
            )

    @torch.no_grad()
    def set_standardisation(self, features: torch.Tensor) -> None:
        """Take mean and spread from training features `(n, F)`.

        Raises:
            HQVQVAEError: another number of features, one that is not finite, or one that is constant.
        """
        self._check_features(features)
        features = features.double()
        mean, std = features.mean(0), features.std(0, unbiased=False)
        constant = [name for name, spread in zip(self.config.feature_names, std) if not spread > 0]
        if constant:
            raise HQVQVAEError(
                f"constant over the {len(features)} training segments: {constant}; drop them from feature_names"
            )
        self.feature_mean.copy_(mean)
        self.feature_std.copy_(std)

    def standardise(self, features: torch.Tensor) -> torch.Tensor:
        """Features `(n, F)` in their own units to z-scores, clipped to +-`config.z_clip` if that is set.

        Raises:
            HQVQVAEError: another number of features, or one that is not finite.
        """
        self._check_features(features)
        z = (features.to(self.feature_mean) - self.feature_mean) / self.feature_std
        return z if self.config.z_clip is None else z.clamp(-self.config.z_clip, self.config.z_clip)

    def latents_of(self, z: torch.Tensor) -> torch.Tensor:
        """Latents `(n, D)` of standardised features `(n, F)`, before quantization."""
        return self.bottleneck(self.encoder(z))

    def encode(self, features: torch.Tensor) -> HQVQVAEEncoding:
        """Codes and latents of features `(n, F)` in their own units."""
        latents = self.latents_of(self.standardise(features))
        return HQVQVAEEncoding(codes=self.quantizer.encode(latents), latents=latents)

    def decode(self, codes: torch.Tensor | None = None, latents: torch.Tensor | None = None) -> torch.Tensor:
        """Features `(n, F)` in their own units, from codes `(n,)` or from latents `(n, D)` as they are.

        Raises:
            HQVQVAEError: both or neither are given, or a code is out of range.
        """
        if (codes is None) == (latents is None):
            raise HQVQVAEError("decode takes either codes or latents, exactly one of them")
        vectors = latents if codes is None else self.quantizer.decode(codes)
        return self.decoder(vectors) * self.feature_std + self.feature_mean

    def forward(self, features: torch.Tensor, return_loss: bool = True) -> HQVQVAEOutput:
        """Encode, quantize and decode a batch.

        Args:
            features: `(n, F)` in their own units.
            return_loss: always true; `Trainer` looks for this argument in a model that makes its own loss.

        Returns:
            Loss and its three parts, reconstruction, codes, latents and perplexity.
        """
        z = self.standardise(features)
        latents = self.latents_of(z)
        quantized, codes, codebook_loss, commitment_loss = self.quantizer(latents)
        decoded = self.decoder(quantized)
        reconstruction_loss = F.mse_loss(decoded, z)
        loss = reconstruction_loss + self.config.commitment_cost * commitment_loss
        if self.config.codebook_update == "loss":
            loss = loss + codebook_loss
        return HQVQVAEOutput(
            loss=loss,
            reconstruction_loss=reconstruction_loss,
            codebook_loss=codebook_loss,
            commitment_loss=commitment_loss,
            reconstruction=decoded * self.feature_std + self.feature_mean,
            codes=codes,
            latents=latents,
            perplexity=perplexity(codes, self.config.codebook_size),
        )

    @classmethod
    def from_pretrained(cls, name_or_path: str | os.PathLike, *args, output_loading_info: bool = False, **kwargs):
        """Load weights by packaged name ("recommended", "paper"), folder, or Hub id.

        A packaged name goes before a folder of that name: write "./paper" for the folder.
        As in transformers, except that a checkpoint which does not fill the model exactly is an error: a codebook that
        was drawn anew in silence would give other codes.

        Raises:
            HQVQVAEError: tensors are missing, left over or of another shape.
        """
        packaged = PACKAGED / str(name_or_path)
        if os.sep not in str(name_or_path) and (packaged / "config.json").is_file():
            name_or_path = packaged
        # Mismatches are let through only to be named, all at once, below.
        kwargs |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
        model, info = super().from_pretrained(name_or_path, *args, **kwargs)
        wrong = {kind: sorted(info[kind], key=str) for kind in _LOADING_FAULTS if info.get(kind)}
        if wrong:
            raise HQVQVAEError(f"the weights of {name_or_path} are not those of its configuration: {wrong}")
        return (model, info) if output_loading_info else model


# A saved model carries its code, so that AutoModel can load it from a folder or the Hub with trust_remote_code.
HQVQVAEConfig.register_for_auto_class()
HQVQVAEModel.register_for_auto_class("AutoModel")
