"""Publishing over real HTTP: push, pull, load in fresh processes by the package and by transformers alone."""

import huggingface_hub
import numpy as np
import pytest
import torch

from dataset_card.errors import MagBridgeError
from hqvqvae import HQVQVAEModel
from hqvqvae.hub.publishing import listing, push
from hqvqvae.modeling_hqvqvae import PACKAGED
from tests.hqvqvae.small import features, small_model
from tests.hub import LoopbackHub, Repo

PULL = """
import sys, numpy as np, torch
x = torch.tensor(np.load("x.npy"))
for kind in ("package", "auto", "pennylane"):
    if kind == "auto":
        from hqvqvae import HQVQVAEModel
        from transformers import AutoModel
        model = AutoModel.from_pretrained("user/hq", trust_remote_code=True)
        assert type(model) is HQVQVAEModel  # the package's, where it is there
    else:
        from hqvqvae import HQVQVAEModel
        backend = "pennylane" if kind == "pennylane" else "torch"
        model = HQVQVAEModel.from_pretrained("user/hq", backend=backend)
    output = model(x)
    np.savez(kind + ".npz", **{k: output[k].detach().numpy() for k in ("codes", "latents")})
model.push_to_hub("user/again")
HQVQVAEModel.from_pretrained("recommended").push_to_hub("user/packaged")
"""


def client(hub, folder, *command, token="any"):
    return hub.python(folder / "home", *command, token=token, cwd=folder)


def test_pushed_and_pulled_models_give_the_same(tmp_path):
    model, x = small_model("recommended"), features()
    model.save_pretrained(tmp_path / "mine")
    np.save(tmp_path / "x.npy", x.numpy())
    with LoopbackHub(token="secret") as hub:
        pushed = client(hub, tmp_path, "-m", "hqvqvae", "push", "mine", "--repo", "user/hq", "--private")
        assert pushed.returncode == 0, pushed.stderr
        assert pushed.stdout.startswith(f"pushed to {hub.url}/user/hq/commit/")
        assert pushed.stderr == ""
        files = hub.files("model", "user/hq")
        hub.fail("GET", "/resolve/", times=1)  # the client tries again
        pulled = client(hub, tmp_path, "-c", PULL)
        assert pulled.returncode == 0, pulled.stderr
        again = hub.files("model", "user/again")
        packaged = hub.files("model", "user/packaged")
        refused = client(hub, tmp_path, "-m", "hqvqvae", "push", "mine", "--repo", "user/hq", token="wrong")
    assert {"README.md", "config.json", "model.safetensors", "modeling_hqvqvae.py", "circuit.py"} <= set(files)
    assert "user/hq" in files["README.md"].decode() and "REPO_ID" not in files["README.md"].decode()
    card = (PACKAGED / "recommended" / "README.md").read_text()
    assert packaged["README.md"].decode() == card.replace("REPO_ID", "user/packaged")
    assert again["model.safetensors"] == files["model.safetensors"]
    assert refused.returncode == 1
    assert "does not accept the token for user/hq" in refused.stderr and refused.stderr.count("\n") == 1
    here = model(x)
    for kind, tolerance in (("package", 1e-7), ("auto", 1e-7), ("pennylane", 1e-6)):
        there = np.load(tmp_path / f"{kind}.npz", allow_pickle=False)
        assert np.array_equal(there["codes"], here.codes.numpy())
        np.testing.assert_allclose(there["latents"], here.latents.detach().numpy(), atol=tolerance, rtol=0)


def reach(hub, monkeypatch):
    """Let this process reach the loopback hub, and no other."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", "any")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def test_a_listing_asks_nothing_and_other_repositories_stay_as_they_are(tmp_path, monkeypatch):
    small_model("paper").save_pretrained(tmp_path)
    with LoopbackHub(token="secret") as hub:
        reach(hub, monkeypatch)
        sizes = listing(str(tmp_path), "user/hq")
        assert sizes["model.safetensors"] == (tmp_path / "model.safetensors").stat().st_size and hub.requests == []
        for name, files, words in (
            ("user/bert", {"config.json": b"{}", "pytorch_model.bin": b""}, "has other content"),
            ("user/open", {"config.json": b"{}", "modeling_hqvqvae.py": b""}, "is public"),
        ):
            hub.repos["model", name] = repo = Repo(private=False)
            repo.commit("main", files, "what was there")
            with pytest.raises(MagBridgeError, match=words):
                push(str(tmp_path), name, private=True)
            assert hub.files("model", name) == files


def test_a_hub_that_is_not_there_is_told(tmp_path, monkeypatch):
    small_model("paper").save_pretrained(tmp_path)
    with LoopbackHub() as hub:
        reach(hub, monkeypatch)
    with pytest.raises(MagBridgeError, match="no connection to .* for user/hq: nothing was changed"):
        push(str(tmp_path), "user/hq")


@pytest.mark.parametrize("name", ["recommended", "paper"])
def test_packaged_weights_load_from_auto_model_code(name, tmp_path):
    """A packaged model saved again is self-contained and the same."""
    model = HQVQVAEModel.from_pretrained(name)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "modeling_hqvqvae.py").is_file() and not list((PACKAGED / name).glob("*.py"))
    again = HQVQVAEModel.from_pretrained(tmp_path)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key
