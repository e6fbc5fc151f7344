"""A small cell and a small model, for the tests of tables, commands, model and publishing."""

import numpy as np
import pandas as pd
import torch

from hqvqvae import HQVQVAEConfig
from hqvqvae.training.fit import build_model

SMALL = {"feature_names": ["a", "b", "c"], "hidden_sizes": [6], "latent_dim": 4, "codebook_size": 5, "n_qubits": 3}


def features(n=20, width=3, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(5, 2, size=(n, width)), dtype=torch.float32)


def small_model(name="recommended", **changes):
    model = build_model(HQVQVAEConfig.named(name, **{**SMALL, **changes}), seed=0)
    model.set_standardisation(features())
    return model.eval()


def cell_table(cycles=3, n=60, cell="mine"):
    """Discharges of 2 A over about 40 min, a rest sample before."""
    rows = [
        pd.DataFrame(
            {
                "cell_id": cell,
                "cycle": cycle,
                "time_s": 40.0 * np.arange(n),
                "voltage_V": np.r_[4.2, np.linspace(4.0, 2.7, n - 1)],
                "current_A": np.r_[0.0, np.full(n - 1, -2.0)],
                "temperature_C": np.linspace(24, 34, n),
                "capacity_Ah": 1.3,
            }
        )
        for cycle in range(1, cycles + 1)
    ]
    return pd.concat(rows, ignore_index=True)
