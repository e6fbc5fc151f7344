"""The configuration: hashed whole, impossible numbers refused."""

import dataclasses

import pytest

from bridge.v3.config import PhysicsConfig
from bridge.v3.protocol import Noise, Protocol
from dataset_card.errors import MagBridgeError


def test_every_number_is_in_the_hash():
    default = PhysicsConfig()
    for change in (
        {"visits": 3},
        {"mesh": (28, 19)},
        {"distance_mm": 11.0},
        {"noise": Noise(field_nT=1.0)},
        {"protocol": Protocol(rate_C=2.0)},
    ):
        assert dataclasses.replace(default, **change).hash() != default.hash()


def test_stacks_have_the_design_s_capacity_by_unit():
    config = PhysicsConfig()
    assert config.cell("NMC", "symmetric").units == 20
    assert config.cell("LFP", "asymmetric").nominal_Ah == pytest.approx(5.76 * 0.95)
    assert config.array(config.cell("NMC", "symmetric")).position_mm.shape == (config.sensors, 3)


@pytest.mark.parametrize("change", [{"visits": 0}, {"visits": 1.5}, {"distance_mm": -2.0}])
def test_impossible_numbers(change):
    with pytest.raises(MagBridgeError):
        PhysicsConfig(**change)
