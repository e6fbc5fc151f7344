"""Ablations: the pilots differ in what they should, and SOH is where the information is."""

import numpy as np
import pytest

from bridge.generate import make_bridge, resolve
from bridge.validation.ablation import ABLATIONS, SEEDS, make_pilot, plot, run_ablations
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def bridge():
    return make_bridge(resolve("v1", "simulated"))


def test_pilots_hold_out_every_cell_once(bridge):
    held_out = []
    for seed in SEEDS:
        data = make_pilot(bridge, "A0", seed)["t1"]
        assert not set(data.train.cell_ids) & set(data.test.cell_ids)
        assert len(data.train) + len(data.test) == 336
        spread = np.ptp(data.test.target)
        assert spread > 0.7 * np.ptp(data.train.target)  # every group spans the range of SOH
        held_out += sorted(set(data.test.cell_ids))
    assert sorted(held_out) == sorted(set(bridge.upstream.pulses.cell))


def test_ablations_change_the_signals_and_never_the_targets(bridge):
    pilots = {ablation: make_pilot(bridge, ablation, 0) for ablation in ABLATIONS}
    for ablation in ("A1", "A2", "A3"):
        for task in ("t1", "t2"):
            np.testing.assert_array_equal(pilots[ablation][task].test.target, pilots["A0"][task].test.target)
        assert not np.array_equal(pilots[ablation]["t1"].test.signals, pilots["A0"]["t1"].test.signals)
    again = make_pilot(bridge, "A1", 0)["t1"].train.signals
    np.testing.assert_array_equal(again, pilots["A1"]["t1"].train.signals)


def test_permuted_soh_leaves_nothing_to_learn(bridge, tmp_path):
    report = run_ablations(bridge, shots=(20,), seeds=(0, 2), names=("ridge", "svr-rbf", "logistic-regression"))
    scores = {(task, ablation): report.mean(ablation, task, 20)[1] for task in ("t1", "t2") for ablation in ABLATIONS}
    assert scores["t1", "A0"] > 0.5 and scores["t2", "A0"] > 0.65
    assert scores["t1", "A2"] < 0.1 and abs(scores["t2", "A2"] - 0.5) < 0.12
    for ablation in ("A1", "A3"):  # the direction does not carry what models find
        assert scores["t1", ablation] > 0.5
    assert len(report.scores) == 4 * 2 * 3 and report.as_dict()["rows"] == 336
    assert "A2 SOH permuted" in report.table() and "(0.77)" in report.table()
    assert {score.ablation for score in report.transfer} == set(ABLATIONS)
    plot(report, tmp_path / "ablations.png")
    assert (tmp_path / "ablations.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_published_inputs(upstream_dir):
    report = run_ablations(make_bridge(resolve("v1", "published", upstream_dir, fetch=False)))
    best = {(t, a): report.mean(a, t, 20)[1] for t in ("t1", "t2") for a in ABLATIONS}
    assert best["t1", "A0"] >= 0.65 and best["t2", "A0"] >= 0.85
    for k in report.shots:
        assert abs(report.mean("A2", "t1", k)[1]) < 0.1 and abs(report.mean("A2", "t2", k)[1] - 0.5) < 0.12
    for ablation in ("A1", "A3"):
        for task in ("t1", "t2"):
            assert abs(best[task, ablation] - best[task, "A0"]) < 0.08


def test_bad_arguments(bridge):
    with pytest.raises(MagBridgeError, match="'A9'"):
        make_pilot(bridge, "A9", 0)
    with pytest.raises(MagBridgeError, match=r"\[7\]"):
        run_ablations(bridge, seeds=(7,))


def test_v2_knows_its_direction():
    report = run_ablations(
        make_bridge(resolve("v2", "simulated")), shots=(20,), seeds=(0,), names=("ridge", "logistic-regression")
    )
    assert (report.bridge, report.rows) == ("v2", 1620)
    of = {(score.ablation, score.seed): score for score in report.transfer if score.readout == "shape"}
    assert of["A0", 0].within == of["A0", 0].transfer > 0.8
    assert all(of["A1", draw].transfer < 0 for draw in (0, 1, 2))
    assert of["A3", 0].slope < -0.5 and of["A3", 0].within > 0.8  # a readout refitted there hides it
    assert of["A2", 0].within < 0.05
    text = report.table()
    assert "(0.77)" not in text and "shape: 30" in text and "static: 57" in text and "bridge v2" in text
