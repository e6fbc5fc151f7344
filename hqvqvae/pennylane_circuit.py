"""The circuits of `circuit`, implemented gate by gate in PennyLane, for any of its devices."""

import torch

from .circuit import Circuit, check_shapes, ring, weight_shape
from .errors import HQVQVAEError


def _pennylane():
    try:
        import pennylane
    except ImportError as error:
        fix = "pip install pennylane, or use backend 'torch'"
        raise HQVQVAEError(f"backend 'pennylane' needs PennyLane: {fix}") from error
    return pennylane


def _gates(qml, ansatz: str, inputs: torch.Tensor, weights: torch.Tensor) -> None:
    """Queue the gates of an ansatz; inputs are `(q,)` or `(n, q)`, weights as in `weight_shape`."""
    n_layers, n_qubits, _ = weights.shape
    wires = range(n_qubits)
    for layer in range(n_layers):
        if ansatz == "iqp" and layer == 0:
            qml.IQPEmbedding(inputs, wires=wires)
        elif layer == 0 or ansatz in ("reuploading", "product"):
            qml.AngleEmbedding(inputs, wires=wires, rotation="Y")
        if ansatz == "ry_cz":
            for qubit in wires:
                qml.RY(weights[layer, qubit, 0], wires=qubit)
            for pair in ring(n_qubits):
                qml.CZ(wires=pair)
        elif ansatz in ("product", "rot_ising_zz"):
            for qubit in wires:
                qml.Rot(*weights[layer, qubit, :3], wires=qubit)
            for qubit, pair in enumerate(ring(n_qubits) if ansatz == "rot_ising_zz" else []):
                qml.IsingZZ(weights[layer, qubit, 3], wires=pair)
        else:
            ranges = [layer % (n_qubits - 1) + 1] if n_qubits > 1 else None
            qml.StronglyEntanglingLayers(weights[layer : layer + 1], wires=wires, ranges=ranges)


def pennylane_circuit(
    n_qubits: int, ansatz: str, device_name: str = "default.qubit", shots: int | None = None, readout: str = "Z"
) -> Circuit:
    """Return a circuit as a PennyLane QNode, on any PennyLane device (simulators with shots or noise, hardware).

    Args:
        n_qubits: Number of wires.
        ansatz: One of `ANSATZES`.
        device_name: A PennyLane device: "default.qubit", "lightning.qubit", "default.mixed" ...
        shots: Samples per expectation value; None for exact values.
        readout: One of `READOUTS`.

    Returns:
        The same function as `statevector_circuit`, up to rounding (or the noise of shots). PennyLane returns results
        of devices other than "default.qubit" to torch in single precision.

    Raises:
        HQVQVAEError: If PennyLane is not installed or does not know the device.
    """
    node = _node(n_qubits, ansatz, device_name, shots, readout)

    def circuit(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        check_shapes(ansatz, inputs, weights)
        return torch.stack(tuple(node(inputs, weights)), dim=-1).to(inputs.dtype)

    return circuit


def _node(n_qubits: int, ansatz: str, device_name: str, shots: int | None, readout: str):
    qml = _pennylane()
    try:
        device = qml.device(device_name, wires=n_qubits)
    except Exception as error:  # plugins raise their own types
        raise HQVQVAEError(f"PennyLane has no usable device {device_name!r}: {error}") from error

    def quantum_function(inputs, weights):
        _gates(qml, ansatz, inputs, weights)
        values = [qml.expval(qml.PauliZ(wire)) for wire in range(n_qubits)]
        if readout == "Z+ZZ":
            values += [qml.expval(qml.PauliZ(one) @ qml.PauliZ(other)) for one, other in ring(n_qubits)]
        return values

    exact_backprop = device_name == "default.qubit" and shots is None
    node = qml.QNode(quantum_function, device, interface="torch", diff_method="backprop" if exact_backprop else "best")
    if shots is not None:
        node = qml.set_shots(node, shots)
    if not exact_backprop:
        node = qml.transforms.broadcast_expand(node)  # adjoint and parameter-shift take one row at a time

    return node


def draw(n_qubits: int, n_layers: int, ansatz: str) -> str:
    """Draw the circuit as text, gate by gate, without the values of inputs and weights.

    Args:
        n_qubits: Number of wires.
        n_layers: Number of entangling layers.
        ansatz: One of `ANSATZES`.

    Returns:
        PennyLane's drawing, one line per wire.
    """
    node = _node(n_qubits, ansatz, "default.qubit", None, "Z")
    weights = torch.zeros(weight_shape(ansatz, n_qubits, n_layers))
    drawer = _pennylane().draw(node, level="device", decimals=None, show_all_wires=True, max_length=200)
    return drawer(torch.zeros(n_qubits), weights)
