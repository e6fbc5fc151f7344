"""Rows of a v3 release as one table in the contract's format, with opaque names and an uninformative order."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field

import pyarrow as pa

from bridge.identity import sample_seed
from bridge.v3.cells import Request, requests
from bridge.v3.config import BRIDGE_VERSION, CHEMISTRIES, KNOWLEDGE, STACKS, PhysicsConfig
from bridge.v3.design import PRESETS, PouchCell
from bridge.v3.generate import generate
from bridge.v3.operators import Operators
from bridge.v3.state import Mesh
from dataset_card.contract.editions import V3
from dataset_card.contract.field import arrow_schema_of
from dataset_card.contract.physics import PLACED
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.storage.digests import sha256_of


@dataclass(frozen=True)
class InputsV3:
    """The inputs of v3: the presets of its cells, which are next to this file.

    Attributes:
        name: Kind of upstream, as stated in a manifest.
        sources: SHA-256 of the presets.
        bridge_version: Version written into every row.
    """

    name: str = "physics"
    sources: dict[str, str] = field(default_factory=lambda: {PRESETS.name: sha256_of(PRESETS)})
    bridge_version: str = BRIDGE_VERSION


@dataclass(frozen=True)
class BridgeV3:
    """The rows of one master seed.

    Attributes:
        config: Parameters of what is drawn and measured.
        master_seed: Seed of cells, mountings and noise.

    Examples:
        >>> BridgeV3().table(virtual_cells=4).num_rows
        16
    """

    config: PhysicsConfig = field(default_factory=PhysicsConfig)
    master_seed: int = MASTER_SEED

    def table(self, virtual_cells: int, workers: int | None = None) -> pa.Table:
        """Generate the rows in release order, which is the order of their ids.

        Args:
            virtual_cells: Number of cells, in equal shares for each chemistry and each value of `soc_knowledge`.
            workers: Threads; all cores by default. The bytes do not depend on it.
        """
        return self.rows(sorted(self.requests(virtual_cells), key=self.sample_id), workers)

    def requests(self, virtual_cells: int) -> list[Request]:
        """Return the requests of all rows of a release."""
        return requests(virtual_cells // (len(CHEMISTRIES) * len(KNOWLEDGE)), self.config.visits)

    def sample_id(self, request: Request) -> str:
        """Return a row's id, which reveals nothing about the row."""
        return f"s{sample_seed(self.master_seed, 'v3', 'sample', *request, bits=63):016x}"

    def rows(self, wanted: list[Request], workers: int | None = None) -> pa.Table:
        """Generate the rows of the given requests, in their order."""
        made = generate(wanted, self.config, self.master_seed, workers or os.cpu_count() or 1)
        labels = made.labels.rename(columns={"knowledge": "soc_knowledge"})
        labels = labels.assign(
            sample_id=[self.sample_id(request) for request in wanted],
            bridge_version=BRIDGE_VERSION,
            bridge_config_hash=self.config.hash(),
            schema_version=V3.schema_version,
            soc=100 * labels["soc"],
        )
        in_plane = labels["defect"].isin(PLACED)
        labels[["x_mm", "y_mm"]] = labels[["x_mm", "y_mm"]].where(in_plane)
        schema = arrow_schema_of(V3.fields)
        columns = []
        for column in schema:
            if column.name in V3.channels:
                flat = pa.array(getattr(made, column.name).ravel())
                columns.append(pa.FixedSizeListArray.from_arrays(flat, column.type.list_size))
            else:
                columns.append(pa.array(labels[column.name], from_pandas=True).cast(column.type))
        return pa.table(columns, schema=schema)


def readings(config: PhysicsConfig) -> dict:
    """Return the times and places of a release's readings, and the designs of its cells, for its manifest."""
    designs, protocol = _designs(config), config.protocol
    return {
        "protocol": {
            "voltage_s": protocol.time_s.tolist(),
            "load_s": float(protocol.time_s[protocol.load_step]),
            "rest_s": protocol.rest_s.tolist(),
        },
        "sensors_mm": {name: config.array(cell).position_mm.tolist() for name, cell in designs.items()},
        "designs": {name: dataclasses.asdict(cell) for name, cell in designs.items()},
    }


def operator_digests(config: PhysicsConfig) -> dict[str, str]:
    """Return the SHA-256 of each design's operators, with the array at its nominal place.

    If a machine's mathematical library rounds differently, the digests differ, and rows of the same seed may differ.
    """
    return {
        name: Operators(config.array(cell)).of(cell, Mesh.uniform(cell, *config.mesh)).sha256()
        for name, cell in _designs(config).items()
    }


def _designs(config: PhysicsConfig) -> dict[str, PouchCell]:
    return {f"{chemistry}-{stack}": config.cell(chemistry, stack) for chemistry in CHEMISTRIES for stack in STACKS}
