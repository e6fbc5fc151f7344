import datasets
import numpy as np
import pyarrow as pa
import pytest

from dataset_card.contract.schema import CHANNELS, T
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals


@pytest.fixture
def rows():
    return np.random.default_rng(0).standard_normal((5, T, len(CHANNELS)))


def table(rows):
    flat = [pa.array(rows[:, :, c].ravel()) for c in range(len(CHANNELS))]
    return pa.table({name: pa.FixedSizeListArray.from_arrays(x, T) for name, x in zip(CHANNELS, flat)})


def test_a_table_a_dataset_and_a_selection_of_it(rows):
    dataset = datasets.Dataset(table(rows))
    assert np.array_equal(signals(table(rows)), rows) and np.array_equal(signals(dataset), rows)
    assert np.array_equal(signals(dataset.select([4, 1])), rows[[4, 1]])
    assert signals(table(rows[:0])).shape == (0, T, 6)


def test_what_has_no_signals_is_named(rows):
    with pytest.raises(MagBridgeError, match="no column B_s2C6"):
        signals(table(rows).drop_columns(["B_s2C6"]))
    with pytest.raises(MagBridgeError, match="DatasetDict: expected a datasets.Dataset"):
        signals(datasets.DatasetDict({"train": datasets.Dataset(table(rows))}))
    with pytest.raises(MagBridgeError, match="B_s1Y has type list"):
        signals(table(rows).set_column(0, "B_s1Y", pa.array(rows[:, :, 0].tolist())))
