"""A bridge can be fitted to any scan archive: the simulated one, or a user's."""

import numpy as np
import pytest

from bridge.config import ANCHOR_VOLTAGES
from bridge.upstream import resolve
from bridge.upstream.from_scans import upstream_from_scans
from bridge.upstream.simulated import pulse_table, scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v1.latent_space import separation
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def simulated():
    return resolve("simulated")


def test_simulated_upstream_is_marked_and_fitted(simulated):
    assert simulated.name == "simulated" and simulated.bridge_version == "v1.3-simulated"
    assert "simulated_parameters.json" in simulated.sources and len(simulated.sources) == 3
    assert all(len(digest) == 64 for digest in simulated.sources.values())
    assert np.linalg.norm(simulated.latent.direction) == pytest.approx(1, abs=1e-12)


def test_latent_scale_is_that_of_the_published_bridge(simulated):
    # Drift strength and kernel width are in these units: another scale would be another bridge.
    figures = separation(simulated.latent.project(simulated.embeddings), simulated.scan_anchor)
    assert figures["scatter"] == pytest.approx(1.78, abs=0.05)
    assert figures["adjacent"] == pytest.approx(279.0, abs=5)
    assert figures["r2"] > 0.999


def test_another_archive_gives_another_space():
    parameters = load_parameters()
    pulses = pulse_table(parameters)
    scans = scan_archive(parameters, positions=12, seed=9)
    upstream = upstream_from_scans("mine", scans, pulses, "v1.3-mine", {})
    assert upstream.embeddings.shape == (60, 171) and len(upstream.scan_anchor) == 60
    centroids = upstream.statistics.mean
    np.testing.assert_allclose(centroids[3], scans[36:48].mean(axis=0), atol=1e-12)
    six = (*ANCHOR_VOLTAGES[:4], 3.2, 3.34)
    more = upstream_from_scans("mine", scan_archive(parameters, six, 8), pulses, "v1.3-mine", {}, six)
    assert more.statistics.mean.shape == (6, 100, 6)


@pytest.mark.parametrize(
    "change, named",
    [
        (lambda s: s[:-1], r"shape \(204, 100, 6\)"),
        (lambda s: s[:, :50], r"shape \(205, 50, 6\)"),
        (lambda s: np.where(np.arange(205)[:, None, None] == 7, np.nan, s), "NaN"),
    ],
)
def test_a_wrong_archive_is_refused(change, named, simulated):
    with pytest.raises(MagBridgeError, match=named):
        upstream_from_scans("mine", change(simulated.scans), simulated.pulses, "v", {})
