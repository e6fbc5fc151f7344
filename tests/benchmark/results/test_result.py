"""A result's own answers."""

import pytest

from dataset_card.errors import MagBridgeError


def test_missing_metric_is_named(ridge):
    with pytest.raises(MagBridgeError, match="ridge on t1 has no f1: it has r2, mae"):
        ridge.mean("f1")
