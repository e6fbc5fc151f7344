"""The benchmark's longer refusals: their words stand in `refusals.yaml`, a table that can be read as text."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dataset_card.errors import MagBridgeError


@cache
def words() -> dict[str, str]:
    """The refusals by name, with places for values."""
    return yaml.safe_load(Path(__file__).with_name("refusals.yaml").read_text(encoding="utf-8"))


def refused(name: str, /, **values: Any) -> MagBridgeError:
    """The error of this name, with its values filled in."""
    return MagBridgeError(words()[name].format(**values))
