"""Resolve an upstream choice: the files that it needs, and where to look for them."""

from collections.abc import Sequence
from pathlib import Path

from bridge.config import BRIDGE_VERSION
from bridge.errors import refusal
from bridge.upstream import files, published, simulated
from bridge.v1.inputs import Upstream
from bridge.v1.latent_space import AngleScaler
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import sha256_of

CHOICES = ("auto", "published", "osf", "simulated")


def resolve(choice: str = "auto", upstream_dir: Path | str | None = None, fetch: bool = True) -> Upstream:
    """Find the inputs of v1.

    Published files are looked for in `upstream_dir` (by default `$MAGBRIDGE_UPSTREAM`), then in the cache, and are
    downloaded only if they are in neither. Each file is checked against its SHA-256.

    Args:
        choice: `published` and `simulated` are strict; `osf` is `published` with the raw scans in the user's own
            `magbridge/osf_sequences.npz`; `auto` is `published` if its files are available, else `simulated`.
        upstream_dir: Folder of published files, laid out as `magbridge/` and `pulsebat/`.
        fetch: Whether missing files may be downloaded.

    Raises:
        MagBridgeError: If the choice is unknown, or if a file is missing, damaged or has unexpected contents.
    """
    folder = None if upstream_dir is None else Path(upstream_dir)
    paths = files_of_choice(choice, folder, fetch)
    if paths is None:
        return simulated.simulated_upstream()
    return _published(paths, raw_scans=choice == "osf", upstream_dir=folder)


def files_of_choice(
    choice: str, upstream_dir: Path | None, fetch: bool, wanted: Sequence[files.UpstreamFile] | None = None
) -> dict[str, Path] | None:
    """Return the paths of the published files that a choice needs (see `locate`), or None for the simulation.

    Raises:
        MagBridgeError: If the choice is unknown, or if a file is missing or damaged.
    """
    if choice not in CHOICES:
        raise MagBridgeError(f"upstream {choice!r}: expected one of {', '.join(CHOICES)}")
    if choice == "simulated":
        return None
    try:
        return locate(upstream_dir, fetch, wanted)
    except FileNotFoundError as error:
        if choice == "auto":
            return None
        raise MagBridgeError(str(error)) from error


def locate(
    upstream_dir: Path | None = None, fetch: bool = True, wanted: Sequence[files.UpstreamFile] | None = None
) -> dict[str, Path]:
    """Return the paths of published files by name, downloading missing files.

    Args:
        upstream_dir: Folder of published files; `$MAGBRIDGE_UPSTREAM` by default.
        fetch: Whether missing files may be downloaded.
        wanted: The files to locate; those of v1 by default.

    Raises:
        MagBridgeError: If a file is damaged.
        FileNotFoundError: If a file is missing and could not be downloaded; the error names it and how to get it.
    """
    wanted = files.PUBLISHED if wanted is None else wanted
    at_hand = {file.path: files.find(file, upstream_dir) for file in wanted}
    found = {name: path for name, path in at_hand.items() if path is not None}
    for file in wanted:
        if file.path in found:
            continue
        reason = "downloading is disabled"
        if fetch:
            try:
                found[file.path] = files.fetch(file)
                continue
            except MagBridgeError as error:
                reason = str(error)
        missing = ", ".join(file.path for file in wanted if file.path not in found)
        said = refusal("no_upstream", missing=missing, reason=reason, variable=files.ENVIRONMENT_VARIABLE)
        raise FileNotFoundError(str(said))
    return found


def _published(paths: dict[str, Path], raw_scans: bool, upstream_dir: Path | None) -> Upstream:
    statistics = published.read_anchor_statistics(paths[files.ANCHOR_STATISTICS.path])
    sources = {file.path: file.sha256 for file in files.PUBLISHED}
    if raw_scans:
        path = osf_path(upstream_dir)
        scans = published.read_osf_scans(path, statistics)
        sources[files.OSF_SCANS] = sha256_of(path)
    else:
        scans = published.surrogate_scans(statistics)
    return Upstream(
        name="osf" if raw_scans else "published",
        statistics=statistics,
        scans=scans,
        embeddings=published.read_embeddings(paths[files.EMBEDDINGS.path]),
        angle_scaler=AngleScaler.from_trajectories(statistics.mean, statistics.std),
        latent=published.read_latent_space(paths[files.LATENT_SPACE.path]),
        pulses=published.read_pulse_table(paths[files.PULSE_TABLE.path]),
        bridge_version=BRIDGE_VERSION,
        sources=sources,
    )


def osf_path(upstream_dir: Path | None) -> Path:
    """Return the path of the raw scans that the user provides.

    Raises:
        MagBridgeError: If there is no such file; the error says how to get it.
    """
    path = files.osf_scans(upstream_dir)
    if path is not None:
        return path
    raise refusal("no_raw_scans", file=files.OSF_SCANS, variable=files.ENVIRONMENT_VARIABLE)
