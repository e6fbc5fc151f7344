"""The secret of a hidden round: a master seed and a salt in a file of the organiser's; it serves one round."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
from pathlib import Path
from typing import NamedTuple

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import read_json
from dataset_card.storage.files import alone, replacing

SEED_BITS = SALT_BITS = 128
LEAST_SEED = 2**64
"""A smaller seed could be found: the code is public, so each seed can be tried until it generates the signals."""


class Secret(NamedTuple):
    """The secret that a round is bound to.

    Attributes:
        round: Name of the one round that it serves.
        master_seed: At least 2^64.
        salt: At least 32 hex digits.
    """

    round: str
    master_seed: int
    salt: str


def draw_secret(path: Path, name: str) -> Secret:
    """Draw a secret from the system's source of randomness into a new file that only its owner may read.

    Raises:
        OSError: If the file exists, or cannot be written.
    """
    secret = Secret(name, secrets.randbits(SEED_BITS) | LEAST_SEED, secrets.token_hex(SALT_BITS // 8))
    text = json.dumps({"round": name, "master_seed": str(secret.master_seed), "salt": secret.salt}, indent=1) + "\n"
    with alone(path.parent), replacing(path) as temporary:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    return secret


def read_secret(path: Path, name: str) -> Secret:
    """Read the secret of a round.

    Raises:
        MagBridgeError: If the file is not a secret, belongs to another round, or could be guessed.
    """
    document = read_json(path)
    seed, salt = document.get("master_seed"), document.get("salt")
    if document.get("round") != name:
        raise MagBridgeError(
            f"{path}: the secret of round {document.get('round')!r}: expected that of {name!r}; a secret serves one "
            "round, as revealing one would open the other"
        )
    if not isinstance(seed, str) or not re.fullmatch(r"[1-9][0-9]{19,99}", seed) or int(seed) < LEAST_SEED:
        raise MagBridgeError(
            f"{path}: master_seed: expected a number of at least 2^64, as text; smaller ones can be guessed"
        )
    if not isinstance(salt, str) or not re.fullmatch("[0-9a-f]{32,128}", salt):
        raise MagBridgeError(f"{path}: salt: expected 32 to 128 hex digits")
    return Secret(name, int(seed), salt)
