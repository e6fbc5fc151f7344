"""Which upstream is used: the choice, the files it needs, and where they are looked for."""

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
    """Find the bridge's inputs.

    Published files are looked for in `upstream_dir`, else `$MAGBRIDGE_UPSTREAM`, then in the cache, and
    fetched last; every one is checked against its SHA-256.

    Args:
        choice: `published` and `simulated` are strict; `osf` is `published` with the raw scans of the user's own
            `magbridge/osf_sequences.npz`; `auto` is `published` where its files can be had, else `simulated`.
        upstream_dir: Folder of published files, laid out as `magbridge/` and `pulsebat/`.
        fetch: Whether missing files may be downloaded.

    Raises:
        MagBridgeError: Unknown choice, a file is missing or damaged, or its contents are not as expected.
    """
    folder = None if upstream_dir is None else Path(upstream_dir)
    paths = files_of_choice(choice, folder, fetch)
    if paths is None:
        return simulated.simulated_upstream()
    return _published(paths, raw_scans=choice == "osf", upstream_dir=folder)


def files_of_choice(
    choice: str, upstream_dir: Path | None, fetch: bool, wanted: Sequence[files.UpstreamFile] | None = None
) -> dict[str, Path] | None:
    """Paths of the published files that a choice needs (see `locate`); None where it takes the simulation.

    Raises:
        MagBridgeError: Unknown choice, or a file is missing or damaged.
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
    """Paths of published files by name, all that v1 needs by default, fetching what is missing.

    Raises:
        MagBridgeError: A file is damaged.
        FileNotFoundError: A file is missing and could not be fetched; says what and how to get it.
    """
    wanted = files.PUBLISHED if wanted is None else wanted
    at_hand = {file.path: files.find(file, upstream_dir) for file in wanted}
    found = {name: path for name, path in at_hand.items() if path is not None}
    for file in wanted:
        if file.path in found:
            continue
        reason = "downloading was not asked for"
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
    """Path of the raw scans that a user brings.

    Raises:
        MagBridgeError: They are not at hand; says how to get them.
    """
    path = files.osf_scans(upstream_dir)
    if path is not None:
        return path
    raise refusal("no_raw_scans", file=files.OSF_SCANS, variable=files.ENVIRONMENT_VARIABLE)
