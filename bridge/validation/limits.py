"""What a fit to a user's own scans cannot carry, in figures beside those of the archive that v2 was made for."""

from __future__ import annotations

import numpy as np

from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.v1.inputs import scans_by_anchor
from bridge.v2 import BridgeV2
from bridge.v2.model import evaluate_polynomials
from bridge.validation.checks import REPORTED, Check
from dataset_card.contract.schema import MEASURED_CHANNELS, T

WIDEST_GAP_V = 0.27
LEFT_OVER = 0.02
SPECTRUM_ERROR = 0.15
"""Bounds that the archive of five anchors and 41 positions keeps: its simulation has 0.27 V, 0.002 and 0.12."""

TUKEY = 2.667
"""Degrees of freedom of a Tukey-tapered spectrum in (scans * steps / lag) (Priestley, Spectral Analysis, table 6.2)."""

AGED = 0.8


def check_limits(bridge: BridgeV2) -> list[Check]:
    """What the fit knows nothing of, or little; none blocks, since a rig is what it is.

    Args:
        bridge: A bridge fitted to a user's own scans.

    Returns:
        Seven figures, each with what it means for a release.
    """
    return [_edges(bridge), _gap(bridge), _across(bridge), _spectrum(bridge), *_found(bridge), _ageing(bridge)]


def _edges(bridge: BridgeV2) -> Check:
    low, high = bridge.scan_map.voltages[[0, -1]].tolist()
    voltage = bridge.upstream.pulses.voltage
    at_edge = (voltage <= low) & (low > GROUNDED_MIN_V) | (voltage >= high) & (high < GROUNDED_MAX_V)
    none = f"; no Regime-B rows, which lie below {GROUNDED_MIN_V} V" if low > GROUNDED_MIN_V else ""
    return Check(
        "records at or beyond the outer anchors",
        float(at_edge.mean()),
        "share",
        "<= 0",
        not at_edge.any(),
        False,
        f"anchors from {low:g} to {high:g} V: a record outside them stands at the nearest one, and its voltage says "
        f"less of it than another's{none}",
    )


def _gap(bridge: BridgeV2) -> Check:
    voltages = bridge.scan_map.voltages
    return _bounded(
        "widest gap between anchors",
        float(np.diff(voltages).max()),
        "V",
        WIDEST_GAP_V,
        f"{len(voltages)} anchors: between two of them mean and map are a straight line, and a bend is lost",
    )


def _across(bridge: BridgeV2) -> Check:
    """Slow variance over positions that neither the polynomials nor the offsets carry."""
    scan_map, upstream = bridge.scan_map, bridge.upstream
    x = scans_by_anchor(upstream.scans, scan_map.voltages.tolist())[..., :MEASURED_CHANNELS]
    positions = x.shape[1]
    u = np.linspace(-1, 1, positions)
    phi = evaluate_polynomials(scan_map.polynomials, u)
    x = x - x.mean(axis=1, keepdims=True)
    fitted = np.einsum("pk,aknc->apnc", phi, np.einsum("pk,apnc->aknc", phi, x) / positions)
    # the slow part of a scan: the mean over ten steps takes most of the noise, and the lines, away
    slow, rest = (v.reshape(*v.shape[:2], 10, T // 10, MEASURED_CHANNELS).mean(axis=3) for v in (x, x - fitted))
    rest = rest - rest.mean(axis=2, keepdims=True)
    degree = phi.shape[1]
    width = f"narrower than {positions / degree:.0f} positions" if degree else "of any width"
    return _bounded(
        "variance across the cell outside the map",
        float((rest**2).sum() / (slow**2).sum()),
        "share",
        LEFT_OVER,
        f"{degree} polynomials over {positions} positions: structure {width} is lost, or goes for noise",
    )


def _spectrum(bridge: BridgeV2) -> Check:
    positions, lag = int(bridge.scan_map.positions), bridge.config.spectrum_lag
    anchors = len(bridge.scan_map.voltages)
    freedom = TUKEY * anchors * positions * (T - 2 * bridge.config.edge_steps) / lag
    return _bounded(
        "relative error of the noise spectrum",
        float(np.sqrt(2 / freedom)),
        "share",
        SPECTRUM_ERROR,
        f"{positions} scans at each of {anchors} anchors, {freedom:.0f} degrees of freedom a frequency: "
        f"correlations of noise between channels are as uncertain; peaks closer than {1 / lag:.3f} / step are one",
    )


def _found(bridge: BridgeV2) -> list[Check]:
    scan_map = bridge.scan_map
    lines = int((np.abs(scan_map.line_root).max(axis=(0, 2, 3, 4)) > 0).sum())
    derived_power = (bridge.upstream.scans[..., MEASURED_CHANNELS:] ** 2).mean()
    unseen = float(scan_map.unseen.sum() / derived_power / scan_map.unseen.size)
    low, high = bridge.config.line_band
    derived = "magnitudes were derived, or see no more: no third axis" if unseen == 0 else "drawn as a third axis"
    return [
        _reported(
            "mains lines",
            float(lines),
            "lines",
            f"looked for from {low:g} to {high:g} / step; what is not found stays in the noise",
        ),
        _reported("field that Y and Z do not see", unseen, "share", f"of the squared magnitude; {derived}"),
    ]


def _ageing(bridge: BridgeV2) -> Check:
    voltage = float(bridge.scan_map.voltages[-1])
    signals = bridge.generate_many([voltage] * 2, [bridge.config.soc_rest] * 2, [AGED, 1.0], [0, 0])
    aged, fresh = signals[..., :MEASURED_CHANNELS]
    lost, own = (v - v.mean(axis=0) for v in (fresh - aged, bridge.anchor_replica(voltage)[:, :MEASURED_CHANNELS]))
    cosine = float((lost * own).sum() / (np.linalg.norm(lost) * np.linalg.norm(own)))
    return _reported(
        "ageing's shape against the scans'",
        cosine,
        "cosine",
        "the sheet that ages has the archive's geometry, which is not fitted; there 0.95: far below it, what ageing "
        "takes away is not what these scans are made of",
    )


def _reported(name: str, figure: float, unit: str, note: str) -> Check:
    return Check(name, figure, unit, REPORTED, True, False, note)


def _bounded(name: str, figure: float, unit: str, bound: float, note: str) -> Check:
    return Check(name, figure, unit, f"<= {bound:g}", figure <= bound + 1e-9, False, note)
