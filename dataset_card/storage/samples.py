"""Samples included in the package: 200 rows of each published release."""

from pathlib import Path

import pyarrow as pa

from dataset_card.contract.editions import DATASETS, V1
from dataset_card.errors import MagBridgeError
from dataset_card.storage.parquet import read_parquet
from dataset_card.storage.reading import by_contract

ROWS = 200
DIGEST = b"dataset_digest"
"""Key in a sample's metadata for the digest of the release that its rows come from."""


def path_of(dataset: str) -> Path:
    """Return the path of a dataset's sample."""
    return Path(__file__).parents[1] / "samples" / f"{dataset}.parquet"


def sample(dataset: str = V1.name) -> pa.Table:
    """Return 200 rows, evenly spaced over a published release, for a first look without a build.

    Args:
        dataset: `magbridge-battery` (v1), `magbridge-battery-v2` or `magbridge-battery-v3`.

    Returns:
        Table with the columns of a release; signals were stored in single precision. Scores on a sample mean nothing.

    Raises:
        MagBridgeError: If there is no such dataset.

    Example:
        >>> sample("magbridge-battery").num_rows
        200
    """
    if dataset not in DATASETS:
        raise MagBridgeError(f"dataset {dataset!r}: expected {', '.join(DATASETS)}")
    return by_contract(read_parquet(path_of(dataset)), str(path_of(dataset)))
