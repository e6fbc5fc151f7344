"""The samples of the package are rows of the published releases."""

import pyarrow.parquet as pq
import pytest

from dataset_card.contract.editions import DATASETS, PUBLISHED_DIGESTS, V3
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals
from dataset_card.storage.samples import DIGEST, ROWS, path_of, sample


@pytest.mark.parametrize("name", DATASETS)
def test_a_sample_has_the_columns_and_all_kinds_of_rows(name):
    rows, edition = sample(name), DATASETS[name]
    assert rows.num_rows == ROWS and tuple(rows.column_names) == tuple(f.name for f in edition.fields)
    assert signals(rows).shape == ((ROWS, 681) if edition is V3 else (ROWS, 100, 6))
    kinds = set(rows[edition.origin].to_pylist())
    assert kinds == set(next(f.values for f in edition.fields if f.name == edition.origin))
    assert pq.read_schema(path_of(name)).metadata[DIGEST].decode() == PUBLISHED_DIGESTS[name]
    assert path_of(name).stat().st_size < 700_000


def test_another_name_is_told():
    with pytest.raises(MagBridgeError, match="dataset 'v1': expected magbridge-battery"):
        sample("v1")
