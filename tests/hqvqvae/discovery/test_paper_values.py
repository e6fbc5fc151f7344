"""The typed figures agree among themselves: a slip of the finger would not."""

from hqvqvae.discovery.paper_values import listing, table

TABLE_2, TABLE_4, TABLE_8, TABLE_10 = table(2), listing(4), table(8), listing(10)


def test_segments_in_training_and_held_out_add_up():
    total, cells = TABLE_4["segments in all"], TABLE_4["cells in training"] + TABLE_4["cells held out"]
    assert TABLE_4["fewest training segments"] + TABLE_4["most held-out segments"] == total
    assert TABLE_4["most training segments"] + TABLE_4["fewest held-out segments"] == total
    assert TABLE_4["mean training segments"] + TABLE_4["mean held-out segments"] == total
    assert round(total / cells) == TABLE_4["mean held-out segments"]
    assert cells == TABLE_4["cells in all"] == TABLE_10["cells_total"] == TABLE_8["batteries"].sum()
    assert TABLE_8["segments"].sum() == total


def test_all_codes_have_an_interpretation_and_ten_stand_in_table_2():
    assert table(11)["code"].tolist() == [str(code) for code in range(32)]
    assert len(TABLE_2) == TABLE_2["code"].nunique() == 10


def test_a_code_is_early_in_no_more_cells_than_hold_it():
    assert (TABLE_2["cells early"] <= TABLE_2["cells present"]).all()
    assert TABLE_2["cells present"].max() <= 18 < TABLE_10["cells_total"]
    assert TABLE_2["Spearman"].is_monotonic_decreasing and TABLE_10["precursor_code"] == TABLE_2["code"].iloc[0]
