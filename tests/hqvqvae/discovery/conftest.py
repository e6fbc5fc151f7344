"""A run in which a precursor was planted, and its folder: made once, left as they are."""

import pytest

from hqvqvae.discovery.run import write_run
from tests.hqvqvae.synthetic_cells import figure_frames, given_run, planted_study


@pytest.fixture(scope="session")
def planted_run():
    return given_run(planted_study, n_cells=20)


@pytest.fixture(scope="session")
def run_folder(planted_run, tmp_path_factory):
    return write_run(planted_run, tmp_path_factory.mktemp("runs") / "run").parent


@pytest.fixture(scope="session")
def planted_frames():
    """The planted cells under a short plan and the data of their figures."""
    return figure_frames(*planted_study(0))
