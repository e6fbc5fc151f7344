"""The secret of a round: drawn from the system, kept from others, and good for one round."""

import json

import pytest

from bridge.rounds.secret import LEAST_SEED, draw_secret, read_secret
from dataset_card.errors import MagBridgeError


def test_a_secret_is_drawn_once_and_read_back(tmp_path):
    path = tmp_path / "secret.json"
    drawn = draw_secret(path, "round-1")
    assert drawn == read_secret(path, "round-1") and drawn.master_seed >= LEAST_SEED
    assert path.stat().st_mode & 0o077 == 0, "nobody else may read it"
    with pytest.raises(FileExistsError):
        draw_secret(path, "round-1")
    assert draw_secret(tmp_path / "other.json", "round-1") != drawn


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"round": "round-2"},
            "the secret of round 'round-2': expected that of 'round-1'; a secret serves one round",
        ),
        ({"master_seed": "20260512"}, "master_seed: expected a number of at least 2\\^64"),
        ({"master_seed": str(2**64 - 1)}, "master_seed: expected a number of at least 2\\^64"),
        ({"master_seed": 2**70}, "master_seed: expected a number of at least 2\\^64, as text"),
        ({"master_seed": "1e40"}, "master_seed: expected a number"),
        ({"salt": "abc"}, "salt: expected 32 to 128 hex digits"),
        ({"salt": None}, "salt: expected"),
    ],
)
def test_what_could_be_guessed_is_no_secret(tmp_path, change, message):
    good = {"round": "round-1", "master_seed": str(2**64), "salt": "0" * 32}
    path = tmp_path / "secret.json"
    path.write_text(json.dumps(good))
    assert read_secret(path, "round-1").master_seed == 2**64
    path.write_text(json.dumps(good | change))
    with pytest.raises(MagBridgeError, match=message):
        read_secret(path, "round-1")


def test_a_damaged_secret_is_restored_and_no_release_rebuilt(tmp_path):
    path = tmp_path / "secret.json"
    path.write_text("{")
    with pytest.raises(MagBridgeError, match=r"secret.json: not readable as JSON \(.*\); restore it from a copy$"):
        read_secret(path, "round-1")
