"""What the paper prints, "HQ-VQVAE for Unsupervised Battery Precursor Discovery": captions, and its tables' values.

They are the only measured figures of the model that are typed in: `data/paper.yaml` and `data/paper_table_11.csv`.
"""

from importlib import resources
from typing import Any

import pandas as pd

from ..cells.download import packaged_document

DATA = resources.files("hqvqvae") / "data"


def paper() -> dict[str, Any]:
    """Title (`paper`), `captions` by name, and `tables` by number."""
    return packaged_document("paper.yaml")


def table(number: int) -> pd.DataFrame:
    """A table of the paper that has columns: 1 to 3, 5, 8, 11 (interpretations of all 32 codes) and 12."""
    if number == 11:
        with resources.as_file(DATA / "paper_table_11.csv") as path:
            return pd.read_csv(path, dtype=str, keep_default_na=False)
    printed = paper()["tables"][number]
    return pd.DataFrame(printed["rows"], columns=printed["columns"])


def listing(number: int) -> dict[str, Any]:
    """A table of the paper that lists one value per name: 4, 6, 7 (our name for it, and the value), 9 and 10."""
    return paper()["tables"][number]
