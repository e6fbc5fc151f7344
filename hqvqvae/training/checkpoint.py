"""State of a training run on disk: one safetensors file, replaced atomically, from which a killed run resumes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.torch import save_file

from dataset_card.errors import MagBridgeError
from dataset_card.running.log import LOG
from dataset_card.storage.files import replacing

STATE_VERSION = "2"


@dataclass
class TrainingState:
    """State of a run in addition to model, optimiser and generator."""

    fingerprint: str
    epoch: int = 0  # epochs completed
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    best_score: float = float("inf")
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def record(self, row: dict[str, float], score: float, model: torch.nn.Module) -> None:
        """Record a completed epoch, and keep its weights if its score is the lowest."""
        if score < self.best_score:
            self.best_epoch, self.best_score = self.epoch, score
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
        self.history.append(row)
        self.epoch += 1


def fingerprint(config, training: dict, features: np.ndarray, validation: np.ndarray | None) -> str:
    """Compute the SHA-256 of everything that determines a run: model, training and data."""
    digest = hashlib.sha256(json.dumps([config.to_diff_dict(), training], sort_keys=True, default=str).encode())
    for array in (features, validation):
        digest.update(b"none" if array is None else np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def write_once(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file or folder of a run by calling `write`; keep one that exists, which a user may have edited."""
    if path.exists():
        LOG.warning("%s exists and was not changed: move it away and run this again to write it anew", path)
    else:
        write(path)


def save_model(model, folder: Path) -> None:
    """Write a model's folder atomically."""
    with replacing(folder) as temporary:
        model.save_pretrained(temporary)


def save_state(path: Path, state: TrainingState, model, optimizer, generator: torch.Generator) -> None:
    """Replace the last saved state of a run by the current one.

    Args:
        path: The state file.
        state: The run's own state.
        model: The model.
        optimizer: Its optimiser.
        generator: The generator of the order of segments and of restarts.
    """
    tensors = {f"model/{name}": tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in state.best_weights.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": tensor.detach().cpu() for name, tensor in moments.items()}
    tensors["generator"] = generator.get_state()
    scalars = {name: getattr(state, name) for name in ("fingerprint", "epoch", "history", "best_epoch", "best_score")}
    with replacing(path) as temporary:
        text = json.dumps(scalars)
        metadata = {"version": STATE_VERSION, "state": text, "sha256": _sha256(tensors, text)}
        save_file(tensors, temporary, metadata=metadata)


def _sha256(tensors: dict[str, torch.Tensor], text: str) -> str:
    """Hash a whole state, because a damaged one could resume to a different result."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def load_state(path: Path, state: TrainingState, model, optimizer, generator: torch.Generator) -> None:
    """Restore a run to the point at which its state file was written.

    Raises:
        MagBridgeError: If the file is damaged, or belongs to another model, training or data.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            version, digest, text = (metadata[name] for name in ("version", "sha256", "state"))
            tensors = {name: file.get_tensor(name) for name in file.offset_keys()}
            scalars = json.loads(text)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise MagBridgeError(f"{path} is not a training state ({error}); start over in another folder") from error
    if version != STATE_VERSION:
        raise MagBridgeError(f"{path} has state version {version}, not {STATE_VERSION}; start over in another folder")
    if _sha256(tensors, text) != digest:
        raise MagBridgeError(f"{path} is damaged: its contents have another SHA-256; start over in another folder")
    if scalars["fingerprint"] != state.fingerprint:
        other = "belongs to a run with another configuration, training or data"
        raise MagBridgeError(f"{path} {other}; resume with the same ones, or start over in another folder")

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

    model.load_state_dict(part("model/"))
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in part("optimizer/").items():
        index, _, moment = name.partition("/")
        moments.setdefault(int(index), {})[moment] = tensor
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    generator.set_state(tensors["generator"])
    state.best_weights = part("best/")
    for name, value in scalars.items():
        setattr(state, name, value)
