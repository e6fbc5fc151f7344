"""`torch.export` and ONNX give the codes of the eager model, on the whole NASA set."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from dataset_card.errors import MagBridgeError
from hqvqvae import HQVQVAEModel, load_segments
from hqvqvae.circuit import statevector_circuit
from hqvqvae.hub.export import _Encoder, export_onnx, polynomial
from tests.hqvqvae.small import features, small_model


def nasa(model):
    return torch.tensor(load_segments()[model.config.feature_names].to_numpy(), dtype=torch.float32)


@pytest.mark.parametrize("name", ["recommended", pytest.param("paper", marks=pytest.mark.slow)])
def test_exported_and_eager_codes_are_equal(name, tmp_path):
    model = HQVQVAEModel.from_pretrained(name)
    x = nasa(model)
    eager = model.encode(x)
    program = torch.export.export(_Encoder(model), (x[:5],), dynamic_shapes=({0: torch.export.Dim("n")},))
    assert torch.equal(program.module()(x)[0], eager.codes)
    assert torch.equal(model.encode(x).codes, eager.codes)  # nothing of the export stays behind
    export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    codes, latents = session.run(None, {"features": x.numpy()})
    np.testing.assert_array_equal(codes, eager.codes)
    np.testing.assert_allclose(latents, eager.latents.detach(), atol=2e-5, rtol=0)
    assert session.run(None, {"features": x[:1].numpy()})[0].tolist() == eager.codes[:1].tolist()


def test_a_circuit_is_a_polynomial_in_sine_and_cosine():
    weights = torch.tensor(np.random.default_rng(0).uniform(0, 6, size=(2, 3, 3)))
    inputs = torch.tensor(np.random.default_rng(1).normal(size=(40, 3)))
    circuit = statevector_circuit("strongly_entangling")
    torch.testing.assert_close(polynomial(circuit, weights, 3)(inputs, weights), circuit(inputs, weights))


def test_models_without_a_circuit_export_and_other_circuits_are_named(tmp_path):
    model, x = small_model("bounded-classical"), features()
    export_onnx(model, tmp_path / "model.onnx")
    codes = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["codes"], {"features": x.numpy()})[0]
    np.testing.assert_array_equal(codes, model.encode(x).codes)
    with pytest.raises(MagBridgeError, match="ONNX export of ansatz 'reuploading' with 3 qubits"):
        export_onnx(small_model("paper", ansatz="reuploading"), tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()
    assert str(Path(__file__).parents[3]).encode() not in (tmp_path / "model.onnx").read_bytes()
