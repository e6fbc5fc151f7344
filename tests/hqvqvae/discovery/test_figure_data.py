"""The data behind the figures, against their definitions."""

import numpy as np
import pandas as pd
import pytest

from hqvqvae.discovery.figure_data import key_shapes
from tests.hqvqvae.synthetic_cells import N_CODES


def test_flow_takes_the_commonest_code_and_the_lower_of_equals(planted_frames):
    study, frames = planted_frames
    flow = frames["flow"]
    assert len(flow) == 60 and flow["share"].between(1 / N_CODES, 1).all()
    mine = frames["heatmap"][(frames["heatmap"]["cell_id"] == "cell04") & (frames["heatmap"]["cycle"] < 20)]["code"]
    row = flow[(flow["cell_id"] == "cell04") & (flow["third"] == 1)].iloc[0]
    assert row["code"] == mine.mode().iloc[0]
    assert row["share"] == pytest.approx((mine == row["code"]).mean(), abs=1e-12)


def test_curves_are_means_of_their_segments(planted_frames):
    curves = planted_frames[1]["curves"]
    assert curves.groupby("code")["voltage_V"].first().to_numpy() == pytest.approx(4.2, abs=1e-12)
    assert curves.drop_duplicates("code")["segments"].sum() == 1200


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
