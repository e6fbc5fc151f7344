"""One door for the public data sets: fetched once, kept in the user's folder, checked by the caller."""

from __future__ import annotations

from pathlib import Path

from dataset_card.errors import MagBridgeError


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
