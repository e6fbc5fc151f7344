"""One door for the public data sets: what ships with the package, and what is fetched once into the user's folder."""

import functools
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import packaged


def packaged_document(name: str) -> Any:
    """A YAML or JSON document of the package's data; copy it before you change it."""
    return packaged("hqvqvae", f"data/{name}")


@functools.cache
def packaged_table(name: str) -> pd.DataFrame:
    """A Parquet table of the package's data; copy it before you change it."""
    with resources.as_file(resources.files("hqvqvae") / "data" / name) as path:
        return pd.read_parquet(path)


def require_published(what: str, pinned: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raise MagBridgeError unless all pinned digests were found; says how many are missing or changed."""
    missing = [name for name in pinned if name not in found]
    changed = [name for name in found if found[name] != pinned.get(name)]
    if missing or changed:
        kinds = {"missing": missing, "changed": changed}
        shown = "; ".join(f"{len(names)} {kind}, the first {names[0]}" for kind, names in kinds.items() if names)
        raise MagBridgeError(f"{what} are not the {len(pinned)} published ones: {shown}; delete and fetch them again")


def download(url: str, name: str, folder: str | Path) -> Path:
    """Fetch a file unless the folder has it.

    Args:
        url: where it is published.
        name: of the file in the folder.
        folder: where it is kept.

    Returns:
        Its path. What it holds is not checked here: the archives have no published checksum.

    Raises:
        MagBridgeError: it cannot be fetched.
    """
    import pooch
    import requests

    try:
        downloader = pooch.HTTPDownloader(timeout=20)
        return Path(pooch.retrieve(url, known_hash=None, fname=name, path=folder, downloader=downloader))
    except requests.RequestException as error:
        raise MagBridgeError(f"{url} cannot be fetched ({error}); download it by hand and pass its path") from error
