"""Training of an HQ-VQVAE: the paper's optimiser, the recommended recipe, and resuming with unchanged results."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import canvas

from ..configuration_hqvqvae import HQVQVAEConfig
from ..hub.model_card import render_card
from ..modeling_hqvqvae import HQVQVAEModel
from ..quantizer import CodebookLife, perplexity
from .checkpoint import TrainingState, fingerprint, load_state, save_state
from .plotting import ACCENT, NEUTRAL, OKABE_ITO

MAX_SEED = 2**32 - 1  # of k-means


@dataclass(frozen=True)
class TrainingConfig:
    """Training settings; the defaults are the paper's (Adam 1e-3, batch 256, 50 epochs, no decay, clipping, scheduler).

    Args:
        epochs: number of passes over the segments, including the warm-up.
        batch_size: segments per step.
        learning_rate: learning rate of Adam.
        warmup_epochs: number of first epochs as a plain autoencoder, if the codebook starts from k-means.
        restart_before_epoch: restart unused codes after each epoch before this one, if the configuration has restarts.
        seed: seed of the initial weights, the order of segments, k-means and restarts.
    """

    epochs: int = 50
    batch_size: int = 256
    learning_rate: float = 1e-3
    warmup_epochs: int = 5
    restart_before_epoch: int = 45
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise MagBridgeError(f"{name}={getattr(self, name)!r}: expected a positive number")
        if not 0 <= self.seed <= MAX_SEED:
            raise MagBridgeError(f"seed={self.seed!r}: expected a whole number from 0 to {MAX_SEED}")


@dataclass
class TrainingResult:
    """The model after the last epoch, the one after the best epoch, and one row of measures per epoch."""

    model: HQVQVAEModel
    best_model: HQVQVAEModel
    best_epoch: int
    history: list[dict[str, float]]
    metrics: dict[str, float]


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """Limit torch and BLAS to one thread, so that sums do not depend on the number of processes or cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def build_model(config: HQVQVAEConfig, seed: int) -> HQVQVAEModel:
    """Build a freshly initialised model without changing torch's global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return HQVQVAEModel(config)


def fit(
    config: HQVQVAEConfig,
    features: np.ndarray,
    training: TrainingConfig = TrainingConfig(),
    *,
    validation: np.ndarray | None = None,
    state_file: Path | None = None,
    resume: bool = False,
    measure_each_epoch: bool = True,
    device: str = "cpu",
    progress: bool = False,
) -> TrainingResult:
    """Train a model.

    Args:
        config: The model's configuration.
        features: Training segments `(n, F)` in their own units, in the order of `config.feature_names`.
        training: The optimiser's settings and the seed.
        validation: Held-out segments `(m, F)`, on which the best epoch is chosen; on the training error if None. An
            epoch of the warm-up is never the best: its errors are those of codes that are not placed yet.
        state_file: File in which the state is saved after each epoch.
        resume: Continue from `state_file` if it exists; the result equals that of an uninterrupted run.
        measure_each_epoch: Measure the errors after each epoch, to find the best one; otherwise only after the last
            epoch, whose model is then also the best. The last model is the same either way.
        device: A torch device.
        progress: Show a progress bar on stderr if that is a terminal.

    Returns:
        Models on the CPU in evaluation mode, history and final metrics.

    Raises:
        MagBridgeError: If features cannot be standardised, the device is absent, the state file is another run's, or
            the training diverges.
    """
    with single_thread():
        model = build_model(config, training.seed)
        train = torch.tensor(features, dtype=torch.float32)
        model.set_standardisation(train)
        try:
            model.to(device)
        except (RuntimeError, AssertionError) as error:
            raise MagBridgeError(
                f"device {device!r} cannot be used here ({error}); use another, such as 'cpu'"
            ) from error
        train = train.to(device)
        held_out = None if validation is None else torch.tensor(validation, dtype=torch.float32, device=device)
        optimizer = torch.optim.Adam(model.parameters(), lr=training.learning_rate)
        generator = torch.Generator().manual_seed(training.seed)
        state = TrainingState(fingerprint=fingerprint(config, asdict(training), features, validation))
        if resume and state_file is not None and state_file.exists():
            load_state(state_file, state, model, optimizer, generator)
        epochs = {name: getattr(training, name) for name in ("warmup_epochs", "restart_before_epoch")}
        life = CodebookLife(model, train, seed=training.seed, **epochs)
        bar = tqdm(range(state.epoch, training.epochs), disable=None if progress else True, unit="epoch")
        for epoch in bar:
            row = _epoch(life, optimizer, generator, training.batch_size, epoch)
            if epoch == training.epochs - 1:
                life.end()
            if measure_each_epoch or epoch == training.epochs - 1:
                row["train_mse"] = quantized_mse(model, train)
                if held_out is not None:
                    row["validation_mse"] = quantized_mse(model, held_out)
            if not np.isfinite(list(row.values())).all():
                fix = f"lower learning_rate={training.learning_rate:g}"
                raise MagBridgeError(f"the training diverged in epoch {epoch + 1} (loss {row['loss']:g}); {fix}")
            judged = math.inf if model.warming_up else row.get("validation_mse", row.get("train_mse", math.inf))
            state.record(row, judged, model)
            bar.set_postfix(loss=f"{row['loss']:.3f}", codes=int(row["codes_used"]))
            if state_file is not None:
                save_state(state_file, state, model, optimizer, generator)
        model.to("cpu").eval()
        best_model = build_model(config, training.seed).eval()
        best_model.load_state_dict(state.best_weights)
        metrics = _final_metrics(model, features, state)
        model.card = render_card(config.to_dict(), None, {"seed": training.seed, "metrics": metrics})
        best_model.card = model.card
        return TrainingResult(model, best_model, state.best_epoch, state.history, metrics)


def _epoch(
    life: CodebookLife, optimizer: torch.optim.Optimizer, generator: torch.Generator, batch_size: int, epoch: int
) -> dict[str, float]:
    """Train one epoch; return the mean loss and its parts over the segments, code usage and restarts."""
    model, train = life.model, life.features
    life.start_epoch(epoch)
    model.train()
    order = torch.randperm(len(train), generator=generator).to(train.device)
    sums = dict.fromkeys(("loss", "reconstruction_loss", "codebook_loss", "commitment_loss"), 0.0)
    for batch in order.split(batch_size):
        optimizer.zero_grad()
        output = model(train[batch])
        output.loss.backward()
        optimizer.step()
        for name in sums.keys() & output.keys():
            sums[name] += output[name].item() * len(batch)
    used = model.quantizer.used
    row: dict[str, float] = {"epoch": epoch, **{name: total / len(train) for name, total in sums.items()}}
    row |= {"codes_used": int((used > 0).sum()), "perplexity": float(perplexity(used))}
    return row | {"restarted": life.end_epoch(epoch, generator)}


@torch.no_grad()
def segment_errors(model: HQVQVAEModel, features: torch.Tensor) -> torch.Tensor:
    """Compute the mean squared error of each segment's standardised features after quantization.

    Args:
        model: The model; it is switched to evaluation mode.
        features: Segments `(n, F)` in their own units, on the model's device.

    Returns:
        Errors `(n,)` in standardised units.
    """
    model.eval()
    z = model.standardise(features)
    quantized = model.quantizer(model.latents_of(z))[0]
    return (model.decoder(quantized) - z).square().mean(-1)


def quantized_mse(model: HQVQVAEModel, features: torch.Tensor) -> float:
    """Compute the mean squared reconstruction error in standardised units, in evaluation mode.

    Args:
        model: The model; it is switched to evaluation mode.
        features: Segments `(n, F)` in their own units, on the model's device.
    """
    return segment_errors(model, features).double().mean().item()


def _final_metrics(model: HQVQVAEModel, features: np.ndarray, state: TrainingState) -> dict[str, float]:
    with torch.no_grad():
        latents = model.latents_of(model.standardise(torch.tensor(features, dtype=torch.float32)))
        codes = model.quantizer.encode(latents)
    used = torch.bincount(codes, minlength=model.config.codebook_size)
    last = state.history[-1]
    metrics: dict[str, float] = {"segments": len(features), "epochs": state.epoch, "best_epoch": state.best_epoch}
    metrics |= {"codes_used": int((used > 0).sum()), "perplexity": float(perplexity(used))}
    return metrics | {name: last[name] for name in ("train_mse", "validation_mse") if name in last}


def draw_history(history: list[dict[str, float]]) -> Any:
    """Draw the training curve: errors on a logarithmic axis above, codes in use below."""
    epochs = [row["epoch"] + 1 for row in history]
    figure, (errors, codes) = canvas(2, 1, (7, 5.5), sharex=True, height_ratios=(2, 1))
    labels = ("reconstruction, training", "reconstruction, held out", "commitment")
    for name, label, colour in zip(("train_mse", "validation_mse", "commitment_loss"), labels, OKABE_ITO, strict=False):
        if any(row.get(name) for row in history):
            errors.plot(epochs, [row.get(name) or np.nan for row in history], color=colour, label=label)
    errors.set(yscale="log", ylabel="mean squared error (z units)")
    codes.plot(epochs, [row["codes_used"] for row in history], color=ACCENT, label="codes used")
    codes.plot(epochs, [row["perplexity"] for row in history], color=NEUTRAL, label="perplexity")
    codes.set(xlabel="epoch", ylabel="codes", ylim=(0, None))
    errors.legend()
    codes.legend()
    return figure
