"""Generate rows: `generate(rows)` returns the readings and labels of each request.

With S sensors of three axes each (S = 24 by default; axes vary fastest), a row has the readings

| field | shape | unit |
|---|---|---|
| `voltage` | (33,) | V, at `PhysicsConfig.protocol.time_s` |
| `load` | (3S,) | nT, at the end of the pulse |
| `rest` | (7, 3S) | nT, at `PhysicsConfig.protocol.rest_s` after the pulse |
| `scan` | (3S,) | nT, in the applied field |

and the labels of `COLUMNS`. All readings contain noise; `physics` returns them without noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas

from bridge.v3.cells import Request, VirtualCell, draw
from bridge.v3.config import PhysicsConfig
from bridge.v3.protocol import Placement
from bridge.v3.simulation import Case, Simulation, read, simulate_cases
from dataset_card.contract.physics import LABELS
from dataset_card.contract.schema import MASTER_SEED

COLUMNS = ("cell_id", "visit", "chemistry", "knowledge", "stack", *LABELS, "generation_seed")
"""Columns of the label table: `knowledge` is the contract's `soc_knowledge`, `soc` a share, the seed the noise's."""

CHUNK = 64
"""Number of rows handed to a thread at a time."""


@dataclass(frozen=True)
class Rows:
    """Labels and readings of n rows; the readings are float32.

    Attributes:
        labels: n rows of `COLUMNS`.
        voltage: (n, 33) in V.
        load: (n, 3S) in nT.
        rest: (n, 7, 3S) in nT.
        scan: (n, 3S) in nT.
    """

    labels: pandas.DataFrame
    voltage: np.ndarray
    load: np.ndarray
    rest: np.ndarray
    scan: np.ndarray


def generate(
    rows: Sequence[Request],
    config: PhysicsConfig | None = None,
    master_seed: int = MASTER_SEED,
    threads: int = 1,
) -> Rows:
    """Generate rows with noise; their bytes depend neither on the number of threads nor on the other rows.

    Args:
        rows: Requests of the rows (see `cells.requests`).
        config: The release's configuration; that of v3.0 by default.
        master_seed: Master seed of the release.
        threads: Number of threads.

    Examples:
        >>> found = generate([Request("NMC", "known_soc", 0, 0)])
        >>> found.voltage.shape, found.load.shape, found.rest.shape, found.scan.shape
        ((1, 33), (1, 72), (1, 7, 72), (1, 72))
    """
    config = config or PhysicsConfig()
    chunks = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda chunk: measure(chunk, draw(chunk, config, master_seed), config), chunks))
    return Rows(
        pandas.concat([part.labels for part in parts], ignore_index=True),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("voltage", "load", "rest", "scan")),
    )


def physics(
    cells: Sequence[VirtualCell], config: PhysicsConfig, *, placed: bool = True, through_plane: bool = True
) -> list[Simulation]:
    """Simulate the cells' measurements without noise.

    Args:
        cells: Drawn cells.
        config: The configuration.
        placed: Whether the array has the placement drawn from the visit's seed instead of the nominal one.
        through_plane: Whether to include the field of the current between foils; an ablation omits it.
    """
    found: dict[int, Simulation] = {}
    for design in dict.fromkeys(drawn.cell for drawn in cells):
        own = {k: drawn for k, drawn in enumerate(cells) if drawn.cell == design}
        array = config.array(design)
        cases = [
            Case(design, one.state, one.defect.defect, one.variation, one.mesh, _place(one, config) if placed else None)
            for one in own.values()
        ]
        found |= zip(own, simulate_cases(cases, array, config.protocol, through_plane=through_plane), strict=True)
    return [found[k] for k in range(len(cells))]


def _place(drawn: VirtualCell, config: PhysicsConfig) -> Placement:
    """Draw the placement of the array at a cell's visit.

    NumPy pads seeds with zeros, so `[seed, 0]` is `seed`: the three translations repeat the numbers from which
    `draw_cell` draws age and charge. Rows were released so; `perf/repeated_draws.py` measures what a learner gains.
    """
    return config.noise.place(np.random.default_rng([drawn.seed, 0]), config.array(drawn.cell))


def measure(
    rows: Sequence[Request], cells: Sequence[VirtualCell], config: PhysicsConfig, *, through_plane: bool = True
) -> Rows:
    """Measure drawn cells, which an ablation may have changed, with noise."""
    read_out = []
    for drawn, clean in zip(cells, physics(cells, config, through_plane=through_plane), strict=True):
        rng, array = np.random.default_rng([drawn.seed, 1]), config.array(drawn.cell)
        read_out.append(read(clean, drawn.cell, array, config.protocol, config.noise, _place(drawn, config), rng))
    fields = np.array([1e9 * one.fields_T.reshape(9, -1) for one in read_out], np.float32)
    voltage = np.array([one.voltage_V for one in read_out], np.float32)
    table = labels(rows, cells, [one.soh for one in read_out])
    return Rows(table, voltage, fields[:, 0], fields[:, 1:-1], fields[:, -1])


def labels(rows: Sequence[Request], cells: Sequence[VirtualCell], soh: Sequence[float]) -> pandas.DataFrame:
    """Build the label table of drawn cells from their requests and their simulated SOH."""
    records = []
    for row, drawn, value in zip(rows, cells, soh, strict=True):
        defect = drawn.defect.defect
        share = None if defect.kind == "none" else defect.share
        sick = dict(zip(("x_mm", "y_mm"), defect.place_mm(drawn.cell) or ()), defect=defect.kind, share=share)
        sick["depth"] = defect.depth if defect.kind == "layer" else None
        cell = {"cell_id": drawn.name, "stack": drawn.stack, "generation_seed": drawn.seed, "soh": float(value)}
        records.append({**row._asdict(), **cell, **vars(drawn.state), **sick})
    table = pandas.DataFrame(records, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(("share", "x_mm", "y_mm"), "float64") | {"depth": "Int64"})
