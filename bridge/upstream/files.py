"""The upstream files: where each is published, its checksum, and how it is found on this machine."""

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
        url: Where it is published, at a pinned commit.
        sha256: Its checksum.
        meaning: What it holds.
        licence: Its licence.
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


ANCHOR_STATISTICS, EMBEDDINGS, LATENT_SPACE, *PULSE_TABLES = _published()
PULSE_TABLE = PULSE_TABLES[0]
PUBLISHED = (ANCHOR_STATISTICS, EMBEDDINGS, LATENT_SPACE, PULSE_TABLE)
"""What v1 is built from."""

OSF_SCANS = "magbridge/osf_sequences.npz"
"""The raw scan archive, which a user brings: it may not be redistributed."""


def download_dir() -> Path:
    """Where downloads are kept."""
    return cache_dir() / "upstream"


def local_folders(upstream_dir: Path | None = None) -> list[tuple[str, Path]]:
    """Folders to look in, in order, each with the words that tell a user which one it is.

    Raises:
        MagBridgeError: A folder that the user named does not exist.
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
    """Path of a published file on this machine, checked against its checksum; None where there is none.

    Raises:
        MagBridgeError: The first file found of that name has another checksum.
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
        timeout_s: Seconds without an answer before giving up.

    Returns:
        Its path in the cache.

    Raises:
        MagBridgeError: The host cannot be reached, answers with an error, or sends other bytes.
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
    """The state of every upstream file.

    Args:
        upstream_dir: Folder of published files; `$MAGBRIDGE_UPSTREAM` by default.

    Returns:
        One entry a file: `file`, `meaning`, `licence`, `state` (`ok`, `missing`, `damaged` or `unchecked`),
        `path`, `detail`.
    """
    local_folders(upstream_dir)  # one that the user named is there
    entries = []
    for file in PUBLISHED:
        path, state, detail = None, "missing", f"published at {file.url}"
        try:
            found = find(file, upstream_dir)
            if found is not None:
                path, state, detail = str(found), "ok", f"SHA-256 {file.sha256}"
        except MagBridgeError as error:
            state, detail = "damaged", str(error)
        entries.append([file.path, file.meaning, file.licence, path, state, detail])
    raw = osf_scans(upstream_dir)
    about = [OSF_SCANS, "205 raw scans, optional: surrogates stand in for them", "none to redistribute: bring your own"]
    if raw is None:
        entries.append([*about, None, "missing", "made from the OSF archive, DOI 10.17605/OSF.IO/CW8ZV"])
    else:
        checked = "checked against the anchor statistics when used (--upstream osf)"
        entries.append([*about, str(raw), "unchecked", checked])
    return [dict(zip(("file", "meaning", "licence", "path", "state", "detail"), entry)) for entry in entries]


def osf_scans(upstream_dir: Path | None = None) -> Path | None:
    """Path of the raw scans that a user brings; None where there are none."""
    places = (folder / OSF_SCANS for _, folder in local_folders(upstream_dir))
    return next((path for path in places if path.is_file()), None)
