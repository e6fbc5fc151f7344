import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.v1 import reservoir
from tests.bridge import reference

MEAN, STD = np.arange(6.0) * 10, np.linspace(20, 90, 6)


def signals(n, steps=100, seed=0):
    return MEAN + STD * np.random.default_rng(seed).standard_normal((n, steps, 6))


def test_equals_the_circuit_written_out_gate_by_gate():
    x = signals(1, steps=12)
    assert reservoir.embed(x, MEAN, STD)[0] == pytest.approx(reference.embed(x[0], MEAN, STD), abs=1e-12)


def test_equals_its_definition_on_default_qubit_step_by_step():
    import pennylane as qml

    step = qml.QNode(reservoir.circuit, qml.device("default.qubit", wires=reservoir.QUBITS))
    x = signals(1, steps=5, seed=3)
    found = reservoir.features(x, MEAN, STD)[0]
    memory = np.zeros(4)
    for t, angles in enumerate(reservoir.angles(x, MEAN, STD)[0]):
        expected = np.array(step(angles, memory))
        assert found[t] == pytest.approx(expected[:57], abs=1e-12)
        memory = (expected[57:] + 1) * np.pi


def test_pools_last_mean_and_population_std():
    x = signals(3, steps=20)
    steps = reservoir.features(x, MEAN, STD)
    pooled = reservoir.embed(x, MEAN, STD)
    assert pooled == pytest.approx(np.concatenate([steps[:, -1], steps.mean(1), steps.std(1)], axis=1), abs=1e-14)


@settings(max_examples=8, deadline=None)
@given(n=st.integers(1, 70), workers=st.integers(1, 5), start=st.integers(0, 40))
def test_bytes_do_not_depend_on_batch_or_threads(n, workers, start):
    x = signals(80, steps=3)
    whole = reservoir.embed(x, MEAN, STD)
    part = slice(start, start + n)
    assert np.array_equal(reservoir.embed(x[part], MEAN, STD, workers=workers), whole[part])


def test_clips_inputs_at_three_sigma():
    x = signals(1, steps=4)
    wild = np.where(x > MEAN, MEAN + 3 * STD, MEAN - 3 * STD)
    far = np.where(x > MEAN, MEAN + 99 * STD, MEAN - 99 * STD)
    assert reservoir.embed(far, MEAN, STD) == pytest.approx(reservoir.embed(wild, MEAN, STD), abs=1e-12)


def test_no_signals_give_no_embeddings():
    assert reservoir.embed(np.empty((0, 100, 6)), MEAN, STD).shape == (0, 171)


def test_rejects_another_number_of_channels():
    with pytest.raises(ValueError, match=r"expected \(n, T, 6\)"):
        reservoir.embed(np.zeros((2, 100, 5)), MEAN, STD)


def test_published_embeddings_are_of_the_same_circuit(published):
    # The raw scans are not public, but surrogates share their moments: the 57 means over scans and time agree.
    found = reservoir.embed(published.scans, published.angle_scaler.mean, published.angle_scaler.std)
    time_means = slice(57, 114)
    assert np.corrcoef(found[:, time_means].mean(0), published.embeddings[:, time_means].mean(0))[0, 1] > 0.95
