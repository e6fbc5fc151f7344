"""The bridge that made a release, from what the release carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.release.folder import SCAN_MAP
from bridge.v2 import BridgeV2, BridgeV2Config, ScanMap
from dataset_card.contract.editions import V2, edition_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.reading import read_manifest


def bridge_of(release: Path) -> BridgeV2:
    """The bridge of a v2 release: its map, configuration and master seed.

    Raises:
        MagBridgeError: No v2 release, or its map or configuration is damaged.
    """
    release = Path(release)
    manifest = read_manifest(release)
    version = str(manifest.get("bridge_version"))
    if edition_of(version) is not V2:
        raise MagBridgeError(
            f"{release} is of bridge {version}: expected a v2 release, whose folder carries its bridge; "
            "build one with `python -m bridge build --bridge v2`"
        )
    path = release / SCAN_MAP
    if not path.is_file():
        raise MagBridgeError(
            f"{path} is missing: expected the map of a v2 release; restore it or build the release again"
        )
    try:
        # JSON has lists where the configuration has tuples.
        entries: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in manifest["config"].items()}
        config = BridgeV2Config(**entries)
    except (KeyError, AttributeError, TypeError) as error:
        raise MagBridgeError(f"{release}: its manifest has no configuration of v2 ({error}); restore it") from error
    if config.hash() != manifest.get("bridge_config_hash"):
        raise MagBridgeError(
            f"{release}: the configuration's hash is {config.hash()}, the manifest says "
            f"{manifest.get('bridge_config_hash')}; restore it"
        )
    return BridgeV2(None, config, ScanMap.load(path), int(manifest["master_seed"]))
