"""The configuration of the v2 bridge and its hash."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from bridge.config import HashedConfig
from dataset_card.errors import MagBridgeError


@dataclass(frozen=True)
class BridgeV2Config(HashedConfig):
    """All numbers that shape a v2 signal, except the fitted scan map and the geometry of the simulated upstream.

    Attributes:
        polynomials: Highest degree of the scan map's polynomials in position; at most a quarter of the positions.
        map_functions: Number of cosine functions with which a polynomial's trajectory is smoothed.
        edge_steps: Steps at each end that transients disturb; the steps between are the inner ones.
        edge_slope_steps: Number of smoothed inner steps from which a trajectory is extended.
        line_band: Frequency band searched for mains lines, in 1 / step.
        line_grid: Step of the frequency grid, in 1 / step.
        line_threshold: Minimum power of a line relative to the median power in the band.
        line_window: Maximum distance of a scan's own frequency from the line's, in 1 / step.
        line_share: Scans with at least this share of the median amplitude determine the line's frequency and spread.
        map_threshold: A trajectory's cosines are kept if their power exceeds this multiple of the power due to noise.
        spectrum_lag: Lag in steps at which the covariance is tapered to 0.
        bures_ridge: Ridge added to the covariances before transport, as a fraction of their trace.
        unseen_waves: Shares of the unseen field's mean square in its waves along the scan: constant, half a wave, one,
            one and a half.
        magnitude_floor: Unseen field below this fraction of the squared magnitude counts as rounding error.
        spread_positions: Number of positions over which the map's own standard deviation is computed.
        soh_baseline: SOH at and above which a signal carries no ageing.
        moment_slope: State-dependent moment of the sheet in 1e4 nT step^3 / V: the slope of the line, with free
            intercept, through the simulated upstream's moments at its anchors.
        moment_zero_V: Voltage in V at which the state-dependent moment is zero.
        full_V: Voltage in V at which the state-dependent moment is that of a full cell.
        inventory_share: Share of batteries whose moment follows lost lithium instead of lost material; the nominal
            cell's moment follows lost material.
        ageing: Loss of moment per unit of lost SOH in the modes mean, edge, z and y.
        ageing_jitter: Standard deviation over cells of the losses in the modes edge, z and y.
        cell_moment: Standard deviation over cells of the logarithm of the moment.
        cell_pattern: Standard deviation over cells of the moment's modes edge, z and y.
        cell_size: Standard deviation over cells of the logarithm of length and width.
        lift_off: Standard deviation over scans of the sensors' distance, in steps.
        shift: Standard deviation over scans of the cell's place along the scan, in steps.
        soc_strength: SOC-dependent slow fluctuation, as a fraction of the sheet field's range.
        soc_rest: SOC without fluctuation, in percent.
        soc_range: Distance from `soc_rest` at which the fluctuation is full, in percent.
        soc_decay: Time constant of the fluctuation, in steps.
    """

    polynomials: int = 9
    map_functions: int = 22
    edge_steps: int = 4
    edge_slope_steps: int = 12
    line_band: tuple[float, float] = (0.30, 0.495)
    line_grid: float = 5e-4
    line_threshold: float = 20.0
    line_window: float = 0.018
    line_share: float = 0.5
    map_threshold: float = 1.5
    spectrum_lag: int = 16
    bures_ridge: float = 1e-9
    unseen_waves: tuple[float, float, float, float] = (1 / 2, 1 / 6, 1 / 6, 1 / 6)
    magnitude_floor: float = 1e-9
    spread_positions: int = 820
    soh_baseline: float = 1.0
    moment_slope: float = 6.175
    moment_zero_V: float = 2.54
    full_V: float = 3.34
    inventory_share: float = 0.5
    ageing: tuple[float, float, float, float] = (1.0, 0.25, 0.35, 0.0)
    ageing_jitter: float = 0.10
    cell_moment: float = 0.015
    cell_pattern: float = 0.02
    cell_size: float = 0.01
    lift_off: float = 0.05
    shift: float = 0.30
    soc_strength: float = 0.04
    soc_rest: float = 50.0
    soc_range: float = 50.0
    soc_decay: float = 30.0

    def with_ageing_direction(self, direction) -> BridgeV2Config:
        """Return a configuration that ages with the same strength in another direction, for ablations.

        Args:
            direction: (4,) in the modes mean, edge, z, y; its length is immaterial.

        Raises:
            MagBridgeError: If `direction` is not four finite numbers, or if all are zero.
        """
        direction = [float(d) for d in direction]
        length = math.hypot(*direction)
        if len(direction) != 4 or not 0 < length < math.inf:
            raise MagBridgeError(f"ageing direction {direction}: expected four finite numbers, not all zero")
        mean, edge, z, y = (d * math.hypot(*self.ageing) / length for d in direction)
        return dataclasses.replace(self, ageing=(mean, edge, z, y))
