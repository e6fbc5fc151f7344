"""Vector quantizer: nearest code, straight-through gradient, the paper's loss; options: EMA, k-means, restarts.

`CodebookLife` manages a codebook between epochs, for `fit` and, through `CodebookCallback`, for `Trainer`.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import TrainerCallback

from .configuration_hqvqvae import HQVQVAEConfig
from .errors import HQVQVAEError

TINY = 1e-6  # smallest length to divide by
EMA_EPSILON = 1e-5  # keeps the vector of a code without assigned latents in place


class VectorQuantizer(nn.Module):
    """A codebook of K vectors.

    Args:
        config: gives the number of codes K, the width D of a code's vector, the `codebook_update`, "loss" (the codebook
            is a parameter, moved by the codebook term of the loss) or "ema" (a moving average of the latents assigned
            to each code with `ema_decay` per step, updated in training mode), and the `gradient`: how the gradient of
            a code's vector reaches the latent.
    """

    codebook: torch.Tensor
    ema_count: torch.Tensor
    ema_sum: torch.Tensor

    def __init__(self, config: HQVQVAEConfig):
        super().__init__()
        self.codebook_size, self.gradient = config.codebook_size, config.gradient
        self.codebook_update, self.ema_decay = config.codebook_update, config.ema_decay
        empty = torch.empty(config.codebook_size, config.latent_dim)
        self.used: torch.Tensor | None = None  # use of each code in training mode, counted for `CodebookLife`
        # All buffers are persistent: models built on the meta device get non-persistent ones back uninitialised.
        if self.codebook_update == "loss":
            self.codebook = nn.Parameter(empty)
        else:
            self.register_buffer("codebook", empty)
            self.register_buffer("ema_count", torch.empty(config.codebook_size))
            self.register_buffer("ema_sum", torch.empty_like(empty))

    def vectors(self) -> torch.Tensor:
        """Return the vectors of all codes, `(K, D)`."""
        return self.codebook

    def encode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the nearest code of each latent: `(n, D)` to int64 `(n,)`."""
        if torch.compiler.is_exporting():  # ONNX has no cdist
            return (latents[:, None] - self.vectors()).square().sum(-1).argmin(-1)
        return torch.cdist(latents, self.vectors(), compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the vectors of codes: int64 `(n,)` to `(n, D)`.

        Raises:
            HQVQVAEError: If a code is outside 0 ... K - 1.
        """
        check_codes(codes, self.codebook_size)
        return F.embedding(codes, self.vectors())

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize latents `(n, D)`.

        Returns:
            Quantized latents `(n, D)`, whose gradient is passed on to the latents, codes `(n,)`, the codebook loss
            ||sg[z] - e||^2 (without gradient for an EMA codebook) and the commitment loss ||z - sg[e]||^2, both as
            means over elements.
        """
        codes = self.encode(latents)
        vectors = F.embedding(codes, self.vectors())
        codebook_loss = mean_square(vectors, latents.detach())
        commitment_loss = mean_square(latents, vectors.detach())
        # Latents that are not trained, under `no_grad` or with all parameters frozen, do not change the codebook.
        if self.training and len(latents) and latents.requires_grad:
            if self.used is not None:
                self.used += torch.bincount(codes, minlength=self.codebook_size)
            if self.codebook_update == "ema":
                self._update_average(latents.detach(), codes)
        passed = rotate_to(latents, vectors) if self.gradient == "rotation" else latents + (vectors - latents).detach()
        return passed, codes, codebook_loss, commitment_loss

    @torch.no_grad()
    def _update_average(self, latents: torch.Tensor, codes: torch.Tensor) -> None:
        assigned = F.one_hot(codes, self.codebook_size).to(latents.dtype)
        # The segments of all ranks move the codebook; otherwise, ranks of data-parallel training would drift apart.
        self.ema_count.lerp_(over_ranks(assigned.sum(0)), 1 - self.ema_decay)
        self.ema_sum.lerp_(over_ranks(assigned.T @ latents), 1 - self.ema_decay)
        # Sum and count shrink together if nothing is assigned; epsilon in both keeps their ratio finite.
        self.codebook.copy_((self.ema_sum + EMA_EPSILON * self.codebook) / (self.ema_count + EMA_EPSILON)[:, None])

    @torch.no_grad()
    def set_codes(self, index: torch.Tensor, vectors: torch.Tensor) -> None:
        """Set the vectors of some codes; averages of an EMA codebook restart there with a count of one.

        Args:
            index: codes to set, int64 `(m,)`.
            vectors: their new vectors, `(m, D)`.
        """
        self.codebook[index] = vectors
        if self.codebook_update == "ema":
            self.ema_count[index] = 1.0
            self.ema_sum[index] = vectors

    def init_kmeans(self, latents: torch.Tensor, seed: int) -> None:
        """Place the codebook at the k-means centres of latents `(n, D)`.

        Raises:
            HQVQVAEError: If there are fewer latents than codes, or one is not finite.
        """
        if len(latents) < self.codebook_size:
            got = f"got {len(latents)} for {self.codebook_size}; lower codebook_size or use more segments"
            raise HQVQVAEError(f"k-means needs at least as many segments as codes; {got}")
        if not torch.isfinite(latents).all():
            raise HQVQVAEError("latents are not finite: the training diverged; lower the learning rate")
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
            used: uses of each code, `(K,)`.
            latents: latents to draw from, `(n, D)`.
            generator: a CPU generator.

        Returns:
            Number of codes that were moved.
        """
        unused = torch.nonzero(used == 0).flatten()
        drawn = torch.randint(len(latents), (len(unused),), generator=generator)
        self.set_codes(unused, latents[drawn.to(latents.device)].detach())
        return len(unused)


class SimVQ(VectorQuantizer):
    """A codebook of K vectors: one learned linear map of fixed, randomly drawn vectors, so all codes move together.

    Source: Y. Zhu et al., "Addressing Representation Collapse in Vector Quantized Models with One Linear Layer",
    arXiv:2411.02038.

    Args:
        config: see `VectorQuantizer`.
    """

    def __init__(self, config: HQVQVAEConfig):
        super().__init__(config)
        drawn = self.codebook.data
        del self.codebook
        self.register_buffer("codebook", drawn)
        self.transform = nn.Linear(config.latent_dim, config.latent_dim, bias=False)

    def vectors(self) -> torch.Tensor:
        return self.transform(self.codebook)


class CodebookLife:
    """Management of a codebook between epochs: warm-up as a plain autoencoder, k-means, restarts of unused codes.

    Args:
        model: an `HQVQVAEModel` with standardisation set; its configuration determines which of these happen.
        features: all training segments `(n, F)` in their own units, on the model's device.
        seed: seed of k-means.
        warmup_epochs: number of first epochs as a plain autoencoder, if the codebook starts from k-means.
        restart_before_epoch: restart unused codes after each epoch before this one.
    """

    def __init__(self, model: Any, features: torch.Tensor, *, seed: int, warmup_epochs: int, restart_before_epoch: int):
        self.model, self.features, self.seed = model, features, seed
        self.warmup_epochs = warmup_epochs if model.config.codebook_init == "kmeans" else 0
        self.restart_before_epoch = restart_before_epoch if model.config.restart_unused_codes else 0
        model.codebook_is_tended = True

    def start_epoch(self, epoch: int) -> None:
        """Prepare an epoch, counted from 0; call before its first step."""
        if self.warmup_epochs and epoch == self.warmup_epochs:
            self.place()
        self.model.warming_up = epoch < self.warmup_epochs
        size, device = self.model.config.codebook_size, self.features.device
        self.model.quantizer.used = torch.zeros(size, dtype=torch.int64, device=device)

    def end_epoch(self, epoch: int, generator: torch.Generator) -> int:
        """Restart unused codes and return their number; call after the last step of an epoch."""
        used = over_ranks(self.model.quantizer.used)
        if self.model.warming_up or epoch >= self.restart_before_epoch or (used > 0).all():
            return 0
        return self.model.quantizer.restart_unused(used, self.latents(), generator)

    def end(self) -> None:
        """Finish training, placing the codebook if all epochs were warm-up; call after the last epoch."""
        if self.model.warming_up:
            self.place()
        self.model.warming_up, self.model.quantizer.used = False, None

    def place(self) -> None:
        """Place the codes at the k-means centres of the latents."""
        self.model.quantizer.init_kmeans(self.latents(), self.seed)

    @torch.no_grad()
    def latents(self) -> torch.Tensor:
        """Compute the latents of all training segments, `(n, D)`."""
        return self.model.latents_of(self.model.standardise(self.features))


class CodebookCallback(TrainerCallback):
    """The callback with which `Trainer` trains an HQ-VQVAE as `fit` does: standardisation and codebook management.

    It takes the segments from the training data set, whose rows have `features`; resume from the end of an epoch.

    Args:
        warmup_epochs: see `CodebookLife`.
        restart_before_epoch: see `CodebookLife`.

    Example: `Trainer(model, arguments, train_dataset=rows, callbacks=[CodebookCallback()])` with `learning_rate=1e-3`,
    `lr_scheduler_type="constant"`, `per_device_train_batch_size=256`, `max_grad_norm=0` and 50 epochs as in the paper.
    """

    def __init__(self, warmup_epochs: int = 5, restart_before_epoch: int = 45):
        self.warmup_epochs, self.restart_before_epoch = warmup_epochs, restart_before_epoch

    def on_train_begin(self, args, state, control, model, train_dataloader, **kwargs) -> None:
        """Standardise a fresh model by the training segments, and start managing its codebook."""
        rows = [torch.as_tensor(row["features"]) for row in train_dataloader.dataset]
        features = torch.stack(rows).to(model.device)
        if not model.is_standardised:
            model.set_standardisation(features)
        epochs = {"warmup_epochs": self.warmup_epochs, "restart_before_epoch": self.restart_before_epoch}
        self.life = CodebookLife(model, features, seed=args.seed, **epochs)

    def on_epoch_begin(self, args, state, control, **kwargs) -> None:
        """Start the warm-up or run k-means."""
        self.life.start_epoch(round(state.epoch))

    def on_epoch_end(self, args, state, control, **kwargs) -> None:
        """Restart unused codes, with a new generator for each epoch, so that a resumed run draws the same."""
        epoch = round(state.epoch) - 1
        self.life.end_epoch(epoch, torch.Generator().manual_seed(args.seed + epoch))
        self.on_step_end(args, state, control)

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Evaluate nothing during the warm-up: codes that are not placed yet must not become the best model."""
        control.should_evaluate &= not self.life.model.warming_up

    def on_train_end(self, args, state, control, **kwargs) -> None:
        """Leave the model ready for use."""
        self.life.end()


def check_codes(codes: torch.Tensor, codebook_size: int) -> None:
    """Raise HQVQVAEError unless all codes are from 0 to K - 1."""
    if codes.numel() and (codes.min() < 0 or codes.max() >= codebook_size):
        low, high = int(codes.min()), int(codes.max())
        raise HQVQVAEError(f"codes run from {low} to {high}; expected 0 to {codebook_size - 1}")


def over_ranks(counted: torch.Tensor) -> torch.Tensor:
    """Sum a tensor in place over the processes of distributed training; leave it unchanged in a single process."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(counted)
    return counted


def mean_square(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Compute the mean squared difference; 0 for an empty batch."""
    return F.mse_loss(first, second) if first.numel() else (first - second).sum()


def perplexity(counts: torch.Tensor) -> torch.Tensor:
    """Compute exp of the entropy of code usage from counts `(K,)`: 1 for a single code or none, K for even use of K."""
    return torch.exp(torch.special.entr(counts.double() / counts.sum().clamp(min=1)).sum())


def rotate_to(latents: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Return the codes' vectors as a rotation and scaling of the latents that is constant in the gradient.

    The gradient of a code's vector thus reaches the latent rotated and scaled, not copied. Source: C. Fifty et al.,
    "Restructuring Vector Quantization with the Rotation Trick", arXiv:2410.06424.

    Args:
        latents: Latents, `(n, D)`.
        vectors: Vectors of their codes, `(n, D)`.

    Returns:
        The values of `vectors`, `(n, D)`.
    """
    scale = vectors.norm(dim=-1, keepdim=True) / latents.norm(dim=-1, keepdim=True).clamp(min=TINY)
    source, target = F.normalize(latents, dim=-1, eps=TINY).detach(), F.normalize(vectors, dim=-1, eps=TINY).detach()
    middle = F.normalize(source + target, dim=-1, eps=TINY)
    along = lambda direction: (latents * direction).sum(-1, keepdim=True)  # noqa: E731
    return (latents - 2 * along(middle) * middle + 2 * along(source) * target) * scale.detach()
