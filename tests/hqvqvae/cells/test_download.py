"""The door of the public data sets: what is there is not fetched again, and no network is one line."""

import pytest
import requests

from dataset_card.errors import MagBridgeError
from hqvqvae.cells import matr, nasa
from hqvqvae.cells.download import download


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def fail(*_, **__):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", fail)


@pytest.mark.parametrize("fetch", [nasa.fetch, matr.fetch])
def test_no_network_is_one_line(tmp_path, fetch):
    with pytest.raises(MagBridgeError, match="download it by hand and pass its path"):
        fetch(tmp_path)


def test_a_file_that_is_there_is_not_fetched_again(tmp_path):
    (tmp_path / "there.zip").write_bytes(b"as it is")
    assert download("https://example.org/there.zip", "there.zip", tmp_path).read_bytes() == b"as it is"
