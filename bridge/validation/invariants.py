"""The five sanity invariants that a bridge must satisfy before a release of it may be published.

All of them block. They are the paper's; if the paper leaves a choice open (the metric of degradation, the size of a
continuous step), the check's note names the choice made here.
"""

from __future__ import annotations

import numpy as np
import pandas

from bridge.generate import AnyBridge
from bridge.identity import regime_of
from bridge.v1.inputs import AnchorStatistics
from bridge.v2 import BridgeV2
from bridge.validation.checks import Check, check
from dataset_card.errors import MagBridgeError

SCANS_TOLERANCE = 1e-6
"""Rounding error allowed between a scan archive, possibly float32, and its statistics: share of the largest mean."""

SOH_LADDER = (1.00, 0.95, 0.90, 0.85, 0.80, 0.75)
MONOTONE_VOLTAGES = (3.10, 2.81)
MONOTONE_SEEDS = range(20)
MONOTONE_SHARE, MONOTONE_SHARE_V2 = 0.9, 1.0
"""Minimum share of seeds whose signals move away from the healthy one at every step down the ladder."""

SMALL_STEP_V, LARGE_STEP_V = 0.01, 0.10
PUBLISHED_START_V, PUBLISHED_SEED = 3.10, 42
"""Start and seed of the published step figures: 189 nT for 0.01 V and 1881 nT for 0.10 V."""
CROSSINGS = (2.81, 3.00, 3.06, 3.10, 3.20)
"""Voltages in V on which small and large steps are centred: inner anchors, the regime bound, and one other voltage."""
REGIMES = dict.fromkeys((2.54, 2.81, 3.00), "extrapolation") | dict.fromkeys((3.06, 3.10, 3.34), "grounded")
REJECTED_V = (2.00, 4.00)
SOC_AT_REST, SOC_AWAY = 50.0, 30.0


def check_invariants(bridge: AnyBridge, rows: pandas.DataFrame) -> list[Check]:
    """Run the five invariants.

    Args:
        bridge: The bridge to check.
        rows: Rows of the planned release with `regime`, `anomaly_origin` and `anomaly_flag`.

    Returns:
        Checks, all of them blocking: seven for v1, with two checks each of monotonicity and continuity; nine for v2,
        whose monotonicity is checked at two states of charge.
    """
    v2 = isinstance(bridge, BridgeV2)
    states = (SOC_AT_REST, SOC_AWAY) if v2 else (SOC_AT_REST,)
    voltages = [voltage for voltage in MONOTONE_VOLTAGES if _within(bridge, voltage, voltage)]
    voltages = voltages or [float(bridge.upstream.statistics.voltages[-1])]  # a user's own anchors
    share = MONOTONE_SHARE_V2 if v2 else MONOTONE_SHARE
    return [
        anchor_identity(bridge),
        *(monotone_degradation(bridge, voltage, soc, share) for voltage in voltages for soc in states),
        *voltage_continuity(bridge),
        regime_bounds(bridge),
        anomaly_flags(rows),
    ]


def anchor_identity(bridge: AnyBridge) -> Check:
    """Check invariant 1: the noise-free signal at an anchor equals the anchor's mean trajectory and the scans' mean."""
    upstream = bridge.upstream
    voltages, mean = upstream.statistics.voltages, upstream.statistics.mean
    gaps = [np.abs(bridge.anchor_replica(float(voltage)) - m).max() for voltage, m in zip(voltages, mean)]
    # A hybrid's scans come from the simulated archive, so their means differ from the published ones that it imposes.
    own = AnchorStatistics.from_scans(upstream.scans, voltages).mean if upstream.name != "hybrid" else mean
    off_scans = float(np.abs(own - mean).max())
    allowed = SCANS_TOLERANCE * float(np.abs(mean).max())
    facts = {"anchors": len(gaps), "voltage": voltages[int(np.argmax(gaps))], "off": off_scans, "allowed": allowed}
    return check("replica", float(np.max(gaps)), True, also=off_scans <= allowed, **facts)


def monotone_degradation(bridge: AnyBridge, voltage: float, soc: float, least: float) -> Check:
    """Check invariant 2: signals move away from the healthy one as SOH falls, at fixed voltage, SOC and seed.

    Args:
        bridge: The bridge to check.
        voltage: In V.
        soc: In percent.
        least: Minimum share of seeds for which this must be true.
    """
    seeds, steps = list(MONOTONE_SEEDS), len(SOH_LADDER)
    n = len(seeds) * steps
    requests = ([voltage] * n, [soc] * n, list(SOH_LADDER) * len(seeds), np.repeat(seeds, steps))
    signals = bridge.generate_many(*requests).reshape(len(seeds), steps, -1)
    distance = np.linalg.norm(signals - signals[:, :1], axis=2)
    grows = (np.diff(distance, axis=1) > 0).all(axis=1)
    facts: dict = {"first": SOH_LADDER[1], "last": SOH_LADDER[-1], "seeds": len(seeds)}
    facts |= {"voltage": voltage, "least": least, "median": np.median(distance[:, -1])}
    facts["state"] = "" if soc == SOC_AT_REST else f", SOC {soc:g} %"
    return check("monotone", float(grows.mean()), True, **facts)


def voltage_continuity(bridge: AnyBridge) -> list[Check]:
    """Check invariant 3: a small voltage step changes the signal less than a large one, everywhere."""

    def distance(low: float, high: float) -> float:
        ends = np.clip([low, high], *bridge.upstream.statistics.voltages[[0, -1]])  # rounding may pass an anchor
        pair = bridge.generate_many(ends.tolist(), [SOC_AT_REST] * 2, [1.0] * 2, [PUBLISHED_SEED] * 2)
        return float(np.linalg.norm(pair[1] - pair[0]))

    start, small_V, large_V = PUBLISHED_START_V, SMALL_STEP_V, LARGE_STEP_V
    if not _within(bridge, start, start + large_V):  # a user's own anchors
        start, end = bridge.upstream.statistics.voltages[[0, -1]].tolist()
        large_V = min(large_V, end - start)
        small_V = large_V / 10
    small, large = distance(start, start + small_V), distance(start, start + large_V)
    near, far = small_V / 2, large_V / 2
    crossings = [v for v in CROSSINGS if _within(bridge, v - far, v + far)] or [start + far]
    ratios = [distance(v - near, v + near) / distance(v - far, v + far) for v in crossings]
    worst = int(np.argmax(ratios))
    steps: dict = {"small": small_V, "large": large_V}
    listed = ", ".join(f"{v:.2f}" for v in crossings)
    return [
        check("small step", small, True, distance=large, start=start, seed=PUBLISHED_SEED, **steps),
        check("jump", ratios[worst], True, worst=crossings[worst], crossings=listed, **steps),
    ]


def _within(bridge: AnyBridge, low: float, high: float) -> bool:
    """Return whether the bridge accepts these voltages; a user's own anchors may span less than the archive's."""
    anchors = bridge.upstream.statistics.voltages
    return bool(anchors[0] <= low and high <= anchors[-1])


def regime_bounds(bridge: AnyBridge) -> Check:
    """Check invariant 4: each voltage has the right regime, and voltages outside the anchors are rejected."""
    wrong = []
    for voltage, expected in REGIMES.items():
        try:
            found = regime_of(voltage)
        except MagBridgeError:
            found = "rejected"
        if found != expected:
            wrong.append(f"{voltage:.2f} V is {found}, expected {expected}")
    for voltage in REJECTED_V:
        try:
            bridge.generate(voltage, SOC_AT_REST, 1.0, PUBLISHED_SEED)
        except MagBridgeError:
            continue
        wrong.append(f"{voltage:.2f} V is generated, expected a rejection")
    rejected = " and ".join(f"{v:.2f}" for v in REJECTED_V)
    sound = f"{len(REGIMES)} voltages have the right regime, {rejected} V are rejected"
    return check("regimes", float(len(wrong)), True, note="; ".join(wrong) or sound)


def anomaly_flags(rows: pandas.DataFrame) -> Check:
    """Check invariant 5: every Regime-B row is flagged as an anomaly, and no clean grounded row is."""
    regime_b = rows["regime"] == "extrapolation"
    clean = ~regime_b & (rows["anomaly_origin"] == "none")
    flag = rows["anomaly_flag"].astype(bool)
    wrong = int((regime_b & ~flag).sum() + (clean & flag).sum())
    sound = f"{int(regime_b.sum())} Regime-B rows are flagged, {int(clean.sum())} clean grounded rows are not"
    return check("flags", float(wrong), True, note=f"{wrong} rows have the wrong flag" if wrong else sound)


def require_invariants(bridge: AnyBridge, rows: pandas.DataFrame) -> None:
    """Raise an error if a bridge violates a sanity invariant: the gate before a release is written.

    Args:
        bridge: The bridge to check.
        rows: The rows of its release.

    Raises:
        MagBridgeError: If an invariant is violated.
    """
    broken = [one for one in check_invariants(bridge, rows) if not one.passed]
    if broken:
        reasons = "; ".join(f"{c.name}: {c.figure:.4g} {c.unit}, expected {c.bound} ({c.note})" for c in broken)
        raise MagBridgeError(f"the bridge fails {len(broken)} sanity checks, so no release is written: {reasons}")
