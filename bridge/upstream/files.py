"""The upstream files: where each is published, its checksum, and how it is found on this machine."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from dataset_card.errors import MagBridgeError

MAGBRIDGE_URL = (
    "https://raw.githubusercontent.com/SakthiGs/MagBridge-Battery/"
    "2aead47128136606ea9a1268198c23ed245a4f90/code/bridge/data/v1.0/"
)
PULSEBAT_URL = (
    "https://raw.githubusercontent.com/terencetaothucb/Pulse-Voltage-Response-Generation/"
    "92aeb9b8a26bc337164401411271fa8eeadf605c/ProcessedData_adjustable/"
)
DOWNLOAD_TIMEOUT_S = 10.0
"""Seconds without an answer after which a host counts as unreachable."""

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


def cache_dir() -> Path:
    """Where downloads are kept: `upstream/` in the user's cache folder for this project."""
    import pooch

    return Path(os.environ.get("MAGBRIDGE_CACHE") or pooch.os_cache("magbridge-battery")) / "upstream"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    return [*folders, ("the cache", cache_dir())]


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
    """Downloads a published file into the cache, resuming a partial download, and checks it.

    Args:
        file: The file.
        url: Another address of the same bytes.
        timeout_s: Seconds without an answer before giving up.

    Returns:
        Its path in the cache.

    Raises:
        MagBridgeError: The host cannot be reached, answers with an error, or sends other bytes.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    target = cache_dir() / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    url = url or file.url
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{file.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=Resuming(_partial(target), BRING_IT, timeout_s),
        )
    except MagBridgeError:
        raise
    except ValueError as error:  # pooch's word for a checksum that does not match
        _partial(target).unlink(missing_ok=True)
        raise MagBridgeError(
            f"{url} does not have the SHA-256 {file.sha256} that this release is pinned to: the "
            "file was truncated on its way or is another version; try again"
        ) from error
    return target


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


class Resuming:
    """A pooch downloader that keeps what arrived of an interrupted download and asks for the rest.

    Args:
        partial: Where what arrived is kept.
        otherwise: What a user without network can do, for the error.
        timeout_s: Seconds without an answer before giving up.
    """

    def __init__(self, partial: Path, otherwise: str, timeout_s: float = DOWNLOAD_TIMEOUT_S):
        self.partial = partial
        self.otherwise = otherwise
        self.timeout_s = timeout_s

    def __call__(self, url: str, output_file, pooch_object, check_only: bool = False) -> None:
        import shutil

        import requests

        partial = self.partial
        have = partial.stat().st_size if partial.exists() else 0
        try:
            headers = {"Range": f"bytes={have}-"} if have else {}
            with requests.get(url, stream=True, timeout=self.timeout_s, headers=headers) as response:
                if response.status_code != 416:  # 416: nothing is left to send
                    response.raise_for_status()
                    self._save(response, partial, have if response.status_code == 206 else 0)
        except requests.HTTPError as error:
            raise MagBridgeError(
                f"{url} answered {error.response.status_code} {error.response.reason}: expected the "
                f"file; {self.otherwise}"
            ) from error
        except requests.RequestException as error:
            raise MagBridgeError(
                f"{url} could not be downloaded ({_cause(error)}); what arrived is kept and the next try "
                f"resumes; without network, {self.otherwise}"
            ) from error
        shutil.copyfile(partial, output_file)
        partial.unlink()

    @staticmethod
    def _save(response, partial: Path, have: int) -> None:
        from tqdm import tqdm

        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with (
            open(partial, "ab" if have else "wb") as out,
            tqdm(
                total=total, initial=have, unit="B", unit_scale=True, desc=partial.stem, disable=not sys.stderr.isatty()
            ) as bar,
        ):
            for chunk in response.iter_content(1 << 16):
                out.write(chunk)
                bar.update(len(chunk))


def _cause(error: Exception) -> str:
    """The innermost reason, without the library's wrapping."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
