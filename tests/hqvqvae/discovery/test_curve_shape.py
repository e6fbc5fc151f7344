"""Curves whose ends, sag, plateau and knee are known."""

import numpy as np
import pandas as pd

from hqvqvae.discovery.curve_shape import key_shapes

TIME = np.linspace(0, 1, 101)


def curve(code, voltage, segments=1):
    return pd.DataFrame({"code": code, "segments": segments, "time": TIME, "voltage_V": voltage})


def test_a_bent_line_is_described_by_its_own_numbers():
    bent = np.interp(TIME, [0, 0.05, 0.8, 1], [4.2, 4.0, 3.4, 2.6])
    shapes = key_shapes(pd.concat([curve(7, bent), curve(8, bent - 0.4, segments=3)]), 7)
    assert shapes == [
        "from 4.20 V to 2.60 V over the load window",
        "falls 0.20 V in the first 5% of it",
        "falls 0.48 V between 10% and 70% of it",
        "knee at 80% of it, 3.40 V, 0.46 V above the straight line to the end",
        "on average 0.30 V above the mean of all segments",
    ]


def test_a_straight_line_and_a_code_without_curves():
    line = curve(1, 4.0 - TIME * 0.5)
    assert key_shapes(line, 1)[3] == "no knee"
    assert key_shapes(line, 2) == []
