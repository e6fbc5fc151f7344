"""Generate MagBridge-Battery releases: from upstream files to signals, splits and a release folder."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.config import BridgeConfig
    from bridge.v1.generate import Bridge
    from bridge.v2 import BridgeV2, BridgeV2Config

__all__ = ["Bridge", "BridgeConfig", "BridgeV2", "BridgeV2Config"]

_HOMES = {
    "Bridge": "bridge.v1.generate",
    "BridgeConfig": "bridge.config",
    "BridgeV2": "bridge.v2",
    "BridgeV2Config": "bridge.v2",
}


def __dir__():
    return {*globals(), *__all__}


def __getattr__(name: str):
    """Import numba and pandas only when a name that needs them is used, so that a command can be interrupted early."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
