"""What several releases hold together, from what each holds: the figures of a corpus's manifest and card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import reduce

from dataset_card.errors import MagBridgeError


def combine(summaries: Iterable[dict], same_cells: bool = True) -> dict:
    """Add the summaries of `bridge.release.manifest.summarise` of several seeds: rows add, ranges widen.

    Args:
        summaries: Of the seeds, or of shards.
        same_cells: Whether every seed has the same cells, which then count once.

    Raises:
        MagBridgeError: The seeds have different cells where they should not.
    """
    fixed = ("cells", "batteries") if same_cells else ()
    return reduce(lambda one, other: {k: _add(k, one.get(k), other.get(k), fixed) for k in one | other}, summaries)


def _add(name: str, one, other, fixed: tuple[str, ...]):
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, dict):
        return {k: _add(k, one.get(k), other.get(k), fixed) for k in one | other}
    if isinstance(one, list):
        return [min(one[0], other[0]), max(one[1], other[1])]
    if name in fixed:
        if one != other:
            raise MagBridgeError(
                f"{name}: {one} in one release, {other} in another; expected the same cells in every seed"
            )
        return one
    return one + other


def combined_digest(digests: dict[int, str]) -> str:
    """SHA-256 over the digests of releases, by master seed."""
    lines = "".join(f"{digest}  {seed}\n" for seed, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def combined_files_digest(files: dict[str, dict]) -> str:
    """SHA-256 over the checksums of data files, as `dataset_card.storage.digests.files_digest` takes it of a folder."""
    lines = "".join(f"{file['sha256']}  {path}\n" for path, file in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
