"""Writes MagBridge-Battery releases: from upstream files to signals, splits and a release folder."""

from bridge.config import BridgeConfig
from bridge.generate import Bridge

__all__ = ["Bridge", "BridgeConfig"]
