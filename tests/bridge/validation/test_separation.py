"""Separation in latent space: in-sample figures flatter, held-out figures do not."""

import numpy as np
import pytest

from bridge.v1.latent_space import LatentSpace
from bridge.validation.separation import separations
from dataset_card.errors import MagBridgeError

ANCHOR = np.repeat(np.arange(5), 41)


def test_pure_noise_looks_separated_only_in_sample():
    embeddings = np.random.default_rng(0).standard_normal((205, 171))
    inside, by_position, by_block = separations(embeddings, ANCHOR, LatentSpace.fit(embeddings, ANCHOR))
    assert inside.ratio > 2 * by_position.ratio
    # For new scans there is nothing to tell the anchors apart.
    assert by_position.ratio < 1.5 and by_block.ratio < 1.5
    assert (inside.fits, by_position.fits, by_block.fits) == (1, 41, 5)


def test_real_separation_survives_holding_out():
    rng = np.random.default_rng(1)
    centres = 100 * rng.standard_normal((5, 171))
    embeddings = centres[ANCHOR] + rng.standard_normal((205, 171))
    _, by_position, by_block = separations(embeddings, ANCHOR, LatentSpace.fit(embeddings, ANCHOR))
    assert by_position.ratio > 20 and by_block.ratio > 20


def test_uneven_anchors_are_refused():
    embeddings = np.random.default_rng(0).standard_normal((204, 171))
    with pytest.raises(MagBridgeError, match=r"\[41, 41, 41, 41, 40\]"):
        separations(embeddings, ANCHOR[:204], LatentSpace.fit(embeddings, ANCHOR[:204]))
