"""Writes MagBridge-Battery releases: from upstream files to signals, splits and a release folder."""

from bridge.config import BridgeConfig
from bridge.retrieval.generate import Bridge
from bridge.scan_map import BridgeV2, BridgeV2Config

__all__ = ["Bridge", "BridgeConfig", "BridgeV2", "BridgeV2Config"]
