"""Time the bottleneck circuit, forward and backward, against other simulators in one run.

    python perf/circuit.py [--batch 256] [--qubits 8] [--layers 2] [--repeats 15]

The rounds of all simulators alternate, so that a busy machine slows them equally; the fastest round of each counts, in
CPU seconds of this process on one thread. `default.qubit` and PyQTorch differentiate by backpropagation,
`lightning.qubit` by the adjoint method, one segment at a time. "one matrix" is our circuit with the layers after the
embedding combined into one matrix that multiplies the whole batch, a variant that we tried and rejected.
"""

import argparse
import time
from collections.abc import Callable

import torch

from hqvqvae import circuit as ours
from hqvqvae.circuit import Circuit, statevector_circuit, weight_shape
from hqvqvae.pennylane_circuit import pennylane_circuit

ANSATZ = "strongly_entangling"


def one_matrix_circuit(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Apply the circuit as one `(2^q, 2^q)` matrix, split into real and imaginary part, to real states `(2^q, n)`."""
    gates = ours._rot(weights)
    matrix = ours._kron(gates[0])
    for layer in range(1, len(gates)):
        matrix = ours._apply(ours._after_cnots(matrix, layer - 1), gates[layer])
    amplitudes = torch.cat((matrix.real, matrix.imag)) @ ours._product_state(ours._embedded(inputs.T))
    probabilities = amplitudes.square().unflatten(0, (2, -1)).sum(0)
    return (ours._readout("Z", weights.shape[1], len(gates) - 1, inputs.device).to(inputs.dtype) @ probabilities).T


def pyqtorch_circuit(n_qubits: int, n_layers: int) -> Circuit:
    """Build the same circuit in PyQTorch, an independent batched statevector simulator in torch."""
    import pyqtorch as pyq

    gates: list[torch.nn.Module] = [pyq.RY(qubit, f"x{qubit}") for qubit in range(n_qubits)]
    for layer in range(n_layers):
        for qubit in range(n_qubits):
            names = [f"w{layer},{qubit},{angle}" for angle in range(3)]
            gates += [kind(qubit, name) for kind, name in zip((pyq.RZ, pyq.RY, pyq.RZ), names)]
        reach = layer % (n_qubits - 1) + 1
        gates += [pyq.CNOT(qubit, (qubit + reach) % n_qubits) for qubit in range(n_qubits)]
    program = pyq.QuantumCircuit(n_qubits, gates).to(torch.complex64)
    observables = [pyq.Observable(pyq.Z(qubit)).to(torch.complex64) for qubit in range(n_qubits)]

    def circuit(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        values = {f"x{qubit}": inputs[:, qubit] for qubit in range(n_qubits)}
        for place in torch.cartesian_prod(*(torch.arange(size) for size in weights.shape)).tolist():
            values[f"w{','.join(map(str, place))}"] = weights[tuple(place)]
        state = program.run(
            state=pyq.zero_state(n_qubits, batch_size=len(inputs), dtype=torch.complex64), values=values
        )
        return torch.stack([observable.expectation(state) for observable in observables], -1).to(inputs.dtype)

    return circuit


def main() -> None:
    """Print milliseconds per step, ratios, and the largest difference of outputs and gradients."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=256, help="segments per step")
    parser.add_argument("--qubits", type=int, default=8)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15, help="rounds; lightning.qubit runs only in the first")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(arguments.batch, arguments.qubits, generator=generator).requires_grad_()
    shape = weight_shape(ANSATZ, arguments.qubits, arguments.layers)
    weights = torch.rand(shape, generator=generator).requires_grad_()
    cotangent = torch.randn(arguments.batch, arguments.qubits, generator=generator) / arguments.batch
    circuits: dict[str, tuple[Circuit, int]] = {
        "torch statevector": (statevector_circuit(ANSATZ), arguments.repeats),
        "one matrix": (one_matrix_circuit, arguments.repeats),
        "default.qubit": (pennylane_circuit(arguments.qubits, ANSATZ), arguments.repeats),
        "PyQTorch": (pyqtorch_circuit(arguments.qubits, arguments.layers), arguments.repeats),
        "lightning.qubit": (pennylane_circuit(arguments.qubits, ANSATZ, "lightning.qubit"), 1),
    }

    def step(circuit: Callable) -> tuple[torch.Tensor, ...]:
        output = circuit(inputs, weights)
        return (output, *torch.autograd.grad((output * cotangent).sum(), (inputs, weights)))

    results = {name: step(circuit) for name, (circuit, _) in circuits.items()}  # also warms up
    fastest = dict.fromkeys(circuits, float("inf"))
    for round_ in range(arguments.repeats):
        for name, (circuit, rounds) in circuits.items():
            if round_ < rounds:
                start = time.process_time()
                step(circuit)
                fastest[name] = min(fastest[name], time.process_time() - start)

    print(
        f"{arguments.qubits} qubits, {arguments.layers} layers, batch {arguments.batch}, float32, one thread; "
        "forward and backward, CPU time"
    )
    first = next(iter(circuits))
    for name, seconds in fastest.items():
        gap = max(float((a - b).detach().abs().max()) for a, b in zip(results[first], results[name]))
        ratio = "" if name == first else f"  {seconds / fastest[first]:7.1f} times ours, largest difference {gap:.1e}"
        print(f"{name:18} {seconds * 1e3:9.2f} ms{ratio}")


if __name__ == "__main__":
    main()
