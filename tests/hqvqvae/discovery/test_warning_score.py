"""The early-warning score: causal, calibrated without the cell it is judged on, compared with plain alternatives."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_card.errors import MagBridgeError
from hqvqvae.discovery.analysis import Coding, DiscoveryPlan, nested_analysis, prepare
from hqvqvae.discovery.warning_score import (
    HORIZON,
    WINDOW,
    WarningScore,
    calibrate,
    capacity_score,
    evaluate,
    fit,
    outcome,
    sweep,
    towards_onsets,
    warn_cells,
    window_features,
)
from tests.hqvqvae.synthetic_cells import N_CODES, PLANTED, planted_study

SCORE = WarningScore(4, 2, (0.1, 0.2, 0.3, 0.9), (2.0, 0.5, -1.0, 3.0), -2.0, 0.6)


@given(codes=st.lists(st.integers(0, 3), min_size=1, max_size=40), cut=st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_the_score_uses_only_the_past(codes, cut):
    codes = np.array(codes)
    assert SCORE.score(codes[:cut]) == pytest.approx(SCORE.score(codes)[:cut], abs=1e-12)
    early, whole = SCORE.alarm(codes[:cut]), SCORE.alarm(codes)
    assert early == (whole if whole is not None and whole < cut else None)


@given(capacity=st.lists(st.floats(0.1, 2.0), min_size=1, max_size=30), cut=st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_the_capacity_alternative_uses_only_the_past(capacity, cut):
    whole = capacity_score(np.array(capacity))
    assert capacity_score(np.array(capacity[:cut])) == pytest.approx(whole[:cut], abs=1e-12)


def test_window_features_by_hand():
    codes = np.array([0, 2, 2, 1] + [0] * WINDOW)
    features = window_features(codes, 2, np.array([0.0, 1.0, 0.5]))
    assert features[2, 0] == pytest.approx(2 / 3, abs=1e-12)  # two of three
    assert features[:4, 1] == pytest.approx([0, np.log(2), np.log(3), np.log(4)], abs=1e-12)
    assert features[3, 2] == pytest.approx(2 / 4, abs=1e-12)  # 0-2 and 2-1 of four
    assert features[3, 3] == pytest.approx(2 / 4, abs=1e-12)  # 0, .5, .5, 1
    assert features[-1, 0] == 0 and features[-1, 3] == 0  # all out of the window


def test_without_a_precursor_nothing_is_active():
    features = window_features(np.array([0, 1, 2]), None, np.zeros(3))
    assert (features[:, :2] == 0).all()


@pytest.mark.parametrize(
    ("alarm", "onset", "judged"),
    [
        (None, np.nan, "quiet"),
        (3, np.nan, "false_alarm"),
        (None, 40, "missed"),
        (40, 40, "missed"),
        (39, 40, "hit"),
        (40 - HORIZON, 40, "hit"),
        (39 - HORIZON, 40, "false_alarm"),
    ],
)
def test_outcomes(alarm, onset, judged):
    assert outcome(alarm, onset) == judged


def test_sweep_agrees_with_single_alarms():
    rng = np.random.default_rng(0)
    scores = [rng.random(30) for _ in range(6)]
    onsets = np.array([20, 5, np.nan, 25, np.nan, 10])
    table = sweep(scores, onsets, np.array([0.5, 0.99, 2.0]), HORIZON)
    for row in table.itertuples():
        alarms = [int(np.argmax(s >= row.threshold)) if (s >= row.threshold).any() else None for s in scores]
        judged = [outcome(a, o) for a, o in zip(alarms, onsets, strict=True)]
        assert row.hits == judged.count("hit") / 6
        assert row.false_alarms == judged.count("false_alarm") / 6
    assert table["hits"].iloc[-1] == 0 and np.isnan(table["median_lead"].iloc[-1])


def test_calibration_allows_few_false_alarms_or_raises_none():
    ramp = [np.linspace(0, 1, 50)] * 10
    onsets = np.full(10, 45.0)
    threshold = calibrate(ramp, onsets)
    assert sweep(ramp, onsets, [threshold], HORIZON)["hits"].iloc[0] == 1.0
    assert calibrate(ramp, np.full(10, np.nan)) is None


def evaluation(seed=0):
    segments, coding = planted_study(seed)
    study = prepare(segments, DiscoveryPlan(n_permutations=99))
    return study, evaluate(study, coding, nested_analysis(study, [coding]).chosen[0], PLANTED)


def test_evaluation_counts_every_held_out_cell_once_per_detector():
    study, found = evaluation()
    assert len(found.cells) == 3 * len(study.index.cell_ids)
    counts = found.summary.set_index("detector")[["hit", "false_alarm", "missed", "quiet"]].sum(axis=1)
    assert counts.to_dict() == {"score": 20, "capacity": 20, "age": 20}
    assert found.note == ""
    assert found.fitted.precursor == PLANTED and found.fitted.threshold is not None
    # A planted code that fires early in cells that fade fast carries warning: most alarms must be hits.
    assert found.summary.set_index("detector").loc["score", "hit"] >= 12


def test_a_held_out_cell_has_no_say_in_its_own_score():
    segments, coding = planted_study(1, n_cells=8)
    plan = DiscoveryPlan(n_permutations=99)
    chosen = np.full(8, PLANTED)
    before = evaluate(prepare(segments, plan), coding, chosen, PLANTED).cells
    late = segments["capacity"].where((segments["cell_id"] != "cell05") | (segments["cycle"] < 50), 0.1)
    after = evaluate(prepare(segments.assign(capacity=late), plan), coding, chosen, PLANTED).cells
    alarm = [t[(t["cell_id"] == "cell05") & (t["detector"] == "score")]["alarm"].iloc[0] for t in (before, after)]
    assert alarm[0] == alarm[1] or (np.isnan(alarm[0]) and np.isnan(alarm[1]))


def test_no_onset_anywhere_is_said_and_scores_nothing():
    segments, coding = planted_study(2, n_cells=6)
    study = prepare(segments.assign(capacity=1.0 + 1e-3 * segments["cell_id"].str[4:].astype(int)), DiscoveryPlan())
    found = evaluate(study, coding, np.full(6, -1), None)
    assert found.fitted is None
    assert found.note.startswith("no score could be fitted for 6 of 6")
    assert (found.summary["hit"] == 0).all()
    assert (found.summary["quiet"] == 6).all()


def test_nothing_to_fit_is_none():
    codes = [np.zeros(20, int)] * 3
    assert fit(towards_onsets(codes, np.full(3, np.nan)), 2, 0) is None
    assert fit(towards_onsets(codes, np.full(3, 10.0)), 2, 0) is None  # every segment lies within the horizon


def test_a_saved_score_gives_the_same_scores(tmp_path):
    SCORE.save(tmp_path / "score.json")
    loaded = WarningScore.load(tmp_path / "score.json")
    codes = np.array([0, 1, 2, 3, 3, 2])
    assert loaded == SCORE
    assert (loaded.score(codes) == SCORE.score(codes)).all()


@pytest.mark.parametrize("text", ["{", "[]", '{"n_codes": 3}'])
def test_a_file_that_is_no_score_is_refused(tmp_path, text):
    (tmp_path / "score.json").write_text(text)
    with pytest.raises(MagBridgeError, match="is not a warning score"):
        WarningScore.load(tmp_path / "score.json")


@pytest.mark.parametrize("value", [{}, [], "", "0.5", False, float("nan"), 1e300, 10**99], ids=repr)
@pytest.mark.parametrize("name", ["threshold", "bias", "weights", "late_share", "precursor"])
def test_a_score_with_what_is_no_number_is_refused(tmp_path, name, value):
    SCORE.save(tmp_path / "score.json")
    fields = json.loads((tmp_path / "score.json").read_text())
    fields[name] = [value, *fields[name][1:]] if isinstance(fields[name], list) else value
    (tmp_path / "score.json").write_text(json.dumps(fields))
    with pytest.raises(MagBridgeError, match="is not a warning score"):
        WarningScore.load(tmp_path / "score.json")


def test_a_score_of_other_size_is_refused(tmp_path):
    SCORE.save(tmp_path / "score.json")
    fields = json.loads((tmp_path / "score.json").read_text()) | {"n_codes": 9}
    (tmp_path / "score.json").write_text(json.dumps(fields))
    with pytest.raises(MagBridgeError, match="expected 9, 4"):
        WarningScore.load(tmp_path / "score.json")


def test_codes_of_another_model_are_refused():
    with pytest.raises(MagBridgeError, match="code 4 is outside 0 to 3"):
        SCORE.score(np.array([0, 4]))


def test_codes_need_no_reference_to_other_cells():
    """One cell alone is scored as in a crowd: nothing but its own codes goes in."""
    coding = Coding(N_CODES, np.zeros(5, int))
    score = WarningScore(N_CODES, 0, (0.5,) * N_CODES, (1.0, 0.0, 0.0, 0.0), 0.0)
    assert score.score(coding.reference) == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-12)
    assert score.alarm(coding.reference) is None


@pytest.mark.parametrize("cycle", ['"', None, np.inf, 1.5])
def test_a_cycle_that_is_not_a_whole_number_is_named(cycle):
    codes = pd.DataFrame({"cell_id": "A", "cycle": [1, cycle, 3], "code": [2, 2, 2]})
    with pytest.raises(MagBridgeError, match=r"^cycle '.*' of a code; expected a whole number$"):
        warn_cells(SCORE, codes)


def test_cycles_are_ordered_by_number():
    codes = pd.DataFrame({"cell_id": "A", "cycle": ["10", "9", "8"], "code": [2, 0, 0]})
    (as_text,), (as_numbers,) = warn_cells(SCORE, codes), warn_cells(SCORE, codes.astype({"cycle": int}))
    assert as_text == as_numbers
