"""A small cell and a small model, for the tests of tables, commands, model and publishing."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dataset_card.storage.layout import RawTable
from hqvqvae import HQVQVAEConfig, load_segments
from hqvqvae.cells.cycling import Reading, as_cells
from hqvqvae.cells.exports import columns_of
from hqvqvae.cells.features import FEATURES
from hqvqvae.training.fit import TrainingConfig, build_model

SMALL = {"feature_names": ["a", "b", "c"], "hidden_sizes": [6], "latent_dim": 4, "codebook_size": 5, "n_qubits": 3}

QUICK = TrainingConfig(epochs=7, warmup_epochs=2, restart_before_epoch=5, seed=3)


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


def segments_of(table, reading=None):
    """The discharge segments of a table of samples."""
    raw = RawTable(Path("the table"), table)
    return as_cells(raw, columns_of(raw), reading or Reading()).segments


def nasa_features(cells=("B0005", "B0025", "B0045", "B0053")):
    """Features of four NASA cells, one a cohort."""
    table = load_segments()
    return table[table["cell_id"].isin(cells)][list(FEATURES)].to_numpy(copy=True)


def assert_same(first, second):
    """Two training results that are equal to the last bit."""
    assert first.history == second.history and first.metrics == second.metrics
    for one, other in ((first.model, second.model), (first.best_model, second.best_model)):
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name


NAMES = ["a", "b", "c"]


def cells_of(sizes, seed=0):
    rng = np.random.default_rng(seed)
    cell = np.repeat(np.arange(len(sizes)), sizes)
    cycle = np.concatenate([np.arange(size) for size in sizes])
    return pd.DataFrame(rng.normal(size=(len(cell), 3)), columns=NAMES).assign(cell_id=cell, cycle=cycle)
