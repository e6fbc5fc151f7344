"""Error messages by name, with placeholders for values."""

from functools import partial
from pathlib import Path

from dataset_card.storage.documents import packaged, worded
from dataset_card.storage.faults import Fault, FaultyInput, fault

texts = partial(packaged, "bridge")
"""The texts of a YAML file in this package, by name."""

refusal = partial(worded, "bridge", "errors.yaml")
"""The error for an entry of `errors.yaml`, its placeholders filled, ready to be raised."""


def said(of: str, **values: object) -> tuple[str, str, str]:
    """Return what was found, what was expected and the fix, for an entry of `measured/faults.yaml`.

    Args:
        of: Name of the mistake.
        **values: Values of the placeholders.
    """
    found, expected, fix = (text.format(**values) for text in texts("measured/faults.yaml")[of])
    return found, expected, fix


def faulty(of: str, *, where: str = "", file: Path | str = "", **values: object) -> FaultyInput:
    """Return the error for an entry of `measured/faults.yaml`, ready to be raised.

    Args:
        of: Name of the mistake.
        where: Its place in the file.
        file: The file; not needed within `faults_in`.
        **values: Values of the placeholders.
    """
    return fault(*said(of, **values), where=where, file=file)


class Mistakes(list[Fault]):
    """Mistakes in one file, collected while it is read; `dataset_card.storage.faults.require` raises them.

    Args:
        file: The file's name or path; not needed within `faults_in`.
    """

    def __init__(self, file: Path | str = ""):
        super().__init__()
        self.file = str(file)

    def add(self, where: str, of: str, **values: object) -> None:
        """Add an entry of `measured/faults.yaml`, as `said` does, at a place in the file."""
        self.append(Fault(self.file, where, *said(of, **values)))
