"""Where the bridge's inputs come from: published files, a user's scan archive, or the simulation."""

from bridge.upstream.inputs import AnchorStatistics, PulseTable, Upstream
from bridge.upstream.resolution import CHOICES, locate, resolve

__all__ = ["CHOICES", "AnchorStatistics", "PulseTable", "Upstream", "locate", "resolve"]
