"""Refusals that take more than a line to say, by their names in `errors.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import plain_yaml


@cache
def _texts() -> dict[str, str]:
    return plain_yaml(Path(__file__).with_name("errors.yaml").read_text(encoding="utf-8"))


def refusal(of: str, **values: object) -> MagBridgeError:
    """The error to be raised.

    Args:
        of: Its name.
        **values: What fills the gaps of its text.
    """
    return MagBridgeError(_texts()[of].format(**values))
