"""The parametrised quantum circuit of the bottleneck: a batched torch statevector and the same circuit in PennyLane.

Angle embedding (RY), then layers of `StronglyEntanglingLayers` (Rot = RZ RY RZ on each qubit, a ring of CNOTs whose
reach grows with the layer), read out as <Z> of each qubit. Ansatz "reuploading" repeats the embedding before each
layer. For three qubits and one layer:

    0: ──RY(x0)──Rot──╭●────╭X─┤ <Z>
    1: ──RY(x1)──Rot──╰X─╭●─│──┤ <Z>
    2: ──RY(x2)──Rot─────╰X─╰●─┤ <Z>

Both are pure functions of (inputs, weights), so the weights stay the model's own parameters. The paper names angle
encoding, two entangling layers and Pauli-Z readout; the rotation axis and the entangler are ours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from .errors import HQVQVAEError

ANSATZES = ("strongly_entangling", "reuploading")
MAX_QUBITS = 12

Circuit = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def weight_shape(n_qubits: int, n_layers: int) -> tuple[int, int, int]:
    """Shape of the weights: three Euler angles in rad for each layer and qubit."""
    return (n_layers, n_qubits, 3)


def statevector_circuit(ansatz: str) -> Circuit:
    """The circuit simulated in torch, on the device and in the precision of its inputs.

    Args:
        ansatz: one of `ANSATZES`.

    Returns:
        A function of inputs `(n, q)` in rad and weights `(layers, q, 3)` in rad that gives <Z> as `(n, q)`,
        differentiable in both.
    """

    def circuit(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        _check_shapes(inputs, weights)
        n_layers, n_qubits, _ = weights.shape
        gates = _rot(weights)
        angles = inputs.T  # rows of the batch go last: gates act on long contiguous runs
        # RY on |0>, then the first Rot: still a product of single-qubit states, so no full gate is applied.
        state = _product_state(torch.matmul(gates[0], _embedded(angles).to(gates.dtype)))
        for layer in range(1, n_layers):
            state = state.index_select(0, _ring_of_cnots(n_qubits, layer - 1, inputs.device))
            if ansatz == "reuploading":
                state = _apply_by_row(state, torch.einsum("qij,qjkn->qikn", gates[layer], _ry(angles).to(gates.dtype)))
            else:
                state = _apply(state, gates[layer])
        probabilities = torch.view_as_real(state).square().sum(-1)
        # The last ring of CNOTs only permutes probabilities, so it is part of the readout.
        return (_readout(n_qubits, n_layers - 1, inputs.device).to(inputs.dtype) @ probabilities).T

    return circuit


def _check_shapes(inputs: torch.Tensor, weights: torch.Tensor) -> None:
    if inputs.ndim != 2 or weights.ndim != 3 or weights.shape[1:] != (inputs.shape[1], 3):
        raise HQVQVAEError(
            f"the circuit needs inputs (n, q) and weights (layers, q, 3), got {tuple(inputs.shape)} and "
            f"{tuple(weights.shape)}"
        )


def _ry(angle: torch.Tensor) -> torch.Tensor:
    """Real RY matrices of angles `(q, ...)`, `(q, 2, 2, ...)`."""
    cos, sin = torch.cos(angle / 2), torch.sin(angle / 2)
    return torch.stack((torch.stack((cos, -sin), 1), torch.stack((sin, cos), 1)), 1)


def _rot(weights: torch.Tensor) -> torch.Tensor:
    """Rot(phi, theta, omega) = RZ(omega) RY(theta) RZ(phi) as complex matrices `(layers, q, 2, 2)`."""
    phi, theta, omega = weights.unbind(-1)
    z_sign = torch.tensor((-0.5, 0.5), dtype=weights.dtype, device=weights.device)
    phase = (omega[..., None] * z_sign)[..., :, None] + (phi[..., None] * z_sign)[..., None, :]
    return _ry(theta.flatten()).unflatten(0, theta.shape) * torch.complex(torch.cos(phase), torch.sin(phase))


def _embedded(angles: torch.Tensor) -> torch.Tensor:
    """RY(x)|0> for each qubit, `(q, 2, n)`."""
    return torch.stack((torch.cos(angles / 2), torch.sin(angles / 2)), 1)


def _product_state(qubits: torch.Tensor) -> torch.Tensor:
    """The joint state `(2^q, n)` of independent qubits `(q, 2, n)`; qubit 0 is the most significant bit."""
    if len(qubits) == 1:
        return qubits[0]
    half = len(qubits) // 2  # two halves first: only the last product is of full size
    upper, lower = _product_state(qubits[:half]), _product_state(qubits[half:])
    return (upper[:, None, :] * lower[None, :, :]).flatten(0, 1)


def _kron(gates: torch.Tensor) -> torch.Tensor:
    """Kronecker product `(2^q, 2^q)` of single-qubit gates `(q, 2, 2)`."""
    return functools.reduce(torch.kron, gates)


def _apply(state: torch.Tensor, gates: torch.Tensor) -> torch.Tensor:
    """One gate on each qubit, as two Kronecker factors of half the register: A S B^T on the state as a matrix S.

    Args:
        state: `(2^q, n)`.
        gates: `(q, 2, 2)`.

    Returns:
        The state `(2^q, n)`.
    """
    half = len(gates) // 2
    if half == 0:
        return gates[0] @ state
    upper, lower = _kron(gates[:half]), _kron(gates[half:])
    state = (upper @ state.reshape(len(upper), -1)).unflatten(1, (len(lower), -1))
    return torch.matmul(lower, state).flatten(0, 1)


def _apply_by_row(state: torch.Tensor, gates: torch.Tensor) -> torch.Tensor:
    """One gate on each qubit that differs by row of the batch: state `(2^q, n)`, gates `(q, 2, 2, n)`."""
    n_qubits = len(gates)
    for qubit in range(n_qubits):
        split = state.unflatten(0, (2**qubit, 2, 2 ** (n_qubits - qubit - 1)))
        state = torch.einsum("ijn,ajbn->aibn", gates[qubit], split).flatten(0, 2)
    return state


@functools.lru_cache
@torch.inference_mode(False)  # a tensor first made in inference mode could not serve a later backward pass
def _ring_of_cnots(n_qubits: int, layer: int, device: torch.device) -> torch.Tensor:
    """The CNOTs of one layer as one permutation `(2^q,)`: new amplitude i is old amplitude permutation[i]."""
    source = torch.arange(2**n_qubits, device=device)
    if n_qubits > 1:
        reach = layer % (n_qubits - 1) + 1
        # The last CNOT acts last on the state, so its index map is read first.
        for control in reversed(range(n_qubits)):
            target = (control + reach) % n_qubits
            bit = source >> (n_qubits - 1 - control) & 1
            source = source ^ (bit << (n_qubits - 1 - target))
    return source


@functools.lru_cache
@torch.inference_mode(False)
def _readout(n_qubits: int, layer: int, device: torch.device) -> torch.Tensor:
    """Eigenvalue of Z of each qubit `(q, 2^q)` in each basis state, as it is before the CNOTs of the layer."""
    shifts = torch.arange(n_qubits - 1, -1, -1, device=device)
    signs = 1.0 - 2.0 * (torch.arange(2**n_qubits, device=device) >> shifts[:, None] & 1).double()
    before = torch.empty_like(signs)
    before[:, _ring_of_cnots(n_qubits, layer, device)] = signs
    return before


def pennylane_circuit(
    n_qubits: int, ansatz: str, device_name: str = "default.qubit", shots: int | None = None
) -> Circuit:
    """The same circuit as a PennyLane QNode, on any PennyLane device (simulators with shots or noise, hardware).

    Args:
        n_qubits: number of wires.
        ansatz: one of `ANSATZES`.
        device_name: a PennyLane device, "default.qubit", "lightning.qubit", "default.mixed" ...
        shots: samples per expectation value; None for the exact one.

    Returns:
        The same function as `statevector_circuit`, up to rounding (or to the shots' noise). PennyLane hands the
        results of devices other than "default.qubit" to torch in single precision.

    Raises:
        HQVQVAEError: PennyLane is not installed or does not know the device.
    """
    try:
        import pennylane as qml
    except ImportError as error:
        raise HQVQVAEError(
            "backend 'pennylane' needs PennyLane: pip install pennylane, or use backend 'torch'"
        ) from error
    try:
        device = qml.device(device_name, wires=n_qubits)
    except Exception as error:  # plugins raise their own kinds
        raise HQVQVAEError(f"PennyLane has no usable device {device_name!r}: {error}") from error

    def quantum_function(inputs, weights):
        for layer in range(weights.shape[0]):
            if layer == 0 or ansatz == "reuploading":
                qml.AngleEmbedding(inputs, wires=range(n_qubits), rotation="Y")
            ranges = [layer % (n_qubits - 1) + 1] if n_qubits > 1 else None
            qml.StronglyEntanglingLayers(weights[layer : layer + 1], wires=range(n_qubits), ranges=ranges)
        return [qml.expval(qml.PauliZ(wire)) for wire in range(n_qubits)]

    exact_backprop = device_name == "default.qubit" and shots is None
    node = qml.QNode(quantum_function, device, interface="torch", diff_method="backprop" if exact_backprop else "best")
    if shots is not None:
        node = qml.set_shots(node, shots)
    if not exact_backprop:
        node = qml.transforms.broadcast_expand(node)  # adjoint and parameter-shift take one row at a time

    def circuit(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        _check_shapes(inputs, weights)
        return torch.stack(tuple(node(inputs, weights)), dim=-1).to(inputs.dtype)

    vars(circuit)["node"] = node  # for `draw`
    return circuit


def draw(n_qubits: int, n_layers: int, ansatz: str) -> str:
    """The circuit as text, gate by gate, with the names of inputs and weights left to their values' places.

    Args:
        n_qubits: number of wires.
        n_layers: number of entangling layers.
        ansatz: one of `ANSATZES`.

    Returns:
        PennyLane's drawing, one line a wire.
    """
    import pennylane as qml

    node = vars(pennylane_circuit(n_qubits, ansatz))["node"]
    weights = torch.zeros(weight_shape(n_qubits, n_layers))
    drawer = qml.draw(node, level="device", decimals=None, show_all_wires=True, max_length=200)
    return drawer(torch.zeros(n_qubits), weights)
