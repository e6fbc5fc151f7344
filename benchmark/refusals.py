"""The benchmark's longer error messages, kept in `refusals.yaml`, where they can be read as text."""

from functools import partial

from dataset_card.storage.documents import packaged, worded

words = partial(packaged, "benchmark", "refusals.yaml")
"""Load the messages by name, with placeholders for values."""

refused = partial(worded, "benchmark", "refusals.yaml")
"""Make the error with this name and these values."""
