"""Access to the public data sets: those shipped with the package, and those downloaded once into the user's folder."""

import functools
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import packaged


def packaged_document(name: str) -> Any:
    """Load a YAML or JSON document from the package's data; copy it before changing it."""
    return packaged("hqvqvae", f"data/{name}")


@functools.cache
def packaged_table(name: str) -> pd.DataFrame:
    """Load a Parquet table from the package's data; copy it before changing it."""
    with resources.as_file(resources.files("hqvqvae") / "data" / name) as path:
        return pd.read_parquet(path)


def require_published(what: str, pinned: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raise MagBridgeError unless all pinned digests match.

    Args:
        what: Name of the data in the message.
        pinned: SHA-256 of each part, by name.
        found: The same for the data that were read.

    Raises:
        MagBridgeError: If parts are missing or changed; the message counts them.
    """
    missing = [name for name in pinned if name not in found]
    changed = [name for name in found if found[name] != pinned.get(name)]
    if missing or changed:
        kinds = {"missing": missing, "changed": changed}
        shown = "; ".join(f"{len(names)} {kind}, the first {names[0]}" for kind, names in kinds.items() if names)
        raise MagBridgeError(f"{what} are not the {len(pinned)} published ones: {shown}; delete and fetch them again")


def download(url: str, name: str, folder: str | Path) -> Path:
    """Download a file unless the folder already has it.

    Args:
        url: address of the file.
        name: name of the file in the folder.
        folder: folder to keep it in.

    Returns:
        Its path. The content is not checked here: the archives have no published checksum.

    Raises:
        MagBridgeError: If it cannot be downloaded.
    """
    import pooch
    import requests

    try:
        downloader = pooch.HTTPDownloader(timeout=20)
        return Path(pooch.retrieve(url, known_hash=None, fname=name, path=folder, downloader=downloader))
    except requests.RequestException as error:
        raise MagBridgeError(f"{url} cannot be fetched ({error}); download it by hand and pass its path") from error
