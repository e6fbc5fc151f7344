"""Samples that the package carries: 200 rows of each published release."""

from pathlib import Path

import pyarrow as pa

from dataset_card.contract.editions import DATASETS, V1
from dataset_card.errors import MagBridgeError
from dataset_card.storage.parquet import read_parquet
from dataset_card.storage.reading import by_contract

ROWS = 200
DIGEST = b"dataset_digest"
"""Key in a sample's metadata: digest of the release that its rows are of."""


def path_of(dataset: str) -> Path:
    """Where the sample of a dataset lies."""
    return Path(__file__).parents[1] / "samples" / f"{dataset}.parquet"


def sample(dataset: str = V1.name) -> pa.Table:
    """Rows of a published release for a first look without a build: 200 of them, spaced evenly over it.

    Args:
        dataset: `magbridge-battery` (v1), `magbridge-battery-v2` or `magbridge-battery-v3`.

    Returns:
        The columns of a release; signals were kept in single precision. Scores on a sample mean nothing.

    Raises:
        MagBridgeError: No such dataset.

    Example:
        >>> sample("magbridge-battery").num_rows
        200
    """
    if dataset not in DATASETS:
        raise MagBridgeError(f"dataset {dataset!r}: expected {', '.join(DATASETS)}")
    return by_contract(read_parquet(path_of(dataset)), str(path_of(dataset)))
