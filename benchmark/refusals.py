"""The benchmark's longer refusals: their words stand in `refusals.yaml`, a table that can be read as text."""

from functools import partial

from dataset_card.storage.documents import packaged, worded

words = partial(packaged, "benchmark", "refusals.yaml")
"""The refusals by name, with places for values."""

refused = partial(worded, "benchmark", "refusals.yaml")
"""The error of this name, with its values filled in."""
