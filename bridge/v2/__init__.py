"""The v2 bridge: a map fitted to scans, and increments from a model of the cell as a magnetised sheet."""

from bridge.v2.config import BridgeV2Config
from bridge.v2.generate import BridgeV2
from bridge.v2.inputs import UpstreamV2, resolve
from bridge.v2.model import ScanMap

__all__ = ["BridgeV2", "BridgeV2Config", "ScanMap", "UpstreamV2", "resolve"]
