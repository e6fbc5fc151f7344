"""Export of the encoder to ONNX, for runtimes without torch: features in their own units to codes and latents."""

import copy
import functools
import logging
import warnings
from pathlib import Path

import torch
from torch import nn

from dataset_card.errors import MagBridgeError
from dataset_card.storage.files import replacing

from ..circuit import Circuit
from ..modeling_hqvqvae import HQVQVAEModel

MAX_QUBITS = 8  # 3^q terms for each expectation value
ONCE = ("strongly_entangling", "ry_cz", "rot_ising_zz", "product")  # ansatzes in which each input sets one RY gate


class _Encoder(nn.Module):
    def __init__(self, model: HQVQVAEModel):
        super().__init__()
        self.model = model

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.model.encode_relative(features)


def export_onnx(model: HQVQVAEModel, path: str | Path) -> None:
    """Write the encoder to an ONNX file.

    ONNX has no complex numbers, so the circuit is written as the trigonometric polynomial that it computes.

    Args:
        model: A trained model.
        path: The file to write. Its input is `features` (n, F) float32, less the mean of their cell's beginning if the
            model has a reference window; its outputs are `codes` (n,) int64 and `latents` (n, D).

    Raises:
        MagBridgeError: If the circuit is not a small polynomial, or the exporter is not installed.
    """
    exported = copy.deepcopy(model).float().cpu().eval()
    if model.config.bottleneck == "quantum":
        if model.config.ansatz not in ONCE or model.config.n_qubits > MAX_QUBITS:
            asked = f"ONNX export of ansatz {model.config.ansatz!r} with {model.config.n_qubits} qubits"
            expected = f"one of {', '.join(ONCE)} with at most {MAX_QUBITS}"
            raise MagBridgeError(f"{asked}: expected {expected}; use torch.export instead")
        bottleneck = exported.bottleneck
        bottleneck.circuit = polynomial(bottleneck.circuit, bottleneck.circuit_weights.detach(), model.config.n_qubits)
    features = exported.feature_mean.expand(3, -1) + exported.feature_std * torch.tensor([[-1.0], [0.0], [1.0]])
    logging.getLogger("torch.onnx._internal.exporter._registration").addFilter(_concerns_the_model)
    try:
        with warnings.catch_warnings():  # torch's own use of a class that it deprecates
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            program = torch.onnx.export(
                _Encoder(exported).eval(), (features,), dynamo=True, dynamic_shapes=({0: torch.export.Dim("n")},),
                input_names=["features"], output_names=["codes", "latents"], verbose=False,
            )  # fmt: skip
    except ImportError as error:
        raise MagBridgeError(f"ONNX export needs onnx and onnxscript ({error}): pip install onnx onnxscript") from error
    assert program is not None, "`dynamo=True` gives a program"
    for node in program.model.graph:
        node.metadata_props.pop("pkg.torch.onnx.stack_trace", None)  # with the paths of this machine
    with replacing(Path(path)) as temporary:
        program.save(temporary, external_data=False)


def _concerns_the_model(record: logging.LogRecord) -> bool:
    """Drop torch's notes that the operators of torchvision, which no HQ-VQVAE uses, are not installed."""
    return not record.getMessage().startswith("torchvision is not installed")


@torch.no_grad()
def polynomial(circuit: Circuit, weights: torch.Tensor, n_qubits: int) -> Circuit:
    """Convert a circuit with fixed weights to a real function of its inputs.

    Each expectation value is linear in (1, cos x, sin x) for each input x that sets one RY gate, so its 3^q
    coefficients follow from its values with every input at 0, pi / 2 or pi.

    Args:
        circuit: A function of inputs `(n, q)` and weights.
        weights: The circuit's weights.
        n_qubits: The number of qubits q.

    Returns:
        A function with the same arguments and values; it ignores the weights.
    """
    points = torch.pi * torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    grid = torch.cartesian_prod(*[points] * n_qubits).reshape(-1, n_qubits)
    values = circuit(grid, weights.double()).T.reshape(-1, *[3] * n_qubits)
    to_coefficients = torch.linalg.inv(_terms(points))
    for _ in range(n_qubits):
        values = torch.tensordot(values, to_coefficients, dims=([1], [1]))  # the finished axis goes last: same order
    coefficients = values.flatten(1).to(weights.dtype)

    def evaluate(inputs: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        of_qubits = [_terms(column) for column in inputs.unbind(1)]
        terms = functools.reduce(lambda one, other: (one[:, :, None] * other[:, None, :]).flatten(1), of_qubits)
        return terms @ coefficients.T

    return evaluate


def _terms(inputs: torch.Tensor) -> torch.Tensor:
    """Return (1, cos x, sin x) of inputs `(n,)`, as `(n, 3)`."""
    return torch.stack((torch.ones_like(inputs), torch.cos(inputs), torch.sin(inputs)), 1)
