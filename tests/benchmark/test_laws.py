"""Fitted on one ageing law, scored on the other."""

import dataclasses

import numpy as np
import pytest

from benchmark import load_task
from benchmark.baselines import get_model
from benchmark.laws import law_transfer, worst
from benchmark.running import run_baselines
from dataset_card.errors import MagBridgeError


@pytest.fixture
def two_laws(release):
    """T1's rows, every second battery's signals with the sign of the other law: more noise where SOH is higher."""
    data = load_task("t1", release)

    def mixed(rows):
        other = np.char.mod("%d", rows.battery_ids.astype(int) % 2) == "1"
        mirrored = rows.signals.mean(axis=1, keepdims=True)
        noise = rows.signals - mirrored
        flipped = mirrored + noise * (0.03 / (1 - rows.target) ** 2)[:, None, None]
        laws = np.where(other, "inventory", "material")
        return dataclasses.replace(rows, signals=np.where(other[:, None, None], flipped, rows.signals), laws=laws)

    return dataclasses.replace(
        data, train=mixed(data.train), validation=mixed(data.validation), test=mixed(data.test), load_clean=None
    )


def test_a_readout_that_inverts_one_law_fails_on_the_other(two_laws):
    result = law_transfer(get_model("ridge"), two_laws)
    assert (result.protocol, [run.fold for run in result.runs], result.battery_ids) == ("law_transfer", [0, 1], ())
    assert worst(result) == result.values().min() < 0
    assert [run.n_train for run in result.runs] == [
        (two_laws.train.laws == law).sum() for law in ("inventory", "material")
    ]


def test_rows_of_one_law_are_refused(release):
    with pytest.raises(MagBridgeError, match="expected two"):
        run_baselines(release, model="ridge", protocol="law_transfer")
