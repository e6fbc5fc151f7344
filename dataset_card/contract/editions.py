"""The datasets that this project publishes, and releases of measured cells: how their formats differ."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dataset_card.contract import physics
from dataset_card.contract.configs import CONFIGS, MEASURED_CONFIGS, V2_CONFIGS, V3_CONFIGS, Config
from dataset_card.contract.field import Field, select
from dataset_card.contract.schema import CHANNELS, SCHEMA_V1, SCHEMA_V2, V3_VERSION, fields_of
from dataset_card.errors import MagBridgeError


@dataclass(frozen=True)
class Edition:
    """One dataset.

    Attributes:
        bridge: Name of its bridge, the first part of its rows' `bridge_version`.
        name: Name of its release folder and of its repository on the Hub.
        version: Version of the published release.
        schema_version: Version of the contract that its rows follow.
        configs: Its configurations.
        in_groups: Whether each group of rows, such as a chemistry, has its own files.
        origin: Column that determines the folder of `data/` in which a row is stored.
        channels: Signal columns.
        same_cells: Whether every master seed has the same cells; in v3, each seed has different ones.
    """

    bridge: str
    name: str
    version: str
    schema_version: str
    configs: tuple[Config, ...]
    in_groups: bool = False
    origin: str = "anomaly_origin"
    channels: tuple[str, ...] = CHANNELS
    same_cells: bool = True

    @property
    def fields(self) -> tuple[Field, ...]:
        """Columns of its rows."""
        return fields_of(self.schema_version)

    def columns_named(self, names: Iterable[str]) -> tuple[Field, ...]:
        """Return the columns with the given names, in that order."""
        return select(self.fields, names)

    def columns_of(self, config: Config) -> tuple[Field, ...]:
        """Return the columns of a configuration, with the task's label restricted to the task's classes."""
        columns = self.columns_named(config.columns)
        if not config.labels:
            return columns
        return tuple(
            replace(f, values=config.labels) if set(config.labels) <= {*(f.values or ())} else f for f in columns
        )

    def patterns(self, config: Config) -> dict[str, list[str]]:
        """Return the globs of each split of a configuration, relative to the release folder."""
        return config.patterns(self.in_groups)

    def config(self, name: str) -> Config:
        """Return the configuration with this name.

        Raises:
            MagBridgeError: If the edition has no such configuration.
        """
        for config in self.configs:
            if config.name == name:
                return config
        raise MagBridgeError(f"configuration {name!r}: expected one of {', '.join(c.name for c in self.configs)}")


V1 = Edition("v1", "magbridge-battery", "1.0.0", SCHEMA_V1, CONFIGS)
V2 = Edition("v2", "magbridge-battery-v2", "2.1.0", SCHEMA_V2, V2_CONFIGS, in_groups=True)
V3 = Edition(
    "v3",
    "magbridge-battery-v3",
    "3.0.0",
    V3_VERSION,
    V3_CONFIGS,
    in_groups=True,
    origin="soc_knowledge",
    channels=physics.CHANNELS,
    same_cells=False,
)

MEASURED = Edition("measured", "measured-cells", "1.0.0", SCHEMA_V2, MEASURED_CONFIGS)
"""Scans of a laboratory's own cells, made without a bridge. Such a release is named after its folder."""

EDITIONS = {edition.bridge: edition for edition in (V1, V2, V3, MEASURED)}
"""Editions by bridge name."""

DATASETS = {edition.name: edition for edition in (V1, V2, V3)}
"""Editions that this project generates, by dataset name."""

OWN_CELLS = "+cells"
"""Suffix of `bridge_version` in rows whose labels come from a user's own table of cells."""


def edition_of(bridge_version: object) -> Edition:
    """Return the edition that rows of a `bridge_version` such as `v1.3` or `v2.1-hybrid` belong to.

    Raises:
        MagBridgeError: If no edition has such a bridge.
    """
    bridge = str(bridge_version).removesuffix(OWN_CELLS).partition(".")[0]
    if bridge not in EDITIONS:
        raise MagBridgeError(
            f"bridge_version {bridge_version!r}: expected one that begins with {' or '.join(EDITIONS)}"
        )
    return EDITIONS[bridge]


def has_own_cells(bridge_version: str) -> bool:
    """Return whether rows of this version describe a user's own cells, measured or generated, and not PulseBat's."""
    return str(bridge_version).endswith(OWN_CELLS) or edition_of(bridge_version) is MEASURED


PUBLISHED_DIGESTS = {
    V1.name: "29486ce6deaae8406660b1a978074d8289a01114beefede89e6c4a563315d339",
    V2.name: "2587888272878a9a70b2b6ec39d95552e1d489bd203ef94e50e1bbd59de63050",
    V3.name: "72a68f166552236577ade95ceb99134025135fda7241c560676965d871d045c6",
}
"""Digests of the releases whose results the boards rank."""


def unpublished(digest: str | None, bridge_version: object, seed: int | None) -> str | None:
    """Describe a release that is not a published one, and say why it does not rank.

    Args:
        digest: Digest of its rows; None if unknown, in which case only simulated rows are recognised as unpublished.
        bridge_version: `bridge_version` of its rows.
        seed: Its master seed, if known.

    Returns:
        One line of text; None for a published release.
    """
    version = str(bridge_version)
    if digest in PUBLISHED_DIGESTS.values() or (digest is None and "simulated" not in version):
        return None
    kind = "simulated" if "simulated" in version else "not a published one"
    reads_files = "simulated" in version and not version.startswith(V3.bridge)
    fetch = "; `python -m bridge upstream --fetch` downloads the files for a published release" if reads_files else ""
    of_seed, rows = "" if seed is None else f", seed {seed}", (digest or "in memory")[:12]
    return (
        f"this release is {kind} ({version}{of_seed}, dataset {rows}): its scores can be compared with each other, but "
        f"not with the published boards, which rank other rows{fetch}"
    )
