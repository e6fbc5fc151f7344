"""A warning of short lives: judged on unseen cells, beside plain thresholds."""

from dataclasses import replace

import numpy as np
import pytest

from hqvqvae.discovery.lives.warning import PLAIN, calibrated_to_short, evaluate


def few(study):
    return replace(study, plan=replace(study.plan, n_alarm_orders=9))


@pytest.mark.parametrize("detector", ["kmeans", *PLAIN])
def test_short_lived_cells_are_warned_of_and_every_cell_is_judged_once(related, detector):
    row = evaluate(few(related), detector)
    assert row["hit"] + row["false_alarm"] + row["missed"] + row["quiet"] == 36
    assert row["hit"] >= 12 and row["false_alarm"] <= 9 and row["p"] == 0.1
    assert 13 <= row["alarm_cycle"] <= 41 and row["lead_cycles"] > 100
    if detector == "kmeans":
        # The drift grows: its code comes late, later than shifted sequences have it, and lives alone make the lead.
        assert row["first"]["cells"] > 12 and row["first"]["cycle"] > 20 and row["first"]["p"] > 0.9
        assert row["first"]["lead_cycles"] > 100


def test_nothing_is_found_where_lives_follow_from_nothing(unrelated):
    row = evaluate(few(unrelated), "kmeans")
    assert row["hit"] - row["false_alarm"] < 9 and row["p"] > 0.1


def test_the_score_rises_with_the_code_of_short_lives():
    short = np.arange(12) < 6
    codes = [np.full(20, 1 if is_short else 0) for is_short in short]
    fitted = calibrated_to_short(codes, short, 2, 1, np.arange(12) % 3)
    assert fitted.score(codes[0])[-1] > 0.9 > 0.1 > fitted.score(codes[-1])[-1]
    assert [fitted.alarm(sequence) is not None for sequence in codes] == short.tolist()
    assert fitted.late_share[1] == pytest.approx((1 + 120) / (2 + 120))
