"""Times the bottleneck circuit, forward and backward, against PennyLane in one run.

    python perf/circuit.py [--batch 256] [--qubits 8] [--layers 2] [--repeats 15]

Rounds of all simulators alternate, so that a busy machine slows them alike; the fastest round of each counts.
`default.qubit` differentiates by backprop, `lightning.qubit` by the adjoint method, one segment at a time.
"""

from __future__ import annotations

import argparse
import time
from importlib import metadata

import torch

from hqvqvae.circuit import pennylane_circuit, statevector_circuit, weight_shape

ANSATZ = "strongly_entangling"


def main() -> None:
    """Print milliseconds per step, ratios, and the largest difference of outputs and gradients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256, help="segments per step")
    parser.add_argument("--qubits", type=int, default=8)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15, help="rounds; lightning.qubit runs in the first only")
    arguments = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(arguments.batch, arguments.qubits, generator=generator).requires_grad_()
    weights = torch.rand(weight_shape(arguments.qubits, arguments.layers), generator=generator).requires_grad_()
    cotangent = torch.randn(arguments.batch, arguments.qubits, generator=generator) / arguments.batch

    circuits = {"torch statevector": (statevector_circuit(ANSATZ), arguments.repeats)}
    circuits["default.qubit"] = (pennylane_circuit(arguments.qubits, ANSATZ), arguments.repeats)
    try:
        metadata.version("pennylane_lightning")
        circuits["lightning.qubit"] = (pennylane_circuit(arguments.qubits, ANSATZ, "lightning.qubit"), 1)
    except metadata.PackageNotFoundError:
        print("lightning.qubit is not installed: left out")

    def step(circuit):
        output = circuit(inputs, weights)
        return (output, *torch.autograd.grad((output * cotangent).sum(), (inputs, weights)))

    results = {name: step(circuit) for name, (circuit, _) in circuits.items()}  # also warms up
    fastest = dict.fromkeys(circuits, float("inf"))
    for round_ in range(arguments.repeats):
        for name, (circuit, rounds) in circuits.items():
            if round_ < rounds:
                start = time.perf_counter()
                step(circuit)
                fastest[name] = min(fastest[name], time.perf_counter() - start)

    print(
        f"{arguments.qubits} qubits, {arguments.layers} layers, batch {arguments.batch}, float32, "
        f"{torch.get_num_threads()} threads; forward and backward"
    )
    ours = "torch statevector"
    for name, seconds in fastest.items():
        gap = max(float((a - b).detach().abs().max()) for a, b in zip(results[ours], results[name]))
        ratio = "" if name == ours else f"  {seconds / fastest[ours]:7.1f} times ours, largest difference {gap:.1e}"
        print(f"{name:18} {seconds * 1e3:9.2f} ms{ratio}")


if __name__ == "__main__":
    main()
