"""Declared models run under every protocol, and what boards hold beside them as yardsticks."""

from benchmark.running.protocols import OUTSIDE, run_baselines

__all__ = ["OUTSIDE", "run_baselines"]
