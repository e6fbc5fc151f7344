"""Tables less the beginning of each cell: what a model does with the same rows, whatever their order."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataset_card.errors import MagBridgeError
from hqvqvae.cells.reference import less_the_beginning as of_table
from hqvqvae.modeling_hqvqvae import less_the_beginning
from tests.hqvqvae.small import NAMES, cells_of


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.tuples(st.integers(1, 4), st.integers(0, 3)))
def test_table_and_model_agree_whatever_the_order_of_cells(sizes, lengths):
    window = (lengths[0], lengths[0] + lengths[1])
    table = cells_of(sizes)
    mixed = table.sample(frac=1, random_state=1).sort_values("cycle", kind="stable")
    relative = less_the_beginning(
        torch.tensor(mixed[NAMES].to_numpy()), torch.tensor(mixed["cell_id"].to_numpy()), window
    )
    known = torch.isfinite(relative[:, 0]).numpy()
    assert known.sum() == sum(max(size - window[1], 0) for size in sizes)
    if not known.any():
        with pytest.raises(MagBridgeError, match="no cell has a segment after"):
            of_table(table, NAMES, window)
        return
    order = mixed[known].assign(row=np.arange(known.sum())).sort_values(["cell_id", "cycle"])["row"].to_numpy()
    np.testing.assert_allclose(of_table(mixed, NAMES, window)[NAMES], relative[known][order.copy()], atol=1e-12)
