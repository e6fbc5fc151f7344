"""The model: configurations by name, shapes and units, the loss, saving and loading without loss."""

import hashlib
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from hqvqvae import HQVQVAEConfig, HQVQVAEError, HQVQVAEModel
from hqvqvae.configuration_hqvqvae import NAMED_CONFIGS
from hqvqvae.modeling_hqvqvae import PACKAGED
from hqvqvae.training.fit import build_model
from tests.hqvqvae.small import NAMES, cells_of, features, small_model


@pytest.mark.parametrize("name", NAMED_CONFIGS)
def test_output_has_the_promised_shapes_and_parts(name):
    model, x = small_model(name), features()
    output = model(x)
    assert output.reconstruction.shape == x.shape and output.latents.shape == (20, 4)
    assert output.codes.shape == (20,) and output.codes.dtype == torch.int64
    assert 1 <= output.perplexity <= 5
    z = (x - x.mean(0)) / x.std(0, unbiased=False)
    decoded = (output.reconstruction - x.mean(0)) / x.std(0, unbiased=False)
    torch.testing.assert_close(output.reconstruction_loss, ((decoded - z) ** 2).mean(), rtol=1e-4, atol=1e-6)
    expected = output.reconstruction_loss + 0.25 * output.commitment_loss
    if model.config.codebook_update == "loss":
        expected = expected + output.codebook_loss
    torch.testing.assert_close(output.loss, expected)


@pytest.mark.parametrize("name", NAMED_CONFIGS)
def test_every_parameter_learns(name):
    model = small_model(name).train()
    output = model(features())
    (output.loss + output.reconstruction.sum()).backward()
    still = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert not still


def test_encode_decode_and_forward_agree():
    model, x = small_model(), features()
    output, encoding = model(x), model.encode(x)
    assert torch.equal(output.codes, encoding.codes) and torch.equal(output.latents, encoding.latents)
    torch.testing.assert_close(model.decode(codes=encoding.codes), output.reconstruction)
    vectors = model.quantizer.decode(encoding.codes)
    torch.testing.assert_close(model.decode(latents=vectors), output.reconstruction)
    with pytest.raises(HQVQVAEError, match="exactly one"):
        model.decode()
    with pytest.raises(HQVQVAEError, match="expected 0 to 4"):
        model.decode(codes=torch.tensor([5]))
    for codes in (encoding.codes.numpy(), encoding.codes.tolist(), encoding.codes.to(torch.uint8)):
        assert torch.equal(model.decode(codes=codes), model.decode(codes=encoding.codes))
    with pytest.raises(HQVQVAEError, match=r"of type torch.float32; expected whole numbers"):
        model.decode(codes=encoding.codes.float())


def test_bad_features_are_named():
    model, x = small_model(), features()
    x[3, 1] = float("nan")
    with pytest.raises(HQVQVAEError, match="feature b of row 3 is nan"):
        model.encode(x)
    with pytest.raises(HQVQVAEError, match="feature a of row 0 is 1e[+]300"):  # finite, but not in the model's float32
        model.encode(torch.full((1, 3), 1e300, dtype=torch.float64))
    with pytest.raises(HQVQVAEError, match=r"shape \(20, 2\); expected \(n, 3\): a, b, c"):
        model(features()[:, :2])
    constant = features()
    constant[:, 2] = 4.2
    with pytest.raises(HQVQVAEError, match=r"constant over the 20 training segments: \['c'\]"):
        model.set_standardisation(constant)


def test_z_scores_are_clipped_where_asked():
    model = small_model(z_clip=2.0)
    assert model.standardise(1e6 * features()).abs().max() == 2.0
    assert small_model().standardise(1e6 * features()).abs().max() > 1e3


@settings(max_examples=12, deadline=None)
@given(
    n_features=st.integers(1, 12),
    n_qubits=st.integers(1, 9),
    n_layers=st.integers(1, 3),
    latent_dim=st.integers(1, 5),
    codebook_size=st.integers(1, 9),
    bottleneck=st.sampled_from(["quantum", "tanh", "none"]),
)
def test_any_size_runs_in_both_precisions(n_features, n_qubits, n_layers, latent_dim, codebook_size, bottleneck):
    config = HQVQVAEConfig(
        feature_names=[f"x{i}" for i in range(n_features)], hidden_sizes=[4], n_qubits=n_qubits, n_layers=n_layers,
        latent_dim=latent_dim, codebook_size=codebook_size, bottleneck=bottleneck,
    )  # fmt: skip
    model = build_model(config, 0).eval()
    x = features(7, n_features)
    single, double = model(x).latents, model.double()(x.double()).latents
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NAMED_CONFIGS)
def test_reloaded_models_give_the_same(name, tmp_path):
    model, x = small_model(name), features()
    model.train()
    model(x)  # moves an EMA codebook away from where it was initialised
    model.eval().save_pretrained(tmp_path)
    loaded, info = HQVQVAEModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    for tensor_name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[tensor_name]), tensor_name
    assert torch.equal(model(x).reconstruction, loaded(x).reconstruction)


@pytest.mark.gate
@pytest.mark.parametrize("backend", ["torch", "pennylane"])
def test_a_fresh_process_gives_the_same(backend, tmp_path):
    model, x = small_model("paper"), features()
    model.save_pretrained(tmp_path / "model")
    np.save(tmp_path / "x.npy", x.numpy())
    script = (
        "import sys, numpy as np, torch\n"
        "from hqvqvae import HQVQVAEModel\n"
        f"model = HQVQVAEModel.from_pretrained('model', backend={backend!r})\n"
        "output = model(torch.tensor(np.load('x.npy')))\n"
        "np.savez('out.npz', **{k: output[k].detach().numpy() for k in ('codes', 'latents', 'reconstruction')})\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True)
    there, here = np.load(tmp_path / "out.npz", allow_pickle=False), model(x)
    assert np.array_equal(there["codes"], here.codes.numpy())
    tolerance = 1e-7 if backend == "torch" else 1e-6
    np.testing.assert_allclose(there["latents"], here.latents.detach().numpy(), atol=tolerance, rtol=0)
    scale = model.feature_std.max().item()
    np.testing.assert_allclose(
        there["reconstruction"], here.reconstruction.detach().numpy(), atol=scale * tolerance, rtol=0
    )


def test_a_checkpoint_that_does_not_fill_the_model_is_refused(tmp_path):
    small_model().save_pretrained(tmp_path)
    whole = load_file(tmp_path / "model.safetensors")
    with pytest.raises(HQVQVAEError, match=r"mismatched_keys.*codebook"):
        HQVQVAEModel.from_pretrained(tmp_path, codebook_size=9)
    with pytest.raises(HQVQVAEError, match=r"unexpected_keys.*circuit_weights"):
        HQVQVAEModel.from_pretrained(tmp_path, bottleneck="tanh")
    for name in ("quantizer.codebook", "feature_mean", "bottleneck.circuit_weights"):
        rest = {key: tensor for key, tensor in whole.items() if key != name}
        save_file(rest, tmp_path / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(HQVQVAEError, match=rf"missing_keys.*{name}"):
            HQVQVAEModel.from_pretrained(tmp_path)


@pytest.mark.parametrize("at", [3, -1], ids=["header", "last weight"])
def test_a_damaged_download_is_refused_and_leaves_the_cache(tmp_path, at):
    """A cache as huggingface_hub keeps it: large files by their SHA-256, and links to them."""
    small_model().save_pretrained(tmp_path / "saved")
    weights = (tmp_path / "saved" / "model.safetensors").read_bytes()
    repo = tmp_path / "models--user--name"
    snapshot, blob = repo / "snapshots" / ("0" * 40), repo / "blobs" / hashlib.sha256(weights).hexdigest()
    for folder in (snapshot, blob.parent, repo / "refs"):
        folder.mkdir(parents=True)
    (repo / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_bytes((tmp_path / "saved" / "config.json").read_bytes())
    (snapshot / "model.safetensors").symlink_to(blob)
    blob.write_bytes(weights)
    HQVQVAEModel.from_pretrained("user/name", cache_dir=tmp_path, local_files_only=True)
    damaged = bytearray(weights)
    damaged[at] ^= 1
    blob.write_bytes(damaged)
    with pytest.raises(HQVQVAEError, match="the download of user/name was damaged and has been removed from the cache"):
        HQVQVAEModel.from_pretrained("user/name", cache_dir=tmp_path, local_files_only=True)
    assert not blob.exists()


def test_the_configuration_of_another_model_is_refused(tmp_path):
    small_model().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(HQVQVAEError, match="configuration of a 'bert' model"):
        HQVQVAEModel.from_pretrained(tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["config.json", "model.safetensors"]),
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
    end=st.one_of(st.none(), st.integers(0, 3000)),
)
def test_a_damaged_folder_is_one_named_error_or_a_model_of_its_shape(saved_bytes, tmp_path, name, edits, end):
    for path, content in saved_bytes.items():
        (tmp_path / path).write_bytes(content)
    damaged = bytearray(saved_bytes[name])
    for place, value in edits:
        damaged[place % len(damaged)] = value
    (tmp_path / name).write_bytes(damaged[:end])
    try:
        model = HQVQVAEModel.from_pretrained(tmp_path)
    except (HQVQVAEError, OSError) as error:  # transformers tells a configuration that is no JSON as an OSError
        assert str(error)
    else:
        assert model.quantizer.codebook.shape == (model.config.codebook_size, model.config.latent_dim)


@pytest.fixture(scope="module")
def saved_bytes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    small_model().save_pretrained(folder)
    return {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}


def test_keys_that_no_configuration_has_are_refused_on_loading(tmp_path):
    small_model().save_pretrained(tmp_path)
    with pytest.raises(HQVQVAEError, match="the configuration has no n_qubit; did you mean n_qubits?"):
        HQVQVAEModel.from_pretrained(tmp_path, n_qubit=4)


def test_pickled_weights_are_named_and_never_read(tmp_path):
    small_model().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(HQVQVAEError, match=r"has pytorch_model\.bin and no model\.safetensors; .* `save_pretrained`"):
        HQVQVAEModel.from_pretrained(tmp_path)


def test_a_folder_that_is_no_model_is_named_with_what_is_expected(tmp_path):
    (tmp_path / "notes").mkdir()
    with pytest.raises(
        HQVQVAEError, match=r"notes has no weights and no model\.safetensors; expected weights written by"
    ):
        HQVQVAEModel.from_pretrained(tmp_path / "notes")
    small_model().save_pretrained(tmp_path / "inner" / "part")
    assert HQVQVAEModel.from_pretrained(tmp_path / "inner", subfolder="part").config.codebook_size == 5
    (tmp_path / "inner" / "part" / "config.json").write_text("{")
    with pytest.raises(HQVQVAEError, match=r"can be loaded: .*config\.json.* JSON file.*; download or export it"):
        HQVQVAEModel.from_pretrained(tmp_path / "inner" / "part")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_one_clear_error(dtype, tmp_path):
    small_model().save_pretrained(tmp_path)
    for model in (small_model().to(dtype), HQVQVAEModel.from_pretrained(tmp_path, dtype=dtype)):
        with pytest.raises(HQVQVAEError, match=f"runs in float32 or float64, not in {dtype}"):
            model.encode(features())
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(HQVQVAEError, match="not in mixed precision:"):
        small_model()(features())
    # Features may come in any precision: they are standardised in the model's own.
    assert small_model().encode(features().to(dtype)).latents.dtype == torch.float32


@pytest.mark.filterwarnings("error")
def test_a_read_only_array_is_encoded_without_a_warning():
    rows = features().double().numpy()
    rows.flags.writeable = False
    assert small_model().encode(rows).codes.shape == (20,)


def test_arrays_and_data_frames_are_encoded_and_other_things_are_one_clear_error():
    model, rows = small_model(), features()
    codes = model.encode(rows).codes
    frame = pd.DataFrame(rows.numpy(), columns=["a", "b", "c"])[["c", "a", "b"]].assign(cell_id="x")
    for other in (rows.numpy(), frame, rows.double().numpy(), rows.tolist()):
        assert torch.equal(model.encode(other).codes, codes)
    for wrong in (frame[["a"]], "abc", [["x"]]):
        with pytest.raises(HQVQVAEError, match="cannot be read"):
            model.encode(wrong)
    with pytest.raises(HQVQVAEError, match="expected a tensor, or call encode"):
        model(rows.numpy())


@pytest.mark.parametrize("name", ["recommended", "paper-classical"])
def test_a_pickled_model_gives_the_same_codes(name):
    model = small_model(name)
    again = pickle.loads(pickle.dumps(model))
    torch.testing.assert_close(again.encode(features()).latents, model.encode(features()).latents, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["paper", "recommended", "bounded-classical"])
def test_an_empty_batch_gives_empty_outputs_and_losses_of_zero(name):
    model, empty = small_model(name), features()[:0]
    encoding = model.encode(empty)
    assert encoding.codes.shape == (0,) and encoding.codes.dtype == torch.int64 and encoding.latents.shape == (0, 4)
    assert model.decode(codes=encoding.codes).shape == (0, 3)
    before = model.quantizer.codebook.clone()
    output = model.train()(empty)
    output.loss.backward()
    assert output.loss == 0 and output.reconstruction.shape == (0, 3) and output.perplexity == 1
    assert torch.equal(model.quantizer.codebook, before)


def test_a_tuple_where_return_dict_is_false():
    model, x = small_model(), features()
    output = model(x)
    as_tuple = model(x, return_dict=False)
    assert isinstance(as_tuple, tuple) and all(map(torch.equal, as_tuple, output.to_tuple()))
    codes, latents = model.encode(x, return_dict=False)
    assert torch.equal(codes, output.codes) and torch.equal(latents, output.latents)
    model.config.return_dict = False
    assert isinstance(model(x), tuple)


def test_the_card_goes_with_the_weights_until_they_are_trained(tmp_path):
    model = HQVQVAEModel.from_pretrained("recommended")
    model.save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == model.card == (PACKAGED / "recommended/README.md").read_text()
    model.codebook_is_tended = True
    model.train()(torch.zeros(3, 10))
    assert model.card is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_gpu_gives_the_same_codes():
    model, x = small_model(), features()
    expected = model.encode(x)
    on_gpu = model.to("cuda").encode(x.to("cuda"))
    assert torch.equal(on_gpu.codes.cpu(), expected.codes)
    torch.testing.assert_close(on_gpu.latents.cpu(), expected.latents, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("recomended", "did you mean 'recommended'?"),
        ("gpt", "packaged: paper, precursor, recommended"),
        ("./nowhere", "packaged: paper, precursor, recommended"),
        ("my runs/last", "packaged: paper, precursor, recommended"),
        (str(PACKAGED / "paper/config.json"), "packaged: paper, precursor, recommended"),  # a file, not its folder
    ],
)
def test_a_name_that_is_nowhere_is_refused_before_the_hub_is_asked(name, hint):
    with pytest.raises(HQVQVAEError, match=re.escape(f"no packaged model and no folder '{name}'; {hint}")):
        HQVQVAEModel.from_pretrained(name)


def test_a_shift_of_a_whole_cell_changes_no_code_and_the_future_changes_no_past_one():
    model = small_model(reference_window=[2, 4])
    features = torch.tensor(cells_of([12])[NAMES].to_numpy(), dtype=torch.float32)
    codes = model.encode(features).codes
    assert (codes[:4] == -1).all() and (codes[4:] >= 0).all()
    assert torch.equal(model.encode(features + torch.tensor([1.0, -2.0, 0.5])).codes, codes)
    changed = features.clone()
    changed[8:] += 5
    assert torch.equal(model.encode(changed).codes[:8], codes[:8])
    assert torch.isnan(model.encode(features).latents[:4]).all()
    short = model.encode(features[:3])
    assert (short.codes == -1).all() and len(short.latents) == 3


def test_cells_are_told_apart_and_must_be_named_row_by_row():
    model = small_model(reference_window=[1, 2])
    table = cells_of([6, 7])
    features, cells = torch.tensor(table[NAMES].to_numpy(), dtype=torch.float32), torch.tensor(table["cell_id"])
    both = model.encode(features, cells).codes
    assert torch.equal(both, torch.cat([model.encode(features[:6]).codes, model.encode(features[6:]).codes]))
    names = np.array(["b", "a"])[table["cell_id"].to_numpy()]  # as in a table, in the order of the rows
    for other in (names, names.tolist(), pd.Series(names, index=range(5, 5 + len(names)))):
        assert torch.equal(model.encode(features, other).codes, both)
    assert torch.equal(model.encode(table.assign(cell_id=names)).codes, both)  # told by the column cell_id
    with pytest.raises(HQVQVAEError, match="one cell for each row"):
        model.encode(features, cells[:3])
    with pytest.raises(HQVQVAEError, match="the cell of row 2 is missing"):
        model.encode(features, cells.double().index_fill(0, torch.tensor([2]), torch.nan))


def test_the_window_is_saved_and_checked(tmp_path):
    model = small_model(reference_window=(2, 4))
    model.save_pretrained(tmp_path)
    loaded = HQVQVAEModel.from_pretrained(tmp_path)
    assert loaded.config.reference_window == [2, 4]
    features = torch.tensor(cells_of([9])[NAMES].to_numpy(), dtype=torch.float32)
    assert torch.equal(loaded.encode(features).codes, model.encode(features).codes)
    for wrong in ([4, 2], [0, 2], [1], [1.5, 2], [1, 5000]):
        with pytest.raises(HQVQVAEError, match="reference_window="):
            HQVQVAEConfig(reference_window=wrong)
