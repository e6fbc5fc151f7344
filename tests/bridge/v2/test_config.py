"""The configuration of v2: its hash, and ageing in another direction."""

import dataclasses
import math

import pytest

from bridge.v2 import BridgeV2Config
from dataset_card.errors import MagBridgeError


def test_every_number_is_hashed():
    config = BridgeV2Config()
    assert config.hash() == BridgeV2Config().hash() and len(config.hash()) == 12
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        other = tuple(2 * v + 1 for v in value) if isinstance(value, tuple) else 2 * value + 1
        assert dataclasses.replace(config, **{field.name: other}).hash() != config.hash(), field.name


def test_another_direction_has_the_same_strength():
    config = BridgeV2Config()
    same = config.with_ageing_direction((2, 0.5, 0.7, 0))
    assert same.ageing == pytest.approx(config.ageing, abs=1e-15)
    other = config.with_ageing_direction((0, 3, 0, -4))
    assert math.hypot(*other.ageing) == pytest.approx(math.hypot(*config.ageing))
    assert other.ageing[1] / other.ageing[3] == pytest.approx(-0.75)


@pytest.mark.parametrize("direction", [(0, 0, 0, 0), (1, 2, 3), (1, math.nan, 0, 0), (math.inf, 0, 0, 0)])
def test_no_direction(direction):
    with pytest.raises(MagBridgeError, match="expected four finite numbers, not all zero"):
        BridgeV2Config().with_ageing_direction(direction)
