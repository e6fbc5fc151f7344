"""The bottleneck between encoder and quantizer: linear, bounded map, linear; the map is a circuit or classical."""

import math
from typing import Any

import torch
from torch import nn
from transformers import initialization as init

from .circuit import Circuit, idle_weights, n_outputs, statevector_circuit, weight_shape
from .configuration_hqvqvae import HQVQVAEConfig
from .pennylane_circuit import pennylane_circuit

_CLASSICAL = {"tanh": torch.tanh, "sin": torch.sin}


class Bottleneck(nn.Module):
    """Map linearly to one angle per qubit or unit, apply the circuit (or tanh, sin), map back; may add the input.

    Classical units may be coupled: `n_couplings` weights c add each unit's neighbours on a ring before the bounded map
    f, giving f(x + C f(x)). They start at zero and let the number of parameters match a circuit's exactly.
    """

    def __init__(self, config: HQVQVAEConfig):
        super().__init__()
        quantum = config.bottleneck == "quantum"
        width_out = n_outputs(config.readout, config.n_qubits) if quantum else config.n_qubits
        self.project_in = nn.Linear(config.latent_dim, config.n_qubits)
        self.project_out = nn.Linear(width_out, config.latent_dim)
        self.circuit: Circuit | None = None
        self.config = config
        self.couplings: nn.Parameter | None = None
        if quantum:
            # The weights are the model's own parameter, passed to a pure function: saved and loaded as usual.
            shape = weight_shape(config.ansatz, config.n_qubits, config.n_layers)
            self.circuit_weights = nn.Parameter(torch.empty(shape))
            self.circuit = _circuit(config)
        elif config.n_couplings:
            self.couplings = nn.Parameter(torch.empty(config.n_couplings))

    def __getstate__(self) -> dict[str, Any]:
        """Return all attributes but the circuit, which cannot be pickled; it is rebuilt from the configuration."""
        return {**self.__dict__, "circuit": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.circuit = _circuit(self.config) if self.config.bottleneck == "quantum" else None

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Map latents `(n, D)` to latents `(n, D)`."""
        inputs = self.project_in(latents) * self.config.input_scale + self.config.input_shift
        if self.circuit is not None:
            # Frozen here rather than by `requires_grad`, which is lost when a model is loaded.
            weights = self.circuit_weights.detach() if self.config.freeze_circuit else self.circuit_weights
            bounded = self.circuit(inputs, weights)
        else:
            bounded = self._classical(inputs)
        projected = self.project_out(bounded)
        return latents + projected if self.config.residual else projected

    def _classical(self, inputs: torch.Tensor) -> torch.Tensor:
        bound = _CLASSICAL[self.config.bottleneck]
        if self.couplings is not None:
            width = inputs.shape[1]
            coupling = torch.arange(len(self.couplings), device=inputs.device)
            unit, reach = coupling % width, 1 + coupling // width
            neighbours = bound(inputs)[:, (unit + reach) % width]
            inputs = inputs.index_add(1, unit, neighbours * self.couplings)
        return bound(inputs)

    def init_weights(self, circuit_init_std: float | None) -> None:
        """Draw circuit weights from N(0, std) or U(0, 2 pi) and set couplings to zero; leave the linear layers."""
        if self.circuit is None:
            if self.couplings is not None:
                init.zeros_(self.couplings)
        elif circuit_init_std is None:
            init.uniform_(self.circuit_weights, 0.0, 2 * math.pi)
        else:
            init.normal_(self.circuit_weights, 0.0, circuit_init_std)


def _circuit(config: HQVQVAEConfig) -> Circuit:
    if config.backend == "torch":
        return statevector_circuit(config.ansatz, config.readout)
    device = config.pennylane_device, config.pennylane_shots
    return pennylane_circuit(config.n_qubits, config.ansatz, *device, config.readout)


def n_parameters(config: HQVQVAEConfig) -> int:
    """Count the bottleneck's trainable numbers that affect its output (`circuit.idle_weights` do not)."""
    width, depth = config.n_qubits, config.latent_dim
    if config.bottleneck == "none":
        return 0
    if config.bottleneck != "quantum":
        return (depth + 1) * width + (width + 1) * depth + config.n_couplings
    trained = math.prod(weight_shape(config.ansatz, width, config.n_layers))
    trained -= idle_weights(config.ansatz, width, config.n_layers)
    outputs = n_outputs(config.readout, width)
    return (depth + 1) * width + (outputs + 1) * depth + (0 if config.freeze_circuit else trained)


def twin_options(config: HQVQVAEConfig, bottleneck: str = "tanh") -> dict[str, str | int]:
    """Return options of the classical bottleneck with exactly as many parameters as the one with a circuit.

    Args:
        config: configuration of a model with a circuit.
        bottleneck: "tanh" or "sin".

    Returns:
        Options for as many units as the parameters allow, with couplings for the remainder.
    """
    # A unit costs its input row, its bias and its output column; the output bias is shared.
    units, couplings = divmod(n_parameters(config) - config.latent_dim, 2 * config.latent_dim + 1)
    return {"bottleneck": bottleneck, "n_qubits": units, "n_couplings": couplings}
