"""The normalised network: what it sees of a row, and that it learns what is in the noise."""

import numpy as np
import pytest

from benchmark import get_task, load_task
from benchmark.baselines import convolutional
from benchmark.baselines.convolutional import CLIP, NormalisedCNN
from dataset_card.errors import MagBridgeError

pytest.importorskip("torch", reason="needs torch")


@pytest.fixture(scope="module")
def fitted(release):
    data = load_task("t1", release)
    return NormalisedCNN(0, get_task("t1")).fit(data.train.signals, data.train.target, validation=data.validation)


def test_inputs_are_standardised_by_channel_and_step(fitted, release):
    signals = load_task("t1", release).train.signals
    inputs = fitted._inputs(signals).numpy()
    shape, free = inputs[:, :6], inputs[:, 6:]
    np.testing.assert_allclose(np.median(shape, axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(np.median(np.abs(shape), axis=0), 1 / 1.4826, atol=1e-2)
    np.testing.assert_allclose(np.median(free, axis=2), 0, atol=1e-5)


def test_far_rows_saturate_and_a_rows_own_level_goes(fitted, release):
    signals = load_task("t1", release).train.signals
    far = fitted._inputs(signals + 1e6).numpy()
    assert (far[:, :6] == CLIP).all() and np.abs(far).max() == CLIP
    shift = 5 * fitted.scale.mean(axis=0)
    moved, before = fitted._inputs(signals + shift).numpy()[:, 6:], fitted._inputs(signals).numpy()[:, 6:]
    # A shift of five scales is not quite five at every step: what the row's own level leaves of it is the difference.
    assert np.abs(moved - before).mean() < 1.5


def test_reads_soh_off_the_noise(fitted, release):
    data = load_task("t1", release)
    assert np.corrcoef(fitted.predict(data.test.signals), data.test.target)[0, 1] > 0.7


def test_few_rows_and_a_constant_target(release, monkeypatch):
    monkeypatch.setattr(convolutional.NormalisedCNN, "epochs", 1)
    data = load_task("t1", release)
    with pytest.raises(MagBridgeError, match="1 training rows: batch normalisation needs at least two"):
        NormalisedCNN(0, data.task).fit(data.train.signals[:1], data.train.target[:1], validation=data.validation)
    model = NormalisedCNN(0, data.task).fit(data.train.signals[:9], np.ones(9), validation=data.validation)
    assert np.isfinite(model.predict(data.test.signals)).all()


def test_a_last_batch_of_one_row_is_left_out(release, monkeypatch):
    monkeypatch.setattr(convolutional.NormalisedCNN, "epochs", 1)
    data = load_task("t1", release)
    rows = np.arange(2 * convolutional.BATCH + 1)
    part = data.train.take(rows)
    model = NormalisedCNN(0, data.task).fit(part.signals, part.target, validation=data.validation)
    assert np.isfinite(model.predict(data.test.signals)).all()
