"""The noise-level features say how much noise there is, and where in frequency."""

import numpy as np
import pytest

from benchmark.baselines.noise_level import NoiseLevelFeatures
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def clean():
    rng = np.random.default_rng(0)
    level = rng.normal(size=(200, 1, 1)) * np.arange(1, 7) * 30
    return 300 + level + np.arange(10, 70, 10) * rng.standard_normal((200, 100, 6))


def columns(features, signals, prefix):
    names = features.get_feature_names_out().astype(str)
    return features.transform(signals)[:, np.char.startswith(names, prefix)]


def test_every_column_has_a_name_of_its_own(clean):
    features = NoiseLevelFeatures().fit(clean)
    names = features.get_feature_names_out()
    assert features.transform(clean).shape == (200, len(names)) and len(set(names)) == len(names) == 44


def test_more_noise_raises_log_power_by_its_log(clean):
    """Half the noise around the background takes log 4 off every power and leaves the scores where they are."""
    features = NoiseLevelFeatures().fit(clean)
    flat = clean.reshape(200, -1) - features.mean_
    background = features.mean_ + flat @ features.components_.T @ features.components_
    quieter = (background + (clean.reshape(200, -1) - background) / 2).reshape(clean.shape)
    fall = columns(features, clean, "log_power") - columns(features, quieter, "log_power")
    np.testing.assert_allclose(fall, np.log(4), atol=1e-9)
    np.testing.assert_allclose(columns(features, quieter, "score"), columns(features, clean, "score"), atol=1e-9)


def test_bands_tell_slow_from_fast(clean):
    features = NoiseLevelFeatures().fit(clean)
    slow = clean + 60 * np.cos(np.pi * 4 * (np.arange(100) + 0.5) / 100)[:, None]
    for channel in CHANNELS:
        slow_rise, fast_rise, steps_rise = (
            (columns(features, slow, name) - columns(features, clean, name)).mean()
            for name in (f"log_power_{channel}_1_6", f"log_power_{channel}_50_100", f"log_power_{channel}_steps")
        )
        assert slow_rise > 2 and abs(fast_rise) < 0.1 and steps_rise < slow_rise / 2


def test_too_few_rows_are_refused(clean):
    with pytest.raises(MagBridgeError, match="2 clean rows.*at least 3"):
        NoiseLevelFeatures().fit(clean[:2])


def test_is_a_transformer(clean):
    from sklearn.base import clone

    assert clone(NoiseLevelFeatures(components=2)).fit(clean).transform(clean).shape == (200, 47)
