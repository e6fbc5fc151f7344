"""What is said of each mistake in a laboratory's files: found, expected and fix, by its name in `faults.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dataset_card.storage.documents import plain_yaml


@cache
def _texts() -> dict[str, list[str]]:
    return plain_yaml(Path(__file__).with_name("faults.yaml").read_text(encoding="utf-8"))


def said(of: str, **values: object) -> tuple[str, str, str]:
    """What was found, what was expected and the fix.

    Args:
        of: The mistake's name.
        **values: What fills the gaps of its texts.
    """
    found, expected, fix = (text.format(**values) for text in _texts()[of])
    return found, expected, fix
