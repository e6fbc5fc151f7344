"""Seeds, sample ids, regime and nearest anchor, as pure functions of a row's labels; and the check of requests."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bridge.config import ANCHOR_VOLTAGES, GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.errors import refusal
from dataset_card.contract.editions import V1, V2, V3, edition_of, has_own_cells
from dataset_card.contract.measured import SOH_MAX
from dataset_card.contract.schema import table_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import canonical_json

SUBTYPE_CODES = {
    "sensor_dropout": "dropout",
    "calibration_drift": "caldrift",
    "temporal_warp": "twarp",
    "periodic_interference": "interf",
}


IDENTITY = ("cell_id", "anomaly_subtype", "anomaly_origin", "parent_sample_id", "bridge_version", "bridge_config_hash")
"""Fields that enter a row's id unchanged; the numeric fields enter it rounded."""


def sample_seed(master: int, *parts, bits: int = 31) -> int:
    """Derive the seed of a sample from the master seed and the parts that identify the sample.

    Args:
        master: Master seed of the release.
        *parts: Values that identify the sample.
        bits: 31, or 63 from v2 on: 31-bit seeds collide among millions of rows, and 63 bits fit a signed 64-bit column.

    Returns:
        An integer in [0, 2^bits).
    """
    text = f"{master}::{'/'.join(str(part) for part in parts)}"
    return int(hashlib.sha256(text.encode()).hexdigest()[: (bits + 1) // 4], 16) & ((1 << bits) - 1)


def stratum_of(row: dict) -> str:
    """Return the stratum whose shares a by-cell split preserves.

    It is the cell's table; for a user's own cells, their chemistry; in v3, the combination of chemistry,
    `soc_knowledge`, stack and defect.
    """
    if edition_of(row["bridge_version"]) is V3:
        return "-".join(row[name] for name in ("chemistry", "soc_knowledge", "stack", "defect"))
    if has_own_cells(row["bridge_version"]) and row["anomaly_origin"] != "bridge_extrapolation":
        return row["chemistry"]
    return table_of(row["cell_id"])


def sample_id(row: dict) -> str:
    """Derive the id of a row from its identity fields by SHA-256.

    In v1 and for measured cells, an id is a readable prefix with 8 hex digits. In v2, it is `s` with 16 hex digits of
    a hash keyed by the row's own seed: without the row's other fields, neither an id nor the order of ids reveals
    anything about a row.

    Args:
        row: The row's scalar fields by name (see `dataset_card.contract.schema`).
    """
    soh = row["soh"]
    identity = {name: row[name] for name in IDENTITY} | {
        "voltage": round(float(row["voltage"]), 4),
        "soc": round(float(row["soc"]), 4),
        "soh": None if soh is None else round(float(soh), 6),
        "generation_seed": int(row["generation_seed"]),
        "anomaly_severity": round(float(row["anomaly_severity"]), 6),
    }
    text, edition = canonical_json(identity).encode(), edition_of(row["bridge_version"])
    if edition is V2:
        return f"s{hmac.new(str(row['generation_seed']).encode(), text, 'sha256').hexdigest()[:16]}"
    digest = hashlib.sha256(text).hexdigest()[:8]
    # v1 has one chemistry and numbers its cells; the names of later cells include their chemistry.
    chemistry = "lfp_" if edition is V1 else ""
    if row["regime"] == "extrapolation":
        return f"{chemistry}regimeb_v{round(row['voltage'] * 100):03d}_{digest}"
    stem = f"{chemistry}{row['cell_id'].lower()}_soc{int(row['soc']):02d}"
    if row["anomaly_subtype"] != "none":
        stem += f"_{SUBTYPE_CODES[row['anomaly_subtype']]}"
    return f"{stem}_{digest}"


def regime_of(voltage: float) -> str:
    """Return `grounded` for a voltage in [3.06, 3.34] V, `extrapolation` for [2.54, 3.06) V.

    Raises:
        MagBridgeError: If the voltage is outside [2.54, 3.34] V or NaN.
    """
    if not ANCHOR_VOLTAGES[0] <= voltage <= GROUNDED_MAX_V:
        raise refusal("anchor_range", voltage=voltage, low=ANCHOR_VOLTAGES[0], high=GROUNDED_MAX_V)
    return "grounded" if voltage >= GROUNDED_MIN_V else "extrapolation"


def nearest_anchor(voltage: float) -> float:
    """Return the anchor voltage nearest to `voltage`, in V."""
    return min(ANCHOR_VOLTAGES, key=lambda anchor: abs(anchor - voltage))


SEED_LIMIT = 2**64


class Requests(NamedTuple):
    """n checked requests.

    Attributes:
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        seed: n built-in integers.
        cell: n entries, each the name of a cell or None.
    """

    voltage: np.ndarray
    soc: np.ndarray
    soh: np.ndarray
    seed: list[int]
    cell: list[str | None]


def checked_requests(
    voltage, soc, soh, seed, cell: Sequence[str | None] | None = None, *, voltages: Sequence[float]
) -> Requests:
    """Check the values of n requests and return them as `Requests`.

    Args:
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        seed: (n,) integers.
        cell: (n,) names of cells, each a string or None; no cells by default.
        voltages: Anchor voltages in V, ascending: the first and the last bound the permitted voltages.

    Raises:
        MagBridgeError: If the lengths differ, or a value is out of range or NaN; the error names the first bad request.
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
        raise MagBridgeError(f"requests of different lengths: {words}; expected the same number of each")
    low, high = float(voltages[0]), float(voltages[-1])
    for i, (v, c, h, s, name) in enumerate(zip(voltage.tolist(), soc.tolist(), soh.tolist(), seed, cell)):
        if not low <= v <= high:
            raise refusal("request_voltage", number=i, voltage=v, low=low, high=high)
        if not 0 <= c <= 100:
            raise MagBridgeError(f"request {i}: SOC {c}: expected 0 to 100 %")
        if not 0 < h <= SOH_MAX:
            raise MagBridgeError(f"request {i}: SOH {h}: expected a fraction above 0, at most {SOH_MAX}")
        if isinstance(s, bool) or not isinstance(s, (int, np.integer)) or not 0 <= s < SEED_LIMIT:
            raise MagBridgeError(f"request {i}: seed {s!r}: expected an integer of at least 0, below 2^64")
        if name is not None and not isinstance(name, str):
            raise MagBridgeError(f"request {i}: cell {name!r}: expected a name, or None for no cell")
    return Requests(voltage, soc, soh, [int(s) for s in seed], cell)
