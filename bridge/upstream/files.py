"""The upstream files: where each is published, its checksum, and how to find it locally."""

import os
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import refusal
from bridge.upstream.download import DOWNLOAD_TIMEOUT_S, download
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.documents import packaged
from dataset_card.storage.files import cache_dir, replacing

ENVIRONMENT_VARIABLE = "MAGBRIDGE_UPSTREAM"

BRING_IT = "bring the file yourself and name its folder with --upstream-dir"


@dataclass(frozen=True)
class UpstreamFile:
    """A published file, pinned by checksum.

    Attributes:
        path: Path in an upstream folder.
        url: Address of the file at a pinned commit.
        sha256: Checksum.
        meaning: Contents.
        licence: Licence.
    """

    path: str
    url: str
    sha256: str
    meaning: str
    licence: str


def _published() -> list[UpstreamFile]:
    document = packaged("bridge.upstream", "published.yaml")
    return [
        UpstreamFile(f"{folder}/{Path(name).name}", source["url"] + name, licence=source["licence"], **entry)
        for folder, source in document.items()
        for name, entry in source["files"].items()
    ]


EVERY = tuple(_published())
"""The published files from which v1, v2 and the calibration of v3 are built."""

ANCHOR_STATISTICS, EMBEDDINGS, LATENT_SPACE, *PULSE_TABLES = EVERY
PULSE_TABLE = PULSE_TABLES[0]
PUBLISHED = (ANCHOR_STATISTICS, EMBEDDINGS, LATENT_SPACE, PULSE_TABLE)
"""The files from which v1 is built."""

OSF_SCANS = "magbridge/osf_sequences.npz"
"""The raw scan archive, which the user must provide: it may not be redistributed."""


def download_dir() -> Path:
    """Return the cache folder of downloads."""
    return cache_dir() / "upstream"


def local_folders(upstream_dir: Path | None = None) -> list[tuple[str, Path]]:
    """Return the folders to search, in order, each with the name that a user knows it by.

    Raises:
        MagBridgeError: If a folder that the user named does not exist.
    """
    folders = []
    if upstream_dir is not None:
        folders.append(("--upstream-dir", Path(upstream_dir)))
    elif os.environ.get(ENVIRONMENT_VARIABLE):
        folders.append((f"${ENVIRONMENT_VARIABLE}", Path(os.environ[ENVIRONMENT_VARIABLE])))
    for words, folder in folders:
        if not folder.is_dir():
            raise MagBridgeError(f"{words} is {folder}: expected an existing folder with magbridge/ and pulsebat/")
    return [*folders, ("the cache", download_dir())]


def find(file: UpstreamFile, upstream_dir: Path | None = None) -> Path | None:
    """Return the local path of a published file after checking its checksum, or None if it is missing.

    Raises:
        MagBridgeError: If the first file found with that name has another checksum.
    """
    for words, folder in local_folders(upstream_dir):
        path = folder / file.path
        if path.is_file():
            digest = sha256_of(path)
            if digest != file.sha256:
                raise refusal("damaged_file", path=path, words=words, digest=digest, sha256=file.sha256)
            return path
    return None


def fetch(file: UpstreamFile, url: str | None = None, timeout_s: float = DOWNLOAD_TIMEOUT_S) -> Path:
    """Download a published file into the cache, resuming a partial download, and check it.

    Args:
        file: The file.
        url: Another address of the same bytes.
        timeout_s: Seconds without a response before giving up.

    Returns:
        Path of the file in the cache.

    Raises:
        MagBridgeError: If the host cannot be reached, responds with an error, or sends other bytes.
    """
    url, target = url or file.url, download_dir() / file.path
    if target.is_file() and sha256_of(target) == file.sha256:
        return target
    with replacing(target) as temporary:
        download(url, temporary, target.with_name(f"{target.name}.partial"), BRING_IT, timeout_s)
        if sha256_of(temporary) != file.sha256:
            raise refusal("other_bytes", url=url, sha256=file.sha256)
    return target


def status(upstream_dir: Path | None = None) -> list[dict]:
    """Report the state of every upstream file.

    Args:
        upstream_dir: Folder of published files; `$MAGBRIDGE_UPSTREAM` by default.

    Returns:
        One entry per file: `file`, `meaning`, `licence`, `state` (`ok`, `missing`, `damaged` or `unchecked`),
        `path`, `detail`.

    Raises:
        MagBridgeError: If a folder that the user named does not exist.
    """
    local_folders(upstream_dir)  # check the folder named by the user
    entries = []
    for file in EVERY:
        path, state, detail = None, "missing", f"published at {file.url}"
        try:
            found = find(file, upstream_dir)
            if found is not None:
                path, state, detail = str(found), "ok", f"SHA-256 {file.sha256}"
        except MagBridgeError as error:
            state, detail = "damaged", str(error)
        entries.append([file.path, file.meaning, file.licence, path, state, detail])
    raw = osf_scans(upstream_dir)
    about = [OSF_SCANS, "205 raw scans, optional: surrogates replace them", "not redistributable: provide your own"]
    if raw is None:
        entries.append([*about, None, "missing", "build it from the OSF archive, DOI 10.17605/OSF.IO/CW8ZV"])
    else:
        checked = "checked against the anchor statistics when used (--upstream osf)"
        entries.append([*about, str(raw), "unchecked", checked])
    return [dict(zip(("file", "meaning", "licence", "path", "state", "detail"), entry)) for entry in entries]


def osf_scans(upstream_dir: Path | None = None) -> Path | None:
    """Return the path of the raw scans that the user provides, or None if there is no such file."""
    places = (folder / OSF_SCANS for _, folder in local_folders(upstream_dir))
    return next((path for path in places if path.is_file()), None)
