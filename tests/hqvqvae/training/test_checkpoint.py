"""The state of a run: a killed run resumes to the same end, what is not its own state is refused."""

from unittest import mock

import pytest

import hqvqvae.training.fit as training
from dataset_card.errors import MagBridgeError
from hqvqvae import HQVQVAEConfig
from hqvqvae.training.checkpoint import save_state
from hqvqvae.training.fit import TrainingConfig, fit
from tests.hqvqvae.small import QUICK, assert_same, nasa_features


def test_resume_equals_an_unbroken_run_from_every_epoch(tmp_path):
    config, x = HQVQVAEConfig.named("recommended"), nasa_features()
    whole = fit(config, x, QUICK, validation=x[::7])
    state = tmp_path / "state.safetensors"

    class Killed(Exception):
        pass

    for last in (1, 2, 5):  # in the warm-up, just after it, after the last restart
        state.unlink(missing_ok=True)

        def save_then_die(path, run_state, *rest, last=last, save=save_state):
            save(path, run_state, *rest)
            if run_state.epoch == last:
                raise Killed

        with mock.patch.object(training, "save_state", save_then_die), pytest.raises(Killed):
            fit(config, x, QUICK, validation=x[::7], state_file=state)
        assert_same(whole, fit(config, x, QUICK, validation=x[::7], state_file=state, resume=True))


def test_a_state_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    config, x, state = HQVQVAEConfig.named("paper-classical"), nasa_features(), tmp_path / "state.safetensors"
    fit(config, x, QUICK, state_file=state)
    others = (
        (HQVQVAEConfig.named("paper-classical", codebook_size=16), x, QUICK),
        (config, x[:-1], QUICK),
        (config, x, TrainingConfig(epochs=8, seed=3)),
    )
    for other in others:
        with pytest.raises(MagBridgeError, match="another configuration, training or data; .*in another folder"):
            fit(*other, state_file=state, resume=True)
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(MagBridgeError, match="not a training state"):
        fit(config, x, QUICK, state_file=state, resume=True)
