"""Error messages by name, with placeholders for values."""

from functools import partial

from dataset_card.storage.documents import packaged, worded

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
