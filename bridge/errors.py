"""What is said where something is refused: texts by name, with gaps for values."""

from functools import partial

from dataset_card.storage.documents import packaged, worded

texts = partial(packaged, "bridge")
"""The texts of a YAML file in this folder."""

refusal = partial(worded, "bridge", "errors.yaml")
"""The error of a name in `errors.yaml`, its gaps filled with values, to be raised."""


def said(of: str, **values: object) -> tuple[str, str, str]:
    """What was found, expected and the fix, of a mistake by its name in `measured/faults.yaml`."""
    found, expected, fix = (text.format(**values) for text in texts("measured/faults.yaml")[of])
    return found, expected, fix
