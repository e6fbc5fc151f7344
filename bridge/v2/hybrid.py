"""Published means and standard deviations with the covariance of another archive."""

from __future__ import annotations

import dataclasses

import numpy as np

from bridge.upstream.simulated_parameters import load_parameters
from bridge.v1.inputs import AnchorStatistics
from bridge.v2.config import BridgeV2Config
from bridge.v2.fit import unseen_field
from bridge.v2.model import EDGE, ScanMap, evaluate_polynomials
from bridge.v2.sheet import nominal_field
from dataset_card.contract.schema import MEASURED_CHANNELS
from dataset_card.errors import MagBridgeError


def impose_statistics(
    scan_map: ScanMap, statistics: AnchorStatistics, config: BridgeV2Config = BridgeV2Config()
) -> ScanMap:
    """A map with given mean and standard deviation of the measured channels; correlations and spectra stay.

    The fluctuation is multiplied by D = std given / std of the map, at each anchor, step and channel. The magnitudes C5
    and C6 are derived, so only their unseen part is taken from the statistics.

    Args:
        scan_map: Map of the archive to borrow from.
        statistics: Statistics to impose, at the same anchors.
        config: Positions of the map's own standard deviation, and the floor of the unseen field.

    Raises:
        MagBridgeError: The anchors differ.
    """
    if not np.array_equal(scan_map.voltages, statistics.voltages):
        raise MagBridgeError(
            f"statistics at {statistics.voltages.tolist()} V: expected the anchors of the map, "
            f"{scan_map.voltages.tolist()} V"
        )
    own = standard_deviation(scan_map, config.spread_positions)
    unseen, unseen_shape = unseen_field(statistics.mean**2 + statistics.std**2, config)
    given = statistics.std[..., :MEASURED_CHANNELS]
    return dataclasses.replace(
        scan_map,
        mean=statistics.mean.astype(float),
        unseen=unseen,
        unseen_shape=unseen_shape,
        scale=np.divide(given, own, out=np.zeros_like(own), where=own > 0),
    )


def standard_deviation(scan_map: ScanMap, positions: int) -> np.ndarray:
    """Standard deviation (A, T, 4) in nT of the map's fluctuation at its anchors, before any scale, in closed form.

    Args:
        scan_map: The map.
        positions: Places, evenly spread over what a seed may draw, that stand for the continuous position.
    """
    u = (2 * np.arange(positions) + 1) / positions - 1
    phi = evaluate_polynomials(scan_map.polynomials, u)
    course = np.einsum("pk,aknc->apnc", phi, scan_map.beta)
    if scan_map.sheet:
        parameters = load_parameters()
        course += np.stack([nominal_field(parameters, v, u) for v in scan_map.voltages.tolist()])
    variance = course.var(axis=1)
    stationary = (scan_map.offset_root**2).sum(axis=2)
    stationary = stationary + (scan_map.line_root**2).sum(axis=(1, 2, 4)) / 2
    # Mean over the full circle of frequencies, of which the roots hold one half and both ends.
    circle = np.full(scan_map.noise_root.shape[-1], 2.0)
    circle[[0, -1]] = 1.0
    stationary = stationary + (scan_map.noise_root**2 * circle).sum(axis=(1, 3, 4)) / circle.sum()
    variance += stationary[:, None]
    variance[:, :EDGE] += scan_map.start**2
    variance[:, -EDGE:] += (scan_map.onset * (2 - scan_map.onset))[:, None] * scan_map.end**2
    return np.sqrt(variance)
