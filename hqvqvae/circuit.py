"""The parametrised quantum circuits of the bottleneck as a batched torch statevector.

Each ansatz embeds one angle per qubit and has layers of trainable gates. <Z> of each qubit is read out and, with
readout "Z+ZZ", also <ZZ> of neighbours on a ring:

    strongly_entangling  AngleEmbedding (RY), StronglyEntanglingLayers (Rot = RZ RY RZ on each qubit, a ring of CNOTs
                         whose reach grows with the layer): the paper's ansatz
    reuploading          the same, with the embedding repeated before each layer
    ry_cz                AngleEmbedding (RY), layers of RY with a ring of CZ between them; near the identity if the
                         number of layers is odd and weights are small, because the rings cancel in pairs
    rot_ising_zz         AngleEmbedding (RY), layers of Rot and a ring of IsingZZ; near the identity for small weights
    iqp                  IQPEmbedding, StronglyEntanglingLayers
    product              AngleEmbedding (RY) and Rot in each layer, no two-qubit gates: separable

The paper's circuit, for three qubits and one layer:

    0: ──RY(x0)──Rot──╭●────╭X─┤ <Z>
    1: ──RY(x1)──Rot──╰X─╭●─│──┤ <Z>
    2: ──RY(x2)──Rot─────╰X─╰●─┤ <Z>

All are pure functions of (inputs, weights), so the weights stay the model's own parameters. The paper specifies angle
encoding, two entangling layers and Pauli-Z readout; the rotation axis and the entangler are ours. Multiplying the whole
batch by one matrix for all layers after the embedding was tried and is half as fast (`perf/circuit.py`).
"""

import functools
import math
from collections.abc import Callable

import torch

from .errors import HQVQVAEError

READOUTS = ("Z", "Z+ZZ")
MAX_QUBITS = 12

Circuit = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def weight_shape(ansatz: str, n_qubits: int, n_layers: int) -> tuple[int, int, int]:
    """Return the shape of the weights: angles in rad per layer and qubit.

    Args:
        ansatz: One of `ANSATZES`.
        n_qubits: Number of qubits q.
        n_layers: Number of layers.

    Returns:
        `(layers, q, angles)`, with three angles for Rot, one for IsingZZ and one for RY.
    """
    return (n_layers, n_qubits, {"ry_cz": 1, "rot_ising_zz": 4}.get(ansatz, 3))


def idle_weights(ansatz: str, n_qubits: int, n_layers: int) -> int:
    """Count the weights that affect no output because their gates commute with the readout.

    They are the last layer's second RZ (8 of the 48 angles of the paper's circuit) and IsingZZ, and the IsingZZ angles
    beyond the pairs of a ring of one or two qubits. They are drawn and saved like the others; their gradient is zero.
    """
    if ansatz == "ry_cz":
        return 0
    if ansatz == "rot_ising_zz":
        return 2 * n_qubits + (n_layers - 1) * (n_qubits - len(ring(n_qubits)))
    return n_qubits


def n_outputs(readout: str, n_qubits: int) -> int:
    """Count the expectation values that are read out.

    Args:
        readout: One of `READOUTS`.
        n_qubits: Number of qubits q.

    Returns:
        q, plus the pairs of a ring of q qubits with readout "Z+ZZ".
    """
    return n_qubits + (len(ring(n_qubits)) if readout == "Z+ZZ" else 0)


def ring(n_qubits: int) -> list[tuple[int, int]]:
    """Return the pairs of neighbours on a ring; two qubits make one pair, one makes none."""
    return [(qubit, (qubit + 1) % n_qubits) for qubit in range(n_qubits if n_qubits > 2 else n_qubits - 1)]


def check_shapes(ansatz: str, inputs: torch.Tensor, weights: torch.Tensor) -> None:
    """Raise HQVQVAEError unless inputs are `(n, q)` and weights `(layers, q, angles)`."""
    angles = weight_shape(ansatz, 1, 1)[-1]
    if inputs.ndim != 2 or weights.ndim != 3 or weights.shape[1:] != (inputs.shape[1], angles):
        got = f"got {tuple(inputs.shape)} and {tuple(weights.shape)}"
        raise HQVQVAEError(f"the circuit needs inputs (n, q) and weights (layers, q, {angles}); {got}")


def statevector_circuit(ansatz: str, readout: str = "Z") -> Circuit:
    """Return the circuit as a torch simulation, on the device and in the precision of its inputs.

    Args:
        ansatz: One of `ANSATZES`.
        readout: One of `READOUTS`.

    Returns:
        A function that maps inputs `(n, q)` and weights (`weight_shape`), both in rad, to the expectation values
        `(n, n_outputs)`; it is differentiable in both.
    """

    def circuit(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        check_shapes(ansatz, inputs, weights)
        n_layers, n_qubits, _ = weights.shape
        angles = inputs.T  # the batch comes last, so that gates act on long contiguous runs
        if ansatz == "product":
            z = _product_z(angles, weights)
            pairs = [z[one] * z[other] for one, other in ring(n_qubits)] if readout == "Z+ZZ" else []
            return torch.cat((z, torch.stack(pairs)) if pairs else (z,)).T
        state = _STATES[ansatz](angles, weights)
        probabilities = torch.view_as_real(state).square().sum(-1) if state.is_complex() else state.square()
        # The last ring of CNOTs only permutes probabilities, so it is part of the readout.
        last = None if ansatz in ("ry_cz", "rot_ising_zz") else n_layers - 1
        return (_readout(readout, n_qubits, last, inputs.device).to(inputs.dtype) @ probabilities).T

    return circuit


def _strongly_entangling(angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    gates = _rot(weights)
    # RY on |0>, then the first Rot: still a product of single-qubit states, so no full gate is applied.
    state = _product_state(torch.matmul(gates[0], _embedded(angles).to(gates.dtype)))
    for layer in range(1, len(gates)):
        state = _apply(_after_cnots(state, layer - 1), gates[layer])
    return state


def _reuploading(angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    gates = _rot(weights)
    state = _product_state(torch.matmul(gates[0], _embedded(angles).to(gates.dtype)))
    # RY(x) is diagonal in the basis of Y: one basis change for all rows, and a phase per row.
    to_y = torch.tensor([[1, -1j], [1, 1j]], dtype=gates.dtype, device=gates.device).expand(len(angles), 2, 2) / 2**0.5
    half = torch.stack((-angles / 2, angles / 2), 1)
    phases = _product_state(torch.polar(torch.ones_like(half), half))
    for layer in range(1, len(gates)):
        state = phases * _apply(_after_cnots(state, layer - 1), to_y)
        state = _apply(state, gates[layer] @ to_y.mH)
    return state


def _ry_cz(angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    # The first RY adds to the embedding's; all gates are real, so is the state. A last ring of CZ would have no effect.
    state = _product_state(_embedded(angles + weights[0]))
    cz = _cz_signs(len(angles), angles.device).to(angles.dtype)
    for layer in weights[1:]:
        state = _apply(cz[:, None] * state, _ry(layer[:, 0]))
    return state


def _rot_ising_zz(angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    gates = _rot(weights[..., :3])
    state = _product_state(torch.matmul(gates[0], _embedded(angles).to(gates.dtype)))
    n_qubits = len(angles)
    zz = _eigenvalues(n_qubits, tuple(ring(n_qubits)), angles.device).to(angles.dtype)
    for layer in range(1, len(gates)):
        phase = -0.5 * weights[layer - 1, : len(zz), 3] @ zz
        state = _apply(torch.polar(torch.ones_like(phase), phase)[:, None] * state, gates[layer])
    return state


def _iqp(angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    n_qubits = len(angles)
    pairs = torch.triu_indices(n_qubits, n_qubits, 1, device=angles.device)
    terms = torch.cat((angles, angles[pairs[0]] * angles[pairs[1]]))
    observables = (*((qubit,) for qubit in range(n_qubits)), *zip(*pairs.tolist()))
    phase = -0.5 * _eigenvalues(n_qubits, observables, angles.device).to(angles.dtype).T @ terms
    state = torch.polar(torch.full_like(phase, 2 ** (-n_qubits / 2)), phase)
    for layer, gates in enumerate(_rot(weights)):
        state = _apply(state if layer == 0 else _after_cnots(state, layer - 1), gates)
    return state


_STATES = {
    "strongly_entangling": _strongly_entangling,
    "reuploading": _reuploading,
    "ry_cz": _ry_cz,
    "rot_ising_zz": _rot_ising_zz,
    "iqp": _iqp,
}
ANSATZES = (*_STATES, "product")


def _product_z(angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Compute <Z> `(q, n)` of qubits that never interact: each keeps its own two amplitudes."""
    gates = _rot(weights)
    state = torch.matmul(gates[0], _embedded(angles).to(gates.dtype))
    for gate in gates[1:]:
        state = torch.matmul(gate, torch.einsum("qijn,qjn->qin", _ry(angles).to(gate.dtype), state))
    probabilities = torch.view_as_real(state).square().sum(-1)
    return probabilities[:, 0] - probabilities[:, 1]


def _ry(angle: torch.Tensor) -> torch.Tensor:
    """Return the real RY matrices `(q, 2, 2, ...)` of angles `(q, ...)`."""
    cos, sin = torch.cos(angle / 2), torch.sin(angle / 2)
    return torch.stack((torch.stack((cos, -sin), 1), torch.stack((sin, cos), 1)), 1)


def _rot(weights: torch.Tensor) -> torch.Tensor:
    """Return Rot(phi, theta, omega) = RZ(omega) RY(theta) RZ(phi) as complex matrices `(layers, q, 2, 2)`."""
    phi, theta, omega = weights.unbind(-1)
    z_sign = torch.tensor((-0.5, 0.5), dtype=weights.dtype, device=weights.device)
    phase = (omega[..., None] * z_sign)[..., :, None] + (phi[..., None] * z_sign)[..., None, :]
    return _ry(theta.flatten()).unflatten(0, theta.shape) * torch.complex(torch.cos(phase), torch.sin(phase))


def _embedded(angles: torch.Tensor) -> torch.Tensor:
    """Return RY(x)|0> for each qubit, `(q, 2, n)`."""
    return torch.stack((torch.cos(angles / 2), torch.sin(angles / 2)), 1)


def _product_state(qubits: torch.Tensor) -> torch.Tensor:
    """Return the joint state `(2^q, n)` of independent qubits `(q, 2, n)`; qubit 0 is the most significant bit."""
    if len(qubits) == 1:
        return qubits[0]
    half = len(qubits) // 2  # by halves, so that only the last product has full size
    upper, lower = _product_state(qubits[:half]), _product_state(qubits[half:])
    return (upper[:, None, :] * lower[None, :, :]).flatten(0, 1)


def _apply(state: torch.Tensor, gates: torch.Tensor) -> torch.Tensor:
    """Apply one gate to each qubit, as Kronecker factors for each half of the register: A S B^T for a state matrix S.

    Args:
        state: State `(2^q, n)`.
        gates: Gates `(q, 2, 2)`.

    Returns:
        The state `(2^q, n)`.
    """
    half = len(gates) // 2
    if half == 0:
        return gates[0] @ state
    upper, lower = (functools.reduce(torch.kron, part) for part in (gates[:half], gates[half:]))
    state = (upper @ state.reshape(len(upper), -1)).unflatten(1, (len(lower), -1))
    return torch.matmul(lower, state).flatten(0, 1)


def _after_cnots(state: torch.Tensor, layer: int) -> torch.Tensor:
    n_qubits = int(math.log2(len(state)))
    return state.index_select(0, _ring_of_cnots(n_qubits, layer, state.device))


def _constant(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Cache a constant tensor for each set of arguments, except in `torch.export`, whose tensors have no values."""
    # A tensor first made in inference mode could not serve a later backward pass.
    kept = functools.lru_cache(torch.inference_mode(False)(make))
    return lambda *arguments: make(*arguments) if torch.compiler.is_exporting() else kept(*arguments)


@_constant
def _ring_of_cnots(n_qubits: int, layer: int, device: torch.device) -> torch.Tensor:
    """Combine one layer's CNOTs into a permutation `(2^q,)`: new amplitude i is old amplitude permutation[i]."""
    source = torch.arange(2**n_qubits, device=device)
    if n_qubits > 1:
        reach = layer % (n_qubits - 1) + 1
        # The last CNOT acts last on the state, so its index map applies first.
        for control in reversed(range(n_qubits)):
            target = (control + reach) % n_qubits
            bit = source >> (n_qubits - 1 - control) & 1
            source = source ^ (bit << (n_qubits - 1 - target))
    return source


@_constant
def _eigenvalues(n_qubits: int, observables: tuple[tuple[int, ...], ...], device: torch.device) -> torch.Tensor:
    """Compute the eigenvalues `(observables, 2^q)` of products of Z on the named qubits, in each basis state."""
    shifts = torch.arange(n_qubits - 1, -1, -1, device=device)
    z = 1.0 - 2.0 * (torch.arange(2**n_qubits, device=device) >> shifts[:, None] & 1).double()
    rows = [z[list(qubits)].prod(0) for qubits in observables]
    return torch.stack(rows) if rows else z[:0]


@_constant
def _cz_signs(n_qubits: int, device: torch.device) -> torch.Tensor:
    """Compute the factors `(2^q,)` that a ring of CZ applies: -1 for each pair of neighbours that are both 1."""
    signs = torch.ones(2**n_qubits, dtype=torch.float64, device=device)
    for one, other in ring(n_qubits):
        z = _eigenvalues(n_qubits, ((one,), (other,)), device)
        signs = signs * (1 - 0.5 * (1 - z[0]) * (1 - z[1]))
    return signs


@_constant
def _readout(readout: str, n_qubits: int, last: int | None, device: torch.device) -> torch.Tensor:
    """Compute the readout's eigenvalues `(n_outputs, 2^q)` in each basis state before the last layer's CNOTs."""
    pairs = ring(n_qubits) if readout == "Z+ZZ" else []
    after = _eigenvalues(n_qubits, (*((qubit,) for qubit in range(n_qubits)), *pairs), device)
    if last is None:
        return after
    before = torch.empty_like(after)
    before[:, _ring_of_cnots(n_qubits, last, device)] = after
    return before
