"""What may be asked of a bridge: one check of requests for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dataset_card.contract.measured import SOH_MAX
from dataset_card.errors import MagBridgeError

SEED_LIMIT = 2**64


class Requests(NamedTuple):
    """n checked requests.

    Attributes:
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        seed: n plain integers.
        cell: n names of cells or None.
    """

    voltage: np.ndarray
    soc: np.ndarray
    soh: np.ndarray
    seed: list[int]
    cell: list[str | None]


def checked_requests(
    voltage, soc, soh, seed, cell: Sequence[str | None] | None = None, *, voltages: Sequence[float]
) -> Requests:
    """Requests of one length, every value possible.

    Args:
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        seed: (n,) integers.
        cell: (n,) names of cells, each a string or None; no cells by default.
        voltages: Anchor voltages in V, ascending: the first and the last bound what may be asked for.

    Raises:
        MagBridgeError: A value is out of range or NaN; names the first bad request.
    """
    try:
        voltage, soc, soh = (np.array([float(v) for v in values]) for values in (voltage, soc, soh))
    except (TypeError, ValueError) as error:
        raise MagBridgeError(f"voltage, soc and soh must be sequences of numbers ({error})") from error
    seed = list(seed)
    cell = [None] * len(seed) if cell is None else list(cell)
    lengths = [len(values) for values in (voltage, soc, soh, seed, cell)]
    if len(set(lengths)) != 1:
        words = "{} voltages, {} SOC, {} SOH, {} seeds, {} cells".format(*lengths)
        raise MagBridgeError(f"requests of different lengths: {words}")
    low, high = float(voltages[0]), float(voltages[-1])
    for i, (v, c, h, s, name) in enumerate(zip(voltage.tolist(), soc.tolist(), soh.tolist(), seed, cell)):
        if not low <= v <= high:
            raise MagBridgeError(
                f"request {i}: voltage {v} V: expected {low} to {high} V, the range of the magnetometry anchors"
            )
        if not 0 <= c <= 100:
            raise MagBridgeError(f"request {i}: SOC {c}: expected 0 to 100 %")
        if not 0 < h <= SOH_MAX:
            raise MagBridgeError(f"request {i}: SOH {h}: expected a fraction above 0, at most {SOH_MAX}")
        if isinstance(s, bool) or not isinstance(s, (int, np.integer)) or not 0 <= s < SEED_LIMIT:
            raise MagBridgeError(f"request {i}: seed {s!r}: expected an integer of at least 0, below 2^64")
        if name is not None and not isinstance(name, str):
            raise MagBridgeError(f"request {i}: cell {name!r}: expected a name, or None for no cell")
    return Requests(voltage, soc, soh, [int(s) for s in seed], cell)
