"""The data behind the figures, against their definitions."""

import pytest

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
