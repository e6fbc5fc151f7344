"""Captions and table values as printed in the paper, "HQ-VQVAE for Unsupervised Battery Precursor Discovery".

They are the model's only measured figures that are typed in: `data/paper.yaml` and `data/paper_table_11.csv`.
"""

from importlib import resources
from typing import Any

import pandas as pd

from ..cells.download import packaged_document

DATA = resources.files("hqvqvae") / "data"


def paper() -> dict[str, Any]:
    """Load the title (`paper`), `captions` by name, and `tables` by number."""
    return packaged_document("paper.yaml")


def table(number: int) -> pd.DataFrame:
    """Load a table of the paper with columns: 1 to 3, 5, 8, 11 (interpretations of all 32 codes) or 12."""
    if number == 11:
        with resources.as_file(DATA / "paper_table_11.csv") as path:
            return pd.read_csv(path, dtype=str, keep_default_na=False)
    printed = paper()["tables"][number]
    return pd.DataFrame(printed["rows"], columns=printed["columns"])


def listing(number: int) -> dict[str, Any]:
    """Load a table of the paper with one value per name: 4, 6, 7 (our name for it, and the value), 9 or 10."""
    return paper()["tables"][number]
