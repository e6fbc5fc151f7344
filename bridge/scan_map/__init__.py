"""The v2 bridge: a map fitted to scans, and increments from a model of the cell as a magnetised sheet."""

from bridge.scan_map.config import BridgeV2Config
from bridge.scan_map.generate import BridgeV2
from bridge.scan_map.inputs import UpstreamV2, resolve
from bridge.scan_map.model import ScanMap

__all__ = ["BridgeV2", "BridgeV2Config", "ScanMap", "UpstreamV2", "resolve"]
