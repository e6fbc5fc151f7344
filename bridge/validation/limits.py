"""Limits of a fit to a user's own scans, compared with those of the archive for which v2 was made."""

from __future__ import annotations

import numpy as np

from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.v1.inputs import scans_by_anchor
from bridge.v2 import BridgeV2
from bridge.v2.model import evaluate_polynomials
from bridge.validation.checks import Check, check
from dataset_card.contract.schema import MEASURED_CHANNELS, T

TUKEY = 2.667
"""Degrees of freedom of a Tukey-tapered spectrum per scans * steps / lag (Priestley, Spectral Analysis, table 6.2)."""

AGED = 0.8


def check_limits(bridge: BridgeV2) -> list[Check]:
    """Report what the fit captures poorly or not at all; no check blocks, because the rig is given.

    Args:
        bridge: A bridge fitted to a user's own scans.

    Returns:
        Seven figures, each with its meaning for a release.
    """
    voltages = bridge.scan_map.voltages
    gap = check("gap", float(np.diff(voltages).max()), False, anchors=len(voltages))
    return [_edges(bridge), gap, _across(bridge), _spectrum(bridge), *_found(bridge), _ageing(bridge)]


def _edges(bridge: BridgeV2) -> Check:
    low, high = bridge.scan_map.voltages[[0, -1]].tolist()
    voltage = bridge.upstream.pulses.voltage
    at_edge = (voltage <= low) & (low > GROUNDED_MIN_V) | (voltage >= high) & (high < GROUNDED_MAX_V)
    none = f"; no Regime-B rows, which lie below {GROUNDED_MIN_V} V" if low > GROUNDED_MIN_V else ""
    return check("edges", float(at_edge.mean()), False, low=low, high=high, none=none)


def _across(bridge: BridgeV2) -> Check:
    """Check the slow variance over positions that neither the polynomials nor the offsets capture."""
    scan_map, upstream = bridge.scan_map, bridge.upstream
    x = scans_by_anchor(upstream.scans, scan_map.voltages.tolist())[..., :MEASURED_CHANNELS]
    positions = x.shape[1]
    u = np.linspace(-1, 1, positions)
    phi = evaluate_polynomials(scan_map.polynomials, u)
    x = x - x.mean(axis=1, keepdims=True)
    fitted = np.einsum("pk,aknc->apnc", phi, np.einsum("pk,apnc->aknc", phi, x) / positions)
    # The slow part of a scan: means over ten steps remove the lines and most of the noise.
    slow, rest = (v.reshape(*v.shape[:2], 10, T // 10, MEASURED_CHANNELS).mean(axis=3) for v in (x, x - fitted))
    rest = rest - rest.mean(axis=2, keepdims=True)
    degree = phi.shape[1]
    width = f"narrower than {positions / degree:.0f} positions" if degree else "of any width"
    share = float((rest**2).sum() / (slow**2).sum())
    return check("across", share, False, degree=degree, positions=positions, width=width)


def _spectrum(bridge: BridgeV2) -> Check:
    positions, lag = int(bridge.scan_map.positions), bridge.config.spectrum_lag
    anchors = len(bridge.scan_map.voltages)
    freedom = TUKEY * anchors * positions * (T - 2 * bridge.config.edge_steps) / lag
    facts: dict = {"positions": positions, "anchors": anchors, "freedom": freedom, "closer": 1 / lag}
    return check("spectrum", float(np.sqrt(2 / freedom)), False, **facts)


def _found(bridge: BridgeV2) -> list[Check]:
    scan_map = bridge.scan_map
    lines = int((np.abs(scan_map.line_root).max(axis=(0, 2, 3, 4)) > 0).sum())
    derived_power = (bridge.upstream.scans[..., MEASURED_CHANNELS:] ** 2).mean()
    unseen = float(scan_map.unseen.sum() / derived_power / scan_map.unseen.size)
    low, high = bridge.config.line_band
    derived = "the magnitudes follow from Y and Z: no third axis" if unseen == 0 else "drawn as a third axis"
    return [
        check("lines", float(lines), False, low=low, high=high),
        check("unseen", unseen, False, derived=derived),
    ]


def _ageing(bridge: BridgeV2) -> Check:
    voltage = float(bridge.scan_map.voltages[-1])
    signals = bridge.generate_many([voltage] * 2, [bridge.config.soc_rest] * 2, [AGED, 1.0], [0, 0])
    aged, fresh = signals[..., :MEASURED_CHANNELS]
    lost, own = (v - v.mean(axis=0) for v in (fresh - aged, bridge.anchor_replica(voltage)[:, :MEASURED_CHANNELS]))
    cosine = float((lost * own).sum() / (np.linalg.norm(lost) * np.linalg.norm(own)))
    return check("ageing", cosine, False)
