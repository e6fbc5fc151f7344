"""The typed figures agree among themselves: a slip of the finger would not."""

from hqvqvae.discovery.paper_values import TABLE_2, TABLE_2_CELLS, TABLE_8, TABLE_10


def test_segments_in_training_and_held_out_add_up():
    total, cells = TABLE_8["segments in all"], TABLE_8["cells in training"] + TABLE_8["cells held out"]
    assert TABLE_8["fewest training segments"] + TABLE_8["most held-out segments"] == total
    assert TABLE_8["most training segments"] + TABLE_8["fewest held-out segments"] == total
    assert round(total / cells) == TABLE_8["mean held-out segments"] and cells == TABLE_10["cells_total"]


def test_a_code_is_early_in_no_more_cells_than_hold_it():
    assert (TABLE_2["cells early"] <= TABLE_2["cells present"]).all()
    assert TABLE_2["cells present"].max() <= TABLE_2_CELLS < TABLE_10["cells_total"]
    assert TABLE_2["Spearman"].is_monotonic_decreasing and TABLE_10["precursor_code"] == TABLE_2["code"].iloc[0]
