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
    for none in (table(rows[:0]), dataset.select([]), dataset.to_iterable_dataset().take(0)):
        assert signals(none).shape == (0, T, 6)


@pytest.mark.parametrize("kind", ["numpy", "torch", "pandas"])
def test_a_format_changes_no_bit_of_the_signals(rows, kind):
    dataset = datasets.Dataset(table(rows)).with_format(kind)
    assert np.array_equal(signals(dataset), rows)
    assert np.array_equal(signals(dataset.to_iterable_dataset().with_format(kind)), rows)


def test_lists_of_any_length_are_read_and_tables_keep_float32(rows):
    small = rows.astype(np.float32)
    lists = pa.table(
        {name: pa.array(small[:, :, c].tolist(), pa.list_(pa.float32())) for c, name in enumerate(CHANNELS)}
    )
    for found, kind in ((signals(lists), np.float32), (signals(datasets.Dataset(lists)), np.float64)):
        assert found.dtype == kind and np.array_equal(found, small)


def test_batches_rows_frames_and_streams(rows):
    dataset = datasets.Dataset(table(rows))
    for kind in (None, "numpy", "torch", "pandas", "arrow"):
        assert np.allclose(signals(dataset.with_format(kind)[:3]), rows[:3], atol=1e-6), kind  # some round to float32
    assert np.array_equal(signals(dataset[2]), rows[2]) and np.array_equal(
        signals([dataset[4], dataset[0]]), rows[[4, 0]]
    )
    assert np.array_equal(signals(dataset.to_iterable_dataset()), rows)
    seen = []
    dataset.map(lambda batch: seen.append(signals(batch)) or {"n": [0] * len(batch["B_s1Y"])}, batched=True)
    assert np.array_equal(np.concatenate(seen), rows)


@pytest.mark.parametrize("kind", [None, "torch"])
def test_what_a_data_loader_collates(rows, kind):
    data = pytest.importorskip("torch.utils.data", reason="the extra [model] is not installed")
    loader = data.DataLoader(datasets.Dataset(table(rows)).with_format(kind), batch_size=3)
    assert np.allclose(np.concatenate([signals(batch) for batch in loader]), rows, atol=1e-6)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([[1.0] * 99] * 2, r"B_s1Y has shape \(2, 99\): expected \(n, 100\)"),
        ([[1.0] * 100, [1.0] * 99], "B_s1Y: expected 100 numbers in each row"),
        ([[1.0] * 100, None], "B_s1Y"),
        ([["x"] * 100] * 2, "B_s1Y: expected 100 numbers in each row"),
        ([[float("nan")] * 100] * 2, "null signals in column B_s1Y"),
    ],
)
def test_a_batch_that_is_none_is_named(rows, column, message):
    batch = datasets.Dataset(table(rows))[:2] | {"B_s1Y": column}
    with pytest.raises(MagBridgeError, match=message):
        signals(batch)


def test_what_has_no_signals_is_named(rows):
    with pytest.raises(MagBridgeError, match="no column B_s2C6"):
        signals(table(rows).drop_columns(["B_s2C6"]))
    with pytest.raises(MagBridgeError, match="DatasetDict: expected a datasets.Dataset"):
        signals(datasets.DatasetDict({"train": datasets.Dataset(table(rows))}))
    for wrong in (rows[:, :99, 0].tolist(), ["x"] * 5):
        with pytest.raises(MagBridgeError, match="B_s1Y has type .*expected 100 numbers in each row"):
            signals(table(rows).set_column(0, "B_s1Y", pa.array(wrong)))
    with pytest.raises(MagBridgeError, match="null signals in column B_s2Y"):
        signals(datasets.Dataset(table(np.where(np.arange(6) == 2, np.nan, rows))))
