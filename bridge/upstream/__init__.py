"""Sources of the bridge's inputs: published files, a user's scan archive, or the simulation."""

from bridge.upstream.resolution import CHOICES, locate, resolve
from bridge.v1.inputs import AnchorStatistics, PulseTable, Upstream

__all__ = ["CHOICES", "AnchorStatistics", "PulseTable", "Upstream", "locate", "resolve"]
