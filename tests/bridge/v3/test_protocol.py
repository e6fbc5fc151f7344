"""Protocol, sensors and where they sit."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bridge.v3.design import PouchCell
from bridge.v3.protocol import Noise, Placement, Protocol, SensorArray
from dataset_card.errors import MagBridgeError

CELL = PouchCell.preset("nmc")


def test_thirty_three_steps_and_seven_readings_at_rest():
    protocol = Protocol()
    assert protocol.dt_s.shape == protocol.on.shape == (33,)
    assert protocol.time_s[-1] == pytest.approx(631)
    assert np.allclose(protocol.rest_s, [1, 2, 5.863, 17.185, 68.378, 266.114, 600], atol=1e-3)
    assert (protocol.dt_s * protocol.on).sum() == 30


def test_placement_turns_like_scipy():
    array = SensorArray.grid(CELL)
    turn = np.array([0.3, -0.2, 0.5])
    placement = Placement(np.array([1.0, 2.0, 3.0]), turn, np.zeros((24, 3)))
    middle = np.array([60, 40, 0])
    expected = Rotation.from_rotvec(turn).apply(array.position_mm - middle) + middle + [1, 2, 3]
    assert np.allclose(placement.moved(array, CELL), expected * 1e-3)
    assert np.allclose(placement.rotation(), Rotation.from_rotvec(turn).as_matrix())


def test_two_sided_array_mirrors_the_first_half():
    both = SensorArray.grid(CELL, 3, 2, 5.0, two_sided=True).position_mm
    assert np.array_equal(both[:6] * [1, 1, -1], both[6:]) and (both[:6, 2] == CELL.thickness_mm / 2 + 5).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: SensorArray.grid(CELL, 0, 4),
        lambda: SensorArray.grid(CELL, 6, 10**6),
        lambda: SensorArray.grid(CELL, distance_mm=-1),
        lambda: SensorArray(np.array([[1.0, 2.0, np.nan]])).require_outside(CELL),
        lambda: SensorArray(np.array([[1.0, 2.0, 1.0]])).require_outside(CELL),
        lambda: Protocol(rate_C=0),
        lambda: Noise(field_nT=-1),
    ],
)
def test_impossible_values_get_one_line(make):
    with pytest.raises(MagBridgeError, match="expected"):
        make()
