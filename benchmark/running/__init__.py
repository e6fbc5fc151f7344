"""Runs of declared models under every protocol, and of the yardsticks that boards show with them."""

from benchmark.running.protocols import OUTSIDE, run_baselines

__all__ = ["OUTSIDE", "run_baselines"]
