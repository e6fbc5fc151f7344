"""Check measured scans before they become a release: finite, unclipped, in nT, with axes as declared."""

from collections.abc import Iterator

import numpy as np

from bridge.measured.channels import ChannelMap
from bridge.measured.sampling import ScanSet
from dataset_card.contract.schema import CHANNELS, MEASURED_CHANNELS
from dataset_card.storage.columns import UNITS
from dataset_card.storage.faults import Fault, require

LEAST_NT, GREATEST_NT = 5.0, 1e5
"""Range of the typical largest value of a scan: fields of cells are tens to thousands of nT, the Earth's is 5e4."""

TYPICAL_NT = 100.0
"""Values are taken to be in the unit that brings them nearest to this, on a logarithmic scale."""

OTHER_UNIT = 150
"""A scan this many times larger or smaller than the median of all is in another unit."""

CLIPPED_SHARE, CLIPPED_LEAST = 0.06, 6
"""An extreme value at this share of the steps, and at least at this many, may be a sensor's limit."""

FULLER, BESIDE = 5, 3
"""It is a limit if it occurs this many times as often as each of this many adjacent levels. A round peak, quantised,
fills its last level about 2.4 times as often as the adjacent one, and 4 times at worst."""

SWAP_MARGIN = 0.5
"""Y and Z are swapped if exchanging them raises the correlation with the other scans by more than this."""

VOLTAGE_BIN = 0.1
"""Width in V of the voltage bins within which scans are compared with one another."""

FEWEST_OTHERS = 8

MAGNITUDE_SHARE = 0.9
"""A magnitude must be at least this share of the root mean square of its Y and Z together."""


def check_scans(found: ScanSet, voltage: np.ndarray) -> None:
    """Check a set of scans.

    Args:
        found: The scans.
        voltage: (n,) voltage of each in V.

    Raises:
        FaultyInput: If a scan cannot be what it is declared to be; every fault names its scan.
    """
    require(list(_finite(found)))  # the other checks need scans without holes
    checks = (_clipped(found), _units(found), _swapped(found, voltage), _magnitudes(found), _repeated(found))
    require([fault for check in checks for fault in check])


def _finite(found: ScanSet) -> Iterator[Fault]:
    bad = ~np.isfinite(found.x)
    for i in np.flatnonzero(bad.any(axis=(1, 2))):
        c = int(np.flatnonzero(bad[i].any(axis=0))[0])
        steps = np.flatnonzero(bad[i, :, c])
        run = int((np.cumsum(np.diff(steps, prepend=steps[0] - 1) != 1) == 0).sum())
        value = found.x[i, steps[0], c]
        what, column = "empty or NaN" if np.isnan(value) else value, found.mapping.channels[c].column
        yield found.scans[i].fault("hole", column, int(steps[0]), what=what, run=run)


def _clipped(found: ScanSet) -> Iterator[Fault]:
    x, columns = found.x, [channel.column for channel in found.mapping.channels]
    least = max(CLIPPED_LEAST, int(np.ceil(CLIPPED_SHARE * x.shape[1])))
    low, high = x.min(axis=1), x.max(axis=1)
    for i, c in np.argwhere(low == high):
        yield found.scans[i].fault("dead", columns[c], value=low[i, c])
    for extreme, word in ((low, "lowest"), (high, "highest")):
        at = x == extreme[:, None]
        count = at.sum(axis=1)  # mains hum may lift a clipped signal off its limit: no unbroken run is required
        for i, c in np.argwhere((count >= least) & (low < high)):
            levels = np.unique(x[i, :, c], return_counts=True)[1]
            beside = levels[1 : 1 + BESIDE] if word == "lowest" else levels[-1 - BESIDE : -1]
            if count[i, c] <= FULLER * beside.max():
                continue  # an instrument with coarse steps, within its range
            values = {"value": extreme[i, c], "word": word, "count": count[i, c], "beside": beside.max()}
            yield found.scans[i].fault("saturated", columns[c], int(np.flatnonzero(at[i, :, c])[0]), **values)


def _units(found: ScanSet) -> Iterator[Fault]:
    top = np.abs(found.x[..., :MEASURED_CHANNELS]).max(axis=(1, 2))
    typical = float(np.median(top))
    if not LEAST_NT <= typical <= GREATEST_NT:
        i = int(np.argmin(np.abs(top - typical)))
        unit, factor = _unit_of(typical, found.mapping)
        values = {"top": top[i], "least": LEAST_NT, "most": GREATEST_NT, "unit": unit, "factor": factor}
        yield found.scans[i].fault("unit_of_all", **values)
        return
    for i in np.flatnonzero((top > OTHER_UNIT * typical) | (top < typical / OTHER_UNIT)):
        unit, own = _unit_of(top[i], found.mapping)[0], found.mapping.channels[0].unit
        yield found.scans[i].fault("unit_of_one", top=top[i], usual=typical, unit=unit, own=own)


def _unit_of(nanotesla: float, channels: ChannelMap) -> tuple[str, float]:
    """Return the unit that a value declared in the channels' unit is probably in, and the factor that converts it."""
    own = channels.channels[0].factor
    value = max(nanotesla / abs(own), 1e-300)
    unit = min(("T", "mT", "uT", "nT", "pT", "fT"), key=lambda u: abs(np.log(value * UNITS["nT"][u] / TYPICAL_NT)))
    return unit, UNITS["nT"][unit] / abs(own)


def _swapped(found: ScanSet, voltage: np.ndarray) -> Iterator[Fault]:
    """Yield a fault for each scan that resembles the others only after Y and Z are exchanged."""
    x = found.x[..., :MEASURED_CHANNELS]
    measured, group = x - x.mean(axis=1, keepdims=True), np.round(voltage / VOLTAGE_BIN)
    for value in np.unique(group):
        rows = np.flatnonzero(group == value)
        if len(rows) < FEWEST_OTHERS:
            continue
        typical = np.median(measured[rows], axis=0)
        straight, swapped = (
            _correlation(measured[rows][..., order], typical) for order in ([0, 1, 2, 3], [1, 0, 3, 2])
        )
        for j in np.flatnonzero(swapped > straight + SWAP_MARGIN):
            values = {"straight": straight[j], "swapped": swapped[j], "voltage": voltage[rows[j]]}
            yield found.scans[rows[j]].fault("swapped", **values)


def _correlation(x: np.ndarray, typical: np.ndarray) -> np.ndarray:
    return (x * typical).sum(axis=(1, 2)) / np.sqrt((x**2).sum(axis=(1, 2)) * (typical**2).sum() + 1e-300)


def _magnitudes(found: ScanSet) -> Iterator[Fault]:
    for sensor in range(2):
        name = CHANNELS[4 + sensor]
        if name not in found.mapping.names:
            continue
        c = found.mapping.names.index(name)
        own = np.sqrt((found.x[..., c] ** 2).mean(axis=1))
        seen = np.sqrt((found.x[..., 2 * sensor] ** 2 + found.x[..., 2 * sensor + 1] ** 2).mean(axis=1))
        for i in np.flatnonzero(own < MAGNITUDE_SHARE * seen):
            yield found.scans[i].fault("magnitude", found.mapping.channels[c].column, own=own[i], seen=seen[i])


def _repeated(found: ScanSet) -> Iterator[Fault]:
    first: dict[bytes, int] = {}
    for i, scan in enumerate(found.x):
        j = first.setdefault(scan.tobytes(), i)
        if j != i:
            yield found.scans[i].fault("repeated", where=found.scans[j].where)
