"""transformers' auto classes know the model: once it is imported from the package, or without that by its own code."""

import subprocess
import sys

import pytest

from hqvqvae.modeling_hqvqvae import PACKAGED
from tests.hqvqvae.small import small_model

ORDERS = {
    "model first": "from hqvqvae import HQVQVAEModel\nfrom transformers import AutoConfig, AutoModel\n",
    "model last": "from transformers import AutoConfig, AutoModel\nfrom hqvqvae import HQVQVAEModel\n",
}


def python(script, cwd):
    return subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.gate
@pytest.mark.parametrize("order", ORDERS)
def test_with_the_package_no_trust_is_needed(order, tmp_path):
    small_model().save_pretrained(tmp_path / "mine")
    script = ORDERS[order] + (
        f"for folder in ('mine', {str(PACKAGED / 'recommended')!r}):\n"
        "    assert type(AutoConfig.from_pretrained(folder)).__module__ == 'hqvqvae.configuration_hqvqvae'\n"
        "    assert type(AutoModel.from_pretrained(folder)).__module__ == 'hqvqvae.modeling_hqvqvae'\n"
        "import hqvqvae, sys\n"
        "assert hqvqvae.HQVQVAEModel is sys.modules['hqvqvae.modeling_hqvqvae'].HQVQVAEModel\n"
    )
    done = python(script, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.gate
def test_without_the_package_the_models_own_code_serves(tmp_path):
    small_model().save_pretrained(tmp_path / "mine")
    script = (
        "import sys\nsys.modules['hqvqvae'] = None  # as if it were not installed\n"
        "from transformers import AutoModel\n"
        "model = AutoModel.from_pretrained('mine', trust_remote_code=True)\n"
        "assert type(model).__module__.startswith('transformers_modules.')\n"
        "import torch\n"
        "assert model.encode(torch.ones(2, 3)).codes.shape == (2,)\n"
    )
    done = python(script, tmp_path)
    assert done.returncode == 0, done.stderr
