"""A warning of short lives: judged on unseen cells, beside plain thresholds."""

import numpy as np
import pytest

from hqvqvae.discovery.lives.warning import DETECTORS, evaluate, fit_calibrated, fit_short


def test_short_lived_cells_are_warned_of_and_every_cell_is_judged_once(related):
    found = evaluate(related, "kmeans", 4)
    assert set(found) == set(DETECTORS)
    for row in found.values():
        assert row["hit"] + row["false_alarm"] + row["missed"] + row["quiet"] == 36
        assert row["hit"] >= 12 and row["false_alarm"] <= 9
        assert 13 <= row["alarm_cycle"] <= 41 and row["lead_cycles"] > 100


def test_nothing_is_found_where_lives_follow_from_nothing(unrelated):
    row = evaluate(unrelated, "kmeans", 4)["score"]
    assert row["hit"] - row["false_alarm"] < 9


def test_the_score_rises_with_the_code_of_short_lives():
    short = np.arange(12) < 6
    codes = [np.full(20, 1 if is_short else 0) for is_short in short]
    score = fit_short(codes, short, 2, 1)
    assert score.score(codes[0])[-1] > 0.9 > 0.1 > score.score(codes[-1])[-1]
    fitted = fit_calibrated(codes, short, 2, 1, np.arange(12) % 3)
    assert [fitted.alarm(sequence) is not None for sequence in codes] == short.tolist()
    assert fitted.late_share[1] == pytest.approx((1 + 120) / (2 + 120))
