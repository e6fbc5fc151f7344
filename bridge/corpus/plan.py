"""What a corpus is, before a row of it exists: its specification, and its shards as ranges of master seeds."""

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
MAX_SHARDS = 100_000
"""Five thousand million rows: a specification that claims more is damaged, and would be waited for in vain."""

"""Rows of a shard, at least one seed's: 200 MB in float64, 90 in float32, of which one seed's rows are in memory."""

SEED_LIMIT = 2**63
"""The column holds 64 bits with a sign."""


@dataclass(frozen=True)
class Specification:
    """Everything that the bytes of a corpus depend on.

    Attributes:
        format: Version of the folder's layout.
        bridge_version: Version written into every row; it decides the edition.
        config: The bridge's numbers.
        upstream: Name of the upstream, and SHA-256 of what was read of it.
        scan_map: SHA-256 of v2's fitted map, which lies in the folder; None in v1.
        composition: Rows of each kind in one release.
        first_seed: Master seed of the first release.
        seeds: Number of releases.
        seeds_per_shard: Releases in one shard, fewer in the last.
        rows_per_seed: Rows of one release.
        dtype: Of signals, time and pulse voltages.
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
        """The edition of its rows."""
        return edition_of(self.bridge_version)

    @property
    def bridge_config(self) -> ReleaseConfig:
        """The bridge's numbers, as its bridge takes them."""
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
        """Master seeds of a shard."""
        first = shard * self.seeds_per_shard
        return range(self.first_seed + first, self.first_seed + min(first + self.seeds_per_shard, self.seeds))

    def hash(self) -> str:
        """SHA-256 of the specification: shards of another one are not this corpus's."""
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
    """The specification of a corpus.

    Args:
        upstream: The bridge's inputs.
        rows: Rows wanted; made up to whole releases.
        config: The bridge's numbers; those of the published release by default.
        first_seed: Master seed of the first release; the others follow it one by one.
        dtype: `float64` or `float32`, of signals, time and pulse voltages.
        shard_rows: Rows of a shard, made down to whole releases.
        scan_map: v2's fitted map.
        **composition: Entries that differ from the published release's, as `bridge.release.folder.build` takes them.

    Raises:
        MagBridgeError: A number is out of range, or the dtype unknown.
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
        raise MagBridgeError(f"seed {first_seed}: expected 0 to {SEED_LIMIT - seeds}, with {seeds} seeds from it on")
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
    """The specification of a planned corpus; None where there is none.

    Raises:
        MagBridgeError: The file is damaged, or of a later layout.
    """
    document = out.read_json(SPECIFICATION)
    if document is None:
        return None
    try:
        specification = Specification(**document)
        if specification.format != FORMAT:
            raise ValueError(f"format {specification.format}, this version knows {FORMAT}")
        counts = [document[name] for name in ("seeds", "seeds_per_shard", "rows_per_seed")]
        if not all(type(number) is int and number > 0 for number in (specification.first_seed + 1, *counts)):
            raise ValueError("a number of seeds or rows is no positive integer")
        if specification.shards > MAX_SHARDS or specification.first_seed + specification.seeds > SEED_LIMIT:
            raise ValueError(f"{specification.seeds} seeds in {specification.shards} shards")
        if specification.dtype not in DTYPES:
            raise ValueError(f"dtype {specification.dtype!r}")
        specification.bridge_config, specification.counts  # noqa: B018  (raise where entries are missing or wrong)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise MagBridgeError(
            f"{out.url}/{SPECIFICATION}: not the specification of a corpus ({error}); choose another folder"
        ) from error
    return specification


def require_same(out: Folder, found: Specification, asked: Specification) -> None:
    """Refuse another specification than that of the folder.

    Raises:
        MagBridgeError: Names the first entry that differs.
    """
    for name, value in vars(asked).items():
        there = vars(found)[name]
        if canonical_json(value) != canonical_json(there):
            raise MagBridgeError(
                f"{out.url} holds another corpus: {name} is {there!r} there, {value!r} was asked for; choose "
                "another folder, or run the command that began it"
            )
