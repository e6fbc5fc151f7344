"""Mistakes in a user's file: one line per kind of mistake, with a count."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dataset_card.errors import MagBridgeError

MOST = 100_000
"""Maximum number of faults of one file that are counted before reading stops."""


@dataclass(frozen=True)
class Fault:
    """One fault of a file.

    Attributes:
        file: The file's name.
        where: Row, column, scan or step; empty for the whole file.
        found: The faulty value.
        expected: What was expected.
        fix: What to do.
        more: Number of further mistakes of this kind.
        last: Place of the last of them.
    """

    file: str
    where: str
    found: str
    expected: str
    fix: str
    more: int = 0
    last: str = ""

    def __str__(self) -> str:
        place = ", ".join(filter(None, (self.file, self.where)))
        more = f" (and {self.more} more like it, the last in {self.last})" if self.more else ""
        return " ".join(f"{place}: {self.found}; expected {self.expected}; {self.fix}{more}".split())

    @property
    def kind(self) -> tuple[str, ...]:
        """Key shared by mistakes of one kind: column, expectation and fix, without numbers."""
        place = re.sub(r"\(.*?\)|scan \S+|\d+", "", self.where)
        return (place, *(re.sub(r"[\d.]+|'[^']*'", "", text) for text in (self.expected, self.fix)))


def grouped(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Return the first fault of each kind, in order, with the number of further ones."""
    kinds: dict[tuple[str, ...], list[Fault]] = {}
    for each in faults:
        kinds.setdefault(each.kind, []).append(each)
    return tuple(
        replace(first, more=sum(1 + each.more for each in rest), last=rest[-1].last or rest[-1].where or rest[-1].file)
        if rest
        else first
        for first, *rest in kinds.values()
    )


class FaultyInput(MagBridgeError):
    """A file that cannot be used: `faults` has one entry per kind of mistake, and the message describes the first."""

    def __init__(self, faults: Sequence[Fault]):
        self.faults = grouped(faults)
        kinds = len(self.faults) - 1
        more = f" (and {kinds} more {'kinds' if kinds > 1 else 'kind'} of mistake)" if kinds else ""
        super().__init__(f"{self.faults[0]}{more}")


def require(faults: Sequence[Fault]) -> None:
    """Raise an error if there is any fault.

    Raises:
        FaultyInput: If `faults` is not empty.
    """
    if faults:
        raise FaultyInput(faults)


def fault(found: str, expected: str, fix: str, where: str = "", file: Path | str = "") -> FaultyInput:
    """Return an error with one fault, to be raised."""
    return FaultyInput([Fault(str(file), where, found, expected, fix)])


@contextmanager
def faults_in(file: Path | str) -> Iterator[None]:
    """Name the file in faults that are raised without one.

    Example:
        >>> with faults_in("cells.csv"):
        ...     raise fault("no rows", "at least one", "export it again", where="row 2")
        Traceback (most recent call last):
        ...
        dataset_card.storage.faults.FaultyInput: cells.csv, row 2: no rows; expected at least one; export it again
    """
    try:
        yield
    except FaultyInput as error:
        raise type(error)([replace(each, file=each.file or str(file)) for each in error.faults]) from error.__cause__
