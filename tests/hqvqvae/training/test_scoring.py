"""Codes and errors of a user's own cells."""

import numpy as np
import pytest
import torch

from dataset_card.errors import MagBridgeError
from hqvqvae import HQVQVAEModel
from hqvqvae.cells.features import FEATURES, feature_table
from hqvqvae.training.scoring import score_cells
from tests.hqvqvae.small import cell_table, segments_of


@pytest.fixture(scope="module")
def model():
    return HQVQVAEModel.from_pretrained("recommended")


def test_scores_are_the_codes_of_the_cells_features(model):
    segments = segments_of(cell_table())
    scored = score_cells(model, segments)
    assert list(scored) == ["cell_id", "cycle", "code", "reconstruction_error"]
    assert scored["cycle"].tolist() == [1, 2, 3]
    features = torch.tensor(feature_table(segments)[list(FEATURES)].to_numpy(dtype=np.float32))
    np.testing.assert_array_equal(scored["code"], model.encode(features).codes)
    z = model.standardise(features)
    decoded = model.standardise(model.decode(codes=torch.tensor(scored["code"].to_numpy())))
    np.testing.assert_allclose(scored["reconstruction_error"], (decoded - z).square().mean(1).detach(), rtol=1e-4)


def test_discharges_that_are_not_valid_are_named_or_skipped(model):
    table = cell_table()
    segments = segments_of(table[(table["cycle"] != 2) | (table["time_s"] < 250)])
    with pytest.raises(MagBridgeError, match=r"cell mine cycle 2: 6 loaded samples, fewer than 10 \(1 of 3"):
        score_cells(model, segments)
    assert score_cells(model, segments, skip_invalid=True)["cycle"].tolist() == [1, 3]
    with pytest.raises(MagBridgeError, match="none of the 1 discharges is valid"):
        score_cells(model, [s for s in segments if s.cycle == 2], skip_invalid=True)
