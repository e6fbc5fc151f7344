"""Specification of a corpus, written before any of its rows exist, and its shards as ranges of master seeds."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass

from bridge.corpus.storage import Folder
from bridge.generate import CONFIGS, ReleaseConfig, ReleaseInputs, edition_of_upstream
from bridge.plan import COMPOSITIONS, AnyComposition, as_tuples, composition_of
from bridge.release.folder import package_versions
from bridge.v2 import ScanMap
from bridge.v3.release import InputsV3
from dataset_card.cards.corpus import DTYPES
from dataset_card.contract.editions import Edition, edition_of
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import canonical_json

SPECIFICATION = "corpus.json"
FORMAT = 1

SHARD_ROWS = 48_000
"""Rows of a shard, at least those of one seed: 200 MB in float64, 90 MB in float32; one seed's rows are in memory."""

MAX_SHARDS = 100_000
"""Five thousand million rows: a specification that claims more is damaged, and would never be finished."""

SEED_LIMIT = 2**63
"""The column is a signed 64-bit integer."""


@dataclass(frozen=True)
class Specification:
    """Everything that the bytes of a corpus depend on.

    Attributes:
        format: Version of the folder's layout.
        bridge_version: Version written into every row; it determines the edition.
        config: The bridge's parameters.
        upstream: Name of the upstream, and SHA-256 of the files read from it.
        scan_map: SHA-256 of v2's fitted map, which is in the folder; None in v1.
        composition: Rows of each kind in one release.
        first_seed: Master seed of the first release.
        seeds: Number of releases.
        seeds_per_shard: Releases in one shard; the last may have fewer.
        rows_per_seed: Rows of one release.
        dtype: Type of signals, time and pulse voltages.
        packages: Versions of packages that could change a digit.
    """

    format: int
    bridge_version: str
    config: dict
    upstream: dict
    scan_map: str | None
    composition: dict
    first_seed: int
    seeds: int
    seeds_per_shard: int
    rows_per_seed: int
    dtype: str
    packages: dict[str, str]

    @property
    def edition(self) -> Edition:
        """Edition of the rows."""
        return edition_of(self.bridge_version)

    @property
    def bridge_config(self) -> ReleaseConfig:
        """The bridge's parameters, in the form that it takes."""
        return CONFIGS[self.edition].of(self.config)

    @property
    def counts(self) -> AnyComposition:
        """Rows of each kind in one release."""
        return type(COMPOSITIONS[self.edition])(**as_tuples(self.composition))

    @property
    def rows(self) -> int:
        """Rows of the corpus."""
        return self.seeds * self.rows_per_seed

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.seeds // self.seeds_per_shard)

    def seeds_of(self, shard: int) -> range:
        """Return the master seeds of a shard."""
        first = shard * self.seeds_per_shard
        return range(self.first_seed + first, self.first_seed + min(first + self.seeds_per_shard, self.seeds))

    def hash(self) -> str:
        """Return the SHA-256 of the specification, which shards name to show that they belong to it."""
        return hashlib.sha256(canonical_json(vars(self)).encode()).hexdigest()


def specify(
    upstream: ReleaseInputs,
    rows: int,
    *,
    config: ReleaseConfig | None = None,
    first_seed: int = MASTER_SEED,
    dtype: str = "float64",
    shard_rows: int = SHARD_ROWS,
    scan_map: ScanMap | None = None,
    **composition,
) -> Specification:
    """Return the specification of a corpus.

    Args:
        upstream: The bridge's inputs.
        rows: Rows wanted; rounded up to whole releases.
        config: The bridge's parameters; by default those of the published release.
        first_seed: Master seed of the first release; the others follow consecutively.
        dtype: `float64` or `float32`, for signals, time and pulse voltages.
        shard_rows: Rows of a shard, rounded down to whole releases.
        scan_map: v2's fitted map.
        **composition: Entries that differ from the published release's, as `bridge.release.folder.build` takes them.

    Raises:
        MagBridgeError: If a number is out of range, or the dtype is unknown.
    """
    if rows < 1:
        raise MagBridgeError(f"rows {rows}: expected at least 1")
    if dtype not in DTYPES:
        raise MagBridgeError(f"dtype {dtype!r}: expected {' or '.join(DTYPES)}")
    edition = edition_of_upstream(upstream)
    counts = composition_of(edition, **composition)
    per_seed = counts.rows(0 if isinstance(upstream, InputsV3) else len(upstream.pulses))
    seeds = math.ceil(rows / per_seed)
    if not 0 <= first_seed <= SEED_LIMIT - seeds:
        raise MagBridgeError(f"seed {first_seed}: expected 0 to {SEED_LIMIT - seeds}, the first of {seeds} seeds")
    return Specification(
        format=FORMAT,
        bridge_version=upstream.bridge_version,
        config=dataclasses.asdict(config or CONFIGS[edition]()),
        upstream={"name": upstream.name, "sources": upstream.sources},
        scan_map=None if scan_map is None else scan_map.sha256,
        composition={k: list(v) if isinstance(v, tuple) else v for k, v in vars(counts).items()},
        first_seed=first_seed,
        seeds=seeds,
        seeds_per_shard=max(1, shard_rows // per_seed),
        rows_per_seed=per_seed,
        dtype=dtype,
        packages=package_versions(),
    )


def read_specification(out: Folder) -> Specification | None:
    """Return the specification of a planned corpus, or None if none is planned.

    Raises:
        MagBridgeError: If the file is damaged, or has a later layout.
    """
    document = out.read_json(SPECIFICATION)
    if document is None:
        return None
    try:
        specification = Specification(**document)
        if specification.format != FORMAT:
            raise ValueError(f"format is {specification.format}, expected {FORMAT}")
        counts = [document[name] for name in ("seeds", "seeds_per_shard", "rows_per_seed")]
        if not all(type(number) is int and number > 0 for number in (specification.first_seed + 1, *counts)):
            raise ValueError("a number of seeds or rows is not a positive integer")
        if specification.shards > MAX_SHARDS or specification.first_seed + specification.seeds > SEED_LIMIT:
            raise ValueError(f"{specification.seeds} seeds in {specification.shards} shards")
        if specification.dtype not in DTYPES:
            raise ValueError(f"dtype {specification.dtype!r}")
        specification.bridge_config, specification.counts  # noqa: B018  (raise if entries are missing or wrong)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise MagBridgeError(
            f"{out.url}/{SPECIFICATION}: not a valid specification of a corpus ({error}); choose another folder"
        ) from error
    return specification


def require_same(out: Folder, found: Specification, asked: Specification) -> None:
    """Raise unless the folder's specification is the requested one.

    Raises:
        MagBridgeError: If an entry differs; names the first.
    """
    for name, value in vars(asked).items():
        there = vars(found)[name]
        if canonical_json(value) != canonical_json(there):
            raise MagBridgeError(
                f"{out.url} is another corpus: its {name} is {there!r}, but {value!r} was requested; choose another "
                "folder, or run the command that began it"
            )
