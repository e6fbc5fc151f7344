"""The torch statevectors against PennyLane: values and gradients, in both precisions; other devices; drawing."""

import numpy as np
import pytest
import torch

from hqvqvae.circuit import ANSATZES, READOUTS, idle_weights, n_outputs, statevector_circuit, weight_shape
from hqvqvae.errors import HQVQVAEError
from hqvqvae.pennylane_circuit import draw, pennylane_circuit

PAPER = "strongly_entangling"
SIZES = [(1, 2), (2, 3), (3, 4), (8, 2)]


def case(n_qubits, n_layers, dtype, device="cpu", rows=9, ansatz=PAPER, readout="Z"):
    rng = np.random.default_rng(n_qubits * 10 + n_layers)

    def tensor(values):
        return torch.tensor(values, dtype=dtype, device=device)

    inputs = tensor(rng.normal(size=(rows, n_qubits))).requires_grad_()
    weights = tensor(rng.uniform(0, 2 * np.pi, size=weight_shape(ansatz, n_qubits, n_layers))).requires_grad_()
    return inputs, weights, tensor(rng.normal(size=(rows, n_outputs(readout, n_qubits))))


def values_and_gradients(circuit, inputs, weights, cotangent):
    output = circuit(inputs, weights)
    # The mean over rows: a gradient of order one, as a loss has.
    return (output, *torch.autograd.grad((output * cotangent).sum(1).mean(), (inputs, weights)))


@pytest.mark.parametrize("ansatz", ANSATZES)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize(("n_qubits", "n_layers"), SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-10)])
def test_equals_pennylane(ansatz, readout, n_qubits, n_layers, dtype, tolerance):
    arguments = case(n_qubits, n_layers, dtype, ansatz=ansatz, readout=readout)
    ours = values_and_gradients(statevector_circuit(ansatz, readout), *arguments)
    theirs = values_and_gradients(pennylane_circuit(n_qubits, ansatz, readout=readout), *arguments)
    for mine, other in zip(ours, theirs):
        assert mine.dtype == other.dtype == dtype
        torch.testing.assert_close(mine, other, atol=tolerance, rtol=0)


@pytest.mark.parametrize("ansatz", ANSATZES)
@pytest.mark.parametrize(("n_qubits", "n_layers"), [(1, 2), (2, 3), (4, 1), (4, 3)])
def test_as_many_weights_are_idle_as_stated(ansatz, n_qubits, n_layers):
    arguments = case(n_qubits, n_layers, torch.float64, ansatz=ansatz, readout="Z+ZZ")
    slopes = values_and_gradients(statevector_circuit(ansatz, "Z+ZZ"), *arguments)[2]
    assert (slopes.abs() < 1e-14).sum() == idle_weights(ansatz, n_qubits, n_layers)


@pytest.mark.parametrize("ansatz", ["rot_ising_zz", "product", "ry_cz"])
def test_these_are_the_identity_at_zero_weights(ansatz):
    inputs, weights, _ = case(4, 3, torch.float64, ansatz=ansatz)
    expected = torch.cos(3 * inputs if ansatz == "product" else inputs)  # of which the product circuit embeds three
    torch.testing.assert_close(statevector_circuit(ansatz)(inputs, 0 * weights), expected, atol=1e-14, rtol=0)


def test_twelve_qubits_equal_pennylane():
    inputs, weights, _ = case(12, 2, torch.float64, rows=2)
    ours = statevector_circuit(PAPER)(inputs, weights)
    torch.testing.assert_close(ours, pennylane_circuit(12, PAPER)(inputs, weights), atol=1e-10, rtol=0)


@pytest.mark.parametrize("ansatz", ANSATZES)
def test_gradients_are_those_of_finite_differences(ansatz):
    inputs, weights, _ = case(3, 2, torch.float64, rows=2, ansatz=ansatz)
    assert torch.autograd.gradcheck(statevector_circuit(ansatz), (inputs, weights))


def test_rows_do_not_touch_each_other():
    inputs, weights, _ = case(4, 2, torch.float64)
    circuit = statevector_circuit(PAPER)
    one_by_one = torch.cat([circuit(row[None], weights) for row in inputs])
    torch.testing.assert_close(circuit(inputs, weights), one_by_one, atol=1e-14, rtol=0)


def test_inference_mode_first_and_training_after():
    inputs, weights, _ = case(7, 3, torch.float32)
    circuit = statevector_circuit(PAPER)
    with torch.inference_mode():
        circuit(inputs, weights)
    circuit(inputs, weights).sum().backward()
    assert torch.isfinite(weights.grad).all()


def test_other_devices_and_shots():
    inputs, weights, cotangent = case(3, 2, torch.float32, rows=3)
    exact = values_and_gradients(statevector_circuit(PAPER), inputs, weights, cotangent)
    lightning = pennylane_circuit(3, PAPER, "lightning.qubit")
    for mine, other in zip(exact, values_and_gradients(lightning, inputs, weights, cotangent)):
        torch.testing.assert_close(mine, other, atol=2e-6, rtol=0)
    with torch.no_grad():
        shots = pennylane_circuit(3, PAPER, shots=4000)(inputs, weights)
    assert not torch.equal(shots, exact[0])
    assert (shots - exact[0]).abs().max() < 6 / np.sqrt(4000)  # six standard errors


def test_wrong_shapes_and_devices_are_named():
    inputs, weights, _ = case(3, 2, torch.float32)
    with pytest.raises(HQVQVAEError, match=r"got \(9, 2\) and \(2, 3, 3\)"):
        statevector_circuit(PAPER)(inputs[:, :2], weights)
    with pytest.raises(HQVQVAEError, match="no usable device 'abacus'"):
        pennylane_circuit(3, PAPER, "abacus")


def test_drawing_shows_every_gate():
    drawing = draw(3, 2, "reuploading")
    lines = drawing.splitlines()
    assert len(lines) == 3 and all(line.endswith("<Z>") for line in lines)
    assert drawing.count("RY") == 6 and drawing.count("Rot") == 6 and drawing.count("●") == 6
    assert draw(3, 2, PAPER).count("RY") == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_gpu_equals_cpu():
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        on_cpu = values_and_gradients(statevector_circuit(PAPER), *case(8, 2, dtype))
        on_gpu = values_and_gradients(statevector_circuit(PAPER), *case(8, 2, dtype, "cuda"))
        for mine, other in zip(on_cpu, on_gpu):
            torch.testing.assert_close(mine, other.cpu(), atol=tolerance, rtol=0)
