"""Defects by share, places and occlusion, on made-up rows and on a small release."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark import evaluate_model
from benchmark.analysis import magnetics
from benchmark.baselines import get_model
from benchmark.data import Subset
from dataset_card.contract.physics import DEFECTS
from dataset_card.errors import MagBridgeError


def test_auc_is_that_of_scikit_learn_with_an_interval_over_cells():
    rng = np.random.default_rng(0)
    sick, healthy = rng.normal(0.7, 1, 120).round(1), rng.normal(0, 1, 400).round(1)
    found = magnetics.auc(sick, np.arange(120) // 4, healthy, np.arange(400) // 4)
    assert found[0] == pytest.approx(roc_auc_score(np.repeat([1, 0], [120, 400]), np.append(sick, healthy)))
    assert found[1] < found[0] < found[2]
    one = magnetics.auc(np.repeat(sick[:30], 4), np.arange(120) // 4, healthy, np.arange(400) // 4)
    assert one[2] - one[1] > found[2] - found[1], "four equal rows are one cell"


def test_small_defects_are_told_from_large_ones():
    rng = np.random.default_rng(1)
    target = rng.choice(DEFECTS, 3000)
    share = np.where(target == "none", np.nan, rng.random(3000))
    order = np.unique(target).tolist()
    probability = rng.random((3000, 6))
    large = (target == "dry") & (share > 0.6)
    probability[large, order.index("dry")] += 5
    probability /= probability.sum(axis=1, keepdims=True)
    rows = Subset(np.arange(3000).astype(str), (np.arange(3000) // 2).astype(str), np.zeros((3000, 1)), target)
    found = {(d["defect"], i % 4): d for i, d in enumerate(magnetics.detection(rows, probability, share, "m"))}
    assert len(found) == 5 * 4 and found["dry", 3]["auc"][0] > 0.95
    assert all(0.3 < d["auc"][0] < 0.7 for key, d in found.items() if key[0] != "dry" or key[1] == 1)
    assert (
        found["dry", 0]["share"] is None
        and found["dry", 1]["share"][1] <= found["dry", 2]["share"][0] <= found["dry", 3]["share"][0]
    )


def test_blocks_are_sensors_times_and_channels_of_a_row():
    blocks = magnetics.blocks()
    assert [len(blocks[name]) for name in ("sensors", "times", "channels")] == [24, 7, 3]
    for name in ("sensors", "channels"):
        assert np.sort(np.concatenate(blocks[name])).tolist() == list(range(33, 681)) == blocks["all"][0].tolist()
    assert blocks["sensors"][1].tolist()[:6] == [36, 37, 38, 108, 109, 110]
    assert blocks["times"][1][0] == 33 + 72 + 72


def test_a_reader_without_its_channel_is_blind(v3_release):
    found = magnetics.occlusion("t7", "ridge-magnetics", v3_release)
    assert found["whole"] == evaluate_model("t7", get_model("ridge-magnetics"), v3_release).mean()
    load, rest, scan = found["channels"]
    assert rest < found["whole"] - 0.1 and min(load, scan) > found["whole"] - 0.1 and found["all"][0] < 0.1
    assert len(found["alone"]) == 7 and rest < max(found["alone"]) < found["whole"] + 0.1


def test_places_are_scored_beside_the_constant(v3_release):
    data = magnetics.load_task("t6", v3_release)
    found = magnetics.places(data, v3_release)
    assert [d["defect"] for d in found] == [kind for kind in ("tear", "dry", "plating") for _ in range(4)]
    for d in found:
        for value, low, high in (d["error"], d["prior"]):
            assert 0 < low <= value <= high < 145
    assert found[0]["cells"] == sum(d["cells"] for d in found[1:4])


def test_missing_predictions_are_named(release, tmp_path):
    with pytest.raises(MagBridgeError, match="no predictions of noise-level on t2"):
        magnetics.measure(release, results=tmp_path)
