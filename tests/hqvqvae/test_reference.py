"""A cell's own beginning: nothing of the future counts, and the model keeps its window."""

import numpy as np
import pandas as pd
import pytest
import torch

from hqvqvae import HQVQVAEConfig, HQVQVAEError, HQVQVAEModel
from tests.hqvqvae.small import small_model

NAMES = ["a", "b", "c"]


def cells_of(sizes, seed=0):
    rng = np.random.default_rng(seed)
    cell = np.repeat(np.arange(len(sizes)), sizes)
    cycle = np.concatenate([np.arange(size) for size in sizes])
    return pd.DataFrame(rng.normal(size=(len(cell), 3)), columns=NAMES).assign(cell_id=cell, cycle=cycle)


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
    with pytest.raises(HQVQVAEError, match="a cell for each row"):
        model.encode(features, cells[:3])


def test_the_window_is_saved_and_checked(tmp_path):
    model = small_model(reference_window=(2, 4))
    model.save_pretrained(tmp_path)
    loaded = HQVQVAEModel.from_pretrained(tmp_path)
    assert loaded.config.reference_window == [2, 4]
    features = torch.tensor(cells_of([9])[NAMES].to_numpy(), dtype=torch.float32)
    assert torch.equal(loaded.encode(features).codes, model.encode(features).codes)
    assert (tmp_path / "reference.py").is_file()  # travels with the model's code
    for wrong in ([4, 2], [0, 2], [1], [1.5, 2], [1, 5000]):
        with pytest.raises(HQVQVAEError, match="reference_window="):
            HQVQVAEConfig(reference_window=wrong)
