"""A round's folder as anyone reads it; how it is made and what is refused, tests/bridge/round tells."""

import hashlib

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.storage.rounds import commitment_of, is_round, read_round


def test_the_commitment_is_the_sha256_of_a_text_that_anyone_can_write():
    text = '{"configuration":{"a":[1,2.5],"name":"r"},"master_seed":"18446744073709551616","salt":"0f"}'
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert commitment_of({"name": "r", "a": [1, 2.5]}, 2**64, "0f") == expected


def test_another_folder_is_no_round(tmp_path):
    assert not is_round(tmp_path)
    with pytest.raises(MagBridgeError, match="no round.json; expected a round's folder"):
        read_round(tmp_path)
