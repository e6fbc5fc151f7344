"""The upstream files: where each is published, its checksum, and how it is found on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bridge.upstream.download import DOWNLOAD_TIMEOUT_S, download
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.files import cache_dir, replacing

MAGBRIDGE_URL = (
    "https://raw.githubusercontent.com/SakthiGs/MagBridge-Battery/"
    "2aead47128136606ea9a1268198c23ed245a4f90/code/bridge/data/v1.0/"
)
PULSEBAT_URL = (
    "https://raw.githubusercontent.com/terencetaothucb/Pulse-Voltage-Response-Generation/"
    "92aeb9b8a26bc337164401411271fa8eeadf605c/ProcessedData_adjustable/"
)
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


ANCHOR_STATISTICS = UpstreamFile(
    "magbridge/anchor_stats.npz",
    MAGBRIDGE_URL + "anchor_stats.npz",
    "0d26ab5a4030bc65450a36f7f7e62f8ffdb29290e2c8afd9192e2159219604a6",
    "mean and std trajectories at the five anchors",
    "Apache-2.0",
)
EMBEDDINGS = UpstreamFile(
    "magbridge/qrec_embeddings.npz",
    MAGBRIDGE_URL + "qrec_embeddings.npz",
    "4e294e306720fd01c7346bd3835a07ad7558660bb88f551851ccb935dcf32250",
    "reservoir embeddings of the 205 scans",
    "Apache-2.0",
)
LATENT_SPACE = UpstreamFile(
    "magbridge/lda_fit.npz",
    MAGBRIDGE_URL + "lda_fit.npz",
    "bf9f683f4e2d7d1ae3d22f4924cc436ecdb71b712a8828aa46bbe66647efb897",
    "LDA space and state direction",
    "Apache-2.0",
)
PULSE_TABLE = UpstreamFile(
    "pulsebat/LFP_35Ah_W_5000.xlsx",
    PULSEBAT_URL + "35Ah%20LFP/LFP_35Ah_W_5000.xlsx",
    "3acc96033ba5474171ff8ddd0eef159e37e10034473e33814fd8aa398e4d7538",
    "PulseBat LFP pulse tests: 56 cells at 10 SOC levels",
    "MIT / CC-BY-4.0",
)
PUBLISHED = (ANCHOR_STATISTICS, EMBEDDINGS, LATENT_SPACE, PULSE_TABLE)
"""What v1 is built from."""

PULSE_TABLE_LMO = UpstreamFile(
    "pulsebat/LMO_10Ah_W_5000.xlsx",
    PULSEBAT_URL + "10Ah%20LMO/LMO_10Ah_W_5000.xlsx",
    "70820b404b712a3764781e6c6dab1999ea884b0f60028b34ffe11bae1c3db9ba",
    "PulseBat LMO pulse tests: 95 cells at 10 SOC levels",
    "MIT / CC-BY-4.0",
)
PULSE_TABLE_NMC_SMALL = UpstreamFile(
    "pulsebat/NMC_2.1Ah_W_5000.xlsx",
    PULSEBAT_URL + "2.1Ah%20NMC/NMC_2.1Ah_W_5000.xlsx",
    "60822626f9ecddb77470a9d4764c90031dcce8aa3ed9d271d486ee9a35da323c",
    "PulseBat NMC 2.1 Ah pulse tests: 67 cells at 10 SOC levels",
    "MIT / CC-BY-4.0",
)
PULSE_TABLE_NMC_LARGE = UpstreamFile(
    "pulsebat/NMC_21Ah_W_5000.xlsx",
    PULSEBAT_URL + "21Ah%20NMC/NMC_21Ah_W_5000.xlsx",
    "cc826a7c5901a15075cfcc38184153f83223b3438ed92fd9b17adce34b7af5ee",
    "PulseBat NMC 21 Ah pulse tests: 52 cells at 10 SOC levels",
    "MIT / CC-BY-4.0",
)

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
                raise MagBridgeError(
                    f"{path} ({words}) has SHA-256 {digest}: expected {file.sha256}; it is damaged or another "
                    "version, remove it or fetch it again with `python -m bridge upstream --fetch`"
                )
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
            raise MagBridgeError(
                f"{url} does not have the SHA-256 {file.sha256} that this release is pinned to: the "
                "file was truncated on its way or is another version; try again"
            )
    return target


def status(upstream_dir: Path | None = None) -> list[dict]:
    """The state of every upstream file.

    Args:
        upstream_dir: Folder of published files; `$MAGBRIDGE_UPSTREAM` by default.

    Returns:
        One entry a file: `file`, `meaning`, `licence`, `state` (`ok`, `missing`, `damaged` or `unchecked`),
        `path`, `detail`.
    """
    entries = []
    for file in PUBLISHED:
        path, state, detail = None, "missing", f"published at {file.url}"
        try:
            found = find(file, upstream_dir)
            if found is not None:
                path, state, detail = str(found), "ok", f"SHA-256 {file.sha256}"
        except MagBridgeError as error:
            if not any((folder / file.path).is_file() for _, folder in local_folders(upstream_dir)):
                raise
            state, detail = "damaged", str(error)
        about = {"file": file.path, "meaning": file.meaning, "licence": file.licence}
        entries.append({**about, "path": path, "state": state, "detail": detail})
    raw = osf_scans(upstream_dir)
    state, detail = "missing", "made from the OSF archive, DOI 10.17605/OSF.IO/CW8ZV"
    if raw is not None:
        state, detail = "unchecked", "checked against the anchor statistics when used (--upstream osf)"
    about = {
        "file": OSF_SCANS,
        "meaning": "205 raw scans, optional: surrogates stand in for them",
        "licence": "none to redistribute: bring your own",
    }
    return [*entries, {**about, "path": None if raw is None else str(raw), "state": state, "detail": detail}]


def osf_scans(upstream_dir: Path | None = None) -> Path | None:
    """Path of the raw scans that a user brings; None where there are none."""
    places = (folder / OSF_SCANS for _, folder in local_folders(upstream_dir))
    return next((path for path in places if path.is_file()), None)
