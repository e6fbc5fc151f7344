"""What is wrong with a laboratory's file, one line a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_card.errors import MagBridgeError

MOST = 100
"""Faults of one file that are kept: a file with more has one cause, which the first ones show."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        file: The file's name.
        where: Row, column, scan or step; empty for the whole file.
        found: What is there.
        expected: What should be.
        fix: What to do.
    """

    file: str
    where: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}, {self.where}" if self.where else self.file
        return " ".join(f"{place}: {self.found}; expected {self.expected}; {self.fix}".split())


class FaultyInput(MagBridgeError):
    """A file that cannot be used; `faults` has all that is wrong with it, the message the first."""

    def __init__(self, faults: Sequence[Fault]):
        self.faults = tuple(faults)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{faults[0]}{more}")


def require(faults: Sequence[Fault]) -> None:
    """Raises if there is a fault.

    Raises:
        FaultyInput: There is one.
    """
    if faults:
        raise FaultyInput(faults[:MOST])


def fault(path: Path | str, where: str, found: str, expected: str, fix: str) -> FaultyInput:
    """An error of one fault, to be raised."""
    return FaultyInput([Fault(str(path), where, found, expected, fix)])
