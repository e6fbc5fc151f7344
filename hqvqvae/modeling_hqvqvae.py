"""HQ-VQVAE: encoder, bottleneck with a quantum circuit, vector quantizer, decoder, as a `PreTrainedModel`.

x -> standardise -> encoder -> z_e -> bottleneck (linear, circuit, linear) -> z_q -> nearest code e -> decoder -> x^
"""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.utils import HFValidationError, validate_repo_id
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput, can_return_tuple, logging

from .bottleneck import Bottleneck
from .configuration_hqvqvae import HQVQVAEConfig
from .errors import HQVQVAEError
from .fsq import FiniteScalarQuantizer
from .quantizer import SimVQ, VectorQuantizer, mean_square, perplexity

_LOADING_FAULTS = ("missing_keys", "unexpected_keys", "mismatched_keys")
_DAMAGE = (SafetensorError, TypeError, AttributeError, LookupError, RuntimeError, ValueError, OverflowError)
_QUANTIZERS: dict[str, Any] = {"nearest": VectorQuantizer, "simvq": SimVQ, "fsq": FiniteScalarQuantizer}
WEIGHTS = "model.safetensors"
PACKAGED = Path(__file__).parent / "pretrained"  # folders of weights that ship with the package, by name


@dataclass
class HQVQVAEOutput(ModelOutput):
    """Output of `HQVQVAEModel`; errors are in standardised units, means over elements.

    Args:
        loss: reconstruction + codebook + beta * commitment (without the codebook term if EMA moves the codebook).
        reconstruction_loss: mean squared error of the standardised features.
        codebook_loss: ||sg[z] - e||^2.
        commitment_loss: ||z - sg[e]||^2, before beta.
        reconstruction: features in their own units, `(n, F)`.
        codes: int64 `(n,)`.
        latents: latents before quantization, `(n, D)`.
        perplexity: exp of the entropy of code usage in this batch.

    During the warm-up there is no codebook: only loss, reconstruction_loss, reconstruction and latents are given.
    An empty batch has losses of 0.
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
    """Output of `HQVQVAEModel.encode`: codes `(n,)` and their latents `(n, D)`.

    With a reference window, rows up to its end have code -1 and latents NaN.
    """

    codes: torch.Tensor | None = None
    latents: torch.Tensor | None = None


def perceptron(widths: list[int]) -> nn.Sequential:
    """Build linear layers from width to width, with a ReLU between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def less_the_beginning(features: torch.Tensor, cells: Any, window: list[int]) -> torch.Tensor:
    """Subtract the beginning of each cell from its features.

    Args:
        features: segments `(n, F)`; those of a cell in order of life, starting with its first one.
        cells: cell of each row, numbers or names `(n,)`; None for one cell.
        window: first and last segment of the reference, counted from 1 in each cell.

    Returns:
        `(n, F)`, NaN in rows up to the end of the window, because the reference is not known before.

    Raises:
        HQVQVAEError: If `cells` does not give a cell for each row.
    """
    if cells is None:
        cells = torch.zeros(len(features), dtype=torch.int64)
    cells = np.asarray(cells.cpu() if isinstance(cells, torch.Tensor) else cells)
    if cells.shape != (len(features),):
        raise HQVQVAEError(f"cells has shape {cells.shape}; expected ({len(features)},): one cell for each row")
    if (cells != cells).any():
        raise HQVQVAEError(f"the cell of row {np.flatnonzero(cells != cells)[0]} is missing; expected one for each row")
    cells = torch.as_tensor(np.unique(cells.astype(str), return_inverse=True)[1], device=features.device)
    first, last = window
    relative = torch.full_like(features, torch.nan)
    for cell in cells.unique():
        rows = torch.nonzero(cells == cell).flatten()
        relative[rows[last:]] = features[rows[last:]] - features[rows[first - 1 : last]].mean(0)
    return relative


class HQVQVAEModel(PreTrainedModel):
    """Codes for discharge segments (paper, section 3).

    Inputs are features in their own units, in the order of `config.feature_names`; the mean and spread that standardise
    them are part of the weights. No task of `transformers.pipeline` fits: pipelines take text, images, audio or video
    through a tokenizer or processor, but this model takes a row of numbers directly; call `encode`.

    Examples:
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

    feature_mean: torch.Tensor
    feature_std: torch.Tensor
    warming_up = False  # set by `CodebookLife`: train as a plain autoencoder, without the quantizer
    codebook_is_tended = False  # whether a `CodebookLife` has ever managed the codebook
    card: str | None = None  # README.md of the weights' folder, until they are trained further

    def __init__(self, config: HQVQVAEConfig, **unknown: Any):
        if unknown:
            raise HQVQVAEError(config.unknown_keys(unknown))
        super().__init__(config)
        widths = [len(config.feature_names), *config.hidden_sizes, config.latent_dim]
        self.register_buffer("feature_mean", torch.empty(widths[0]))
        self.register_buffer("feature_std", torch.empty(widths[0]))
        self.encoder = perceptron(widths)
        self.bottleneck = nn.Identity() if config.bottleneck == "none" else Bottleneck(config)
        self.quantizer: VectorQuantizer | FiniteScalarQuantizer = _QUANTIZERS[config.quantizer](config)
        self.decoder = perceptron(widths[::-1])
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)  # torch's own default for a linear layer
            init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, Bottleneck):
            module.init_weights(self.config.circuit_init_std)
        elif isinstance(module, SimVQ):
            init.normal_(module.codebook, 0.0, module.codebook.shape[1] ** -0.5)
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
        mixed = torch.is_autocast_enabled(self.device.type)
        if mixed or self.feature_mean.dtype not in (torch.float32, torch.float64):
            kind = "mixed precision" if mixed else self.feature_mean.dtype
            fix = "codes of neighbouring latents would swap; call model.float(), or leave autocast"
            raise HQVQVAEError(f"HQ-VQVAE runs in float32 or float64, not in {kind}: {fix}, dtype, fp16 and bf16 out")
        if not isinstance(features, torch.Tensor):
            raise HQVQVAEError(f"features are a {type(features).__name__}; expected a tensor, or call encode")
        if features.ndim != 2 or features.shape[1] != len(names):
            expected = f"(n, {len(names)}): {', '.join(names)}"
            raise HQVQVAEError(f"features have shape {tuple(features.shape)}; expected {expected}")
        finite = torch.isfinite(features.to(self.feature_mean))
        if not torch.compiler.is_exporting() and not finite.all():  # an exported graph cannot raise on values
            row, column = torch.nonzero(~finite)[0].tolist()
            seen = f"feature {names[column]} of row {row} is {features[row, column].item()}"
            raise HQVQVAEError(f"{seen}; expected finite numbers")

    @torch.no_grad()
    def set_standardisation(self, features: torch.Tensor) -> None:
        """Set mean and spread from training features `(n, F)`.

        Raises:
            HQVQVAEError: If the number of features is wrong, or a feature is not finite or is constant.
        """
        self._check_features(features)
        features = features.double()
        mean, std = features.mean(0), features.std(0, unbiased=False)
        # By extremes, because the computed spread of equal numbers may be a rounding error rather than 0.
        varies = features.amax(0) > features.amin(0) if len(features) else std > 0
        constant = [name for name, moves in zip(self.config.feature_names, varies) if not moves]
        if constant:
            seen = f"constant over the {len(features)} training segments: {constant}"
            raise HQVQVAEError(
                f"{seen}; leave them out of feature_names (pass the names to keep as `train --features`)"
            )
        self.feature_mean.copy_(mean)
        self.feature_std.copy_(std)

    @property
    def is_standardised(self) -> bool:
        """Whether mean and spread have been set."""
        return not (bool((self.feature_mean == 0).all()) and bool((self.feature_std == 1).all()))

    def standardise(self, features: torch.Tensor) -> torch.Tensor:
        """Convert features `(n, F)` in their own units to z-scores, clipped to +-`config.z_clip` if that is set.

        Raises:
            HQVQVAEError: If the number of features is wrong, or a feature is not finite.
        """
        self._check_features(features)
        z = (features.to(self.feature_mean) - self.feature_mean) / self.feature_std
        return z if self.config.z_clip is None else z.clamp(-self.config.z_clip, self.config.z_clip)

    def latents_of(self, z: torch.Tensor) -> torch.Tensor:
        """Compute the latents `(n, D)` of standardised features `(n, F)`, before quantization."""
        return self.bottleneck(self.encoder(z))

    @can_return_tuple
    def encode(self, features: Any, cells: Any = None) -> HQVQVAEEncoding:
        """Compute codes and latents of features in their own units.

        Args:
            features: `(n, F)`; with `config.reference_window`, the segments of each cell in order from its first one.
                A tensor, a NumPy array, or a DataFrame with the features among its columns.
            cells: cell of each row, numbers or names `(n,)`; used only with a reference window; None for the column
                `cell_id` of a DataFrame that has one, else for one cell.

        Returns:
            Codes int64 `(n,)` and latents `(n, D)`; with a reference window, -1 and NaN up to its end.

        Raises:
            HQVQVAEError: If the features cannot be read, have the wrong shape or are not finite.
        """
        if cells is None and "cell_id" in getattr(features, "columns", ()):
            cells = features["cell_id"]
        if not isinstance(features, torch.Tensor):
            features = self._as_tensor(features)
        if self.config.reference_window is None:
            return HQVQVAEEncoding(*self.encode_relative(features))
        self._check_features(features)
        relative = less_the_beginning(features, cells, self.config.reference_window)
        scored = torch.isfinite(relative[:, 0])
        found = self.encode_relative(relative[scored])
        codes = found[0].new_full((len(features),), -1)
        latents = found[1].new_full((len(features), self.config.latent_dim), torch.nan)
        codes[scored], latents[scored] = found
        return HQVQVAEEncoding(codes=codes, latents=latents)

    def _as_tensor(self, features: Any) -> torch.Tensor:
        names = self.config.feature_names
        try:
            columns = features[names] if hasattr(features, "columns") else features
            return torch.as_tensor(np.array(columns, dtype=np.float64)).to(self.feature_mean)
        except (KeyError, TypeError, ValueError) as error:
            seen = f"features are a {type(features).__name__} that cannot be read ({error})"
            raise HQVQVAEError(f"{seen}; expected numbers (n, {len(names)}): {', '.join(names)}") from error

    def encode_relative(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute codes and latents of features from which any cell's beginning is already subtracted.

        Args:
            features: `(n, F)` in their own units.

        Returns:
            Codes int64 `(n,)` and latents `(n, D)`.

        Raises:
            HQVQVAEError: If the number of features is wrong, or a feature is not finite.
        """
        latents = self.latents_of(self.standardise(features))
        return self.quantizer.encode(latents), latents

    def decode(self, codes: Any = None, latents: torch.Tensor | None = None) -> torch.Tensor:
        """Decode codes `(n,)`, or latents `(n, D)` without quantization, to features `(n, F)` in their own units.

        Codes may be a tensor, an array or a list.

        Raises:
            HQVQVAEError: If both or neither are given, or a code is not a whole number or out of range.
        """
        if (codes is None) == (latents is None):
            raise HQVQVAEError("decode needs exactly one of codes and latents")
        if codes is None:
            vectors = latents
        else:
            codes = torch.as_tensor(codes, device=self.device)
            if codes.numel() and (codes.is_floating_point() or codes.dtype == torch.bool):
                raise HQVQVAEError(f"codes are of type {codes.dtype}; expected whole numbers")
            vectors = self.quantizer.decode(codes.long())
        return self.decoder(vectors) * self.feature_std + self.feature_mean

    @can_return_tuple
    def forward(self, features: torch.Tensor, return_loss: bool = True) -> HQVQVAEOutput:
        """Encode, quantize and decode a batch; `return_dict=False` returns a tuple, as in transformers.

        Args:
            features: `(n, F)` in their own units; with `config.reference_window`, minus the beginning of their cell.
            return_loss: always true; `Trainer` looks for this argument in models that compute their own loss.

        Returns:
            Loss and its three parts, reconstruction, codes, latents and perplexity.
        """
        z = self.standardise(features)
        latents = self.latents_of(z)
        if self.training:
            self._start_training()
        if self.training and self.warming_up:
            decoded = self.decoder(latents)
            loss = mean_square(decoded, z)
            reconstruction = decoded * self.feature_std + self.feature_mean
            return HQVQVAEOutput(loss=loss, reconstruction_loss=loss, reconstruction=reconstruction, latents=latents)
        quantized, codes, codebook_loss, commitment_loss = self.quantizer(latents)
        decoded = self.decoder(quantized)
        reconstruction_loss = mean_square(decoded, z)
        loss = reconstruction_loss + self.config.commitment_cost * commitment_loss
        if self.config.codebook_update == "loss":
            loss = loss + codebook_loss
        losses = (loss, reconstruction_loss, codebook_loss, commitment_loss)
        reconstruction = decoded * self.feature_std + self.feature_mean
        usage = perplexity(torch.bincount(codes, minlength=self.config.codebook_size))
        return HQVQVAEOutput(*losses, reconstruction, codes, latents, usage)

    def _start_training(self) -> None:
        """Drop the card, which describes other weights; warn if the configured recipe is not being applied."""
        self.card = None
        recipe = self.config.codebook_init == "kmeans" or self.config.restart_unused_codes
        if not self.codebook_is_tended and (recipe or not self.is_standardised):
            self.codebook_is_tended = True  # warn once
            warnings.warn(
                "this HQ-VQVAE trains without the standardisation, k-means start or restarts of its configuration; "
                "use hqvqvae.training.fit, or give Trainer callbacks=[CodebookCallback()] from quantizer.py",
                stacklevel=3,
            )

    @classmethod
    def from_pretrained(cls, name_or_path: str | os.PathLike, *args, output_loading_info: bool = False, **kwargs):
        """Load weights by packaged name ("recommended", "paper"), folder (of a run: its last model), or Hub id.

        A packaged name takes precedence over a folder of that name: write "./paper" for the folder.
        Unlike in transformers, a checkpoint that does not fill the model exactly is an error, because a codebook that
        was silently redrawn would give other codes.

        Raises:
            HQVQVAEError: If there are no safetensors weights; if tensors are missing, unexpected or of another shape;
                or if a file is damaged, which is then removed from the cache if it came from the Hub.
        """
        packaged = PACKAGED / str(name_or_path)
        if os.sep not in str(name_or_path) and (packaged / "config.json").is_file():
            name_or_path = packaged
        if not Path(name_or_path).is_dir() and not _is_hub_id(str(name_or_path)):
            names = sorted(folder.parent.name for folder in PACKAGED.glob("*/model.safetensors"))
            close = difflib.get_close_matches(str(name_or_path), names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"packaged: {', '.join(names) or 'none here'}."
            raise HQVQVAEError(f"no packaged model and no folder {str(name_or_path)!r}; {hint} A Hub id is USER/NAME")
        for inside in ("last", "model"):  # the folder of a training run or a discovery run
            if not (Path(name_or_path) / "config.json").exists() and (Path(name_or_path) / inside).is_dir():
                name_or_path = Path(name_or_path) / inside
        folder = Path(name_or_path) / (kwargs.get("subfolder") or "")
        if folder.is_dir() and not any(folder.glob("*.safetensors")):
            others = ", ".join(sorted(path.name for path in folder.glob("*.bin"))) or "no weights"
            expected = "weights written by `save_pretrained`; a pickle could run code and is never read"
            raise HQVQVAEError(f"{folder} has {others} and no {WEIGHTS}; expected {expected}")
        # Mismatches are ignored here so that all of them can be reported below.
        kwargs |= {"output_loading_info": True, "ignore_mismatched_sizes": True, "use_safetensors": True}
        verbosity = logging.get_verbosity()
        logging.set_verbosity_error()  # the error below replaces its report of mismatches
        try:
            model, info = super().from_pretrained(name_or_path, *args, **kwargs)
        except HQVQVAEError:
            raise
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, OSError) and not folder.is_dir():
                raise
            why = str(error).split("\n")[0]
            raise HQVQVAEError(
                f"{name_or_path} is not an HQ-VQVAE that can be loaded: {why}; download or export it again"
            ) from error
        finally:
            logging.set_verbosity(verbosity)
            _check_download(str(name_or_path), kwargs.get("revision"), kwargs.get("cache_dir"))
        wrong = {kind: sorted(info[kind], key=str) for kind in _LOADING_FAULTS if info.get(kind)}
        if wrong:
            raise HQVQVAEError(f"the weights of {name_or_path} do not match its configuration: {wrong}")
        readme = Path(name_or_path) / "README.md"
        model.card = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else None
        return (model, info) if output_loading_info else model

    def save_pretrained(self, save_directory: str | os.PathLike, *args, **kwargs) -> None:
        """Save as transformers does, and add the model card to the folder."""
        super().save_pretrained(save_directory, *args, **kwargs)
        if self.card is not None:
            (Path(save_directory) / "README.md").write_text(self.card, encoding="utf-8")

    def push_to_hub(self, repo_id: str, *, private: bool | None = None, token: str | bool | None = None, **commit: Any):
        """Push as transformers does, with the model's own card; a model without one gets transformers' default card.

        Args:
            repo_id: "user/name" on the Hub.
            private: whether only its owner may see the repository.
            token: token of the Hub; None for the one of `hf auth login` or $HF_TOKEN.
            **commit: options of `HfApi.upload_folder`: `commit_message`, `commit_description`, `revision`, `create_pr`.

        Returns:
            The commit.
        """
        if self.card is None:
            return super().push_to_hub(repo_id, private=private, token=token, **commit)
        api = HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            (Path(folder) / "README.md").write_text(self.card.replace("REPO_ID", repo_id), encoding="utf-8")
            commit.setdefault("commit_message", "Upload HQ-VQVAE")
            return api.upload_folder(repo_id=repo_id, folder_path=folder, **commit)


# A saved model includes its code, so that AutoModel can load it from a folder or the Hub with trust_remote_code.
HQVQVAEConfig.register_for_auto_class()
HQVQVAEModel.register_for_auto_class("AutoModel")


def _is_hub_id(name: str) -> bool:
    """Return whether a name may be that of a repository on the Hub: USER/NAME, and no file here."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return "/" in name and not Path(name).is_file()


def _check_download(repo_id: str, revision: str | None, cache: str | Path | None) -> None:
    """Check weights from the Hub against their SHA-256, by which the Hub and its cache name large files."""
    if repo_id.count("/") != 1 or Path(repo_id).exists():
        return
    found = try_to_load_from_cache(repo_id, WEIGHTS, cache_dir=cache, revision=revision)
    if isinstance(found, str) and len((blob := Path(found).resolve()).name) == 64:
        with open(blob, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != blob.name:
            blob.unlink()
            raise HQVQVAEError(
                f"the download of {repo_id} was damaged and has been removed from the cache; run this again"
            )
