"""The locked configuration of the v1.0 bridge and its hash."""

import dataclasses
import hashlib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from dataset_card.storage.digests import canonical_json

ANCHOR_VOLTAGES = (2.54, 2.81, 3.00, 3.10, 3.34)
"""Voltages of the scanned cell at its five magnetometry anchors, in V, ascending."""

GROUNDED_MIN_V, GROUNDED_MAX_V = 3.06, 3.34
"""Voltage range in which real scans and PulseBat pulses overlap: the grounded regime."""

SEVERITY_MIN, SEVERITY_MAX = 0.2, 1.0
"""Range of a synthetic anomaly's severity."""

BRIDGE_VERSION = "v1.3"
BRIDGE_VERSION_SIMULATED = "v1.3-simulated"
CHEMISTRY = "LFP"


@dataclass(frozen=True)
class HashedConfig:
    """A configuration that is a part of every sample id."""

    def hash(self) -> str:
        """Return the first 12 hex digits of the SHA-256 of the configuration's canonical JSON."""
        return config_hash(dataclasses.asdict(self))

    @classmethod
    def of(cls, document: Mapping) -> Self:
        """Rebuild a configuration from a manifest, where nested configurations and tuples are plain JSON values.

        Raises:
            TypeError: If an entry is missing, unknown or of the wrong type.
        """
        return _from_plain(cls, document)


@dataclass(frozen=True)
class BridgeConfig(HashedConfig):
    """Strengths of the bridge's stages; the defaults are those of v1.0 (release notes, bridge configuration).

    Attributes:
        soh_baseline: SOH at which a signal carries no degradation.
        qrec_drift_strength: Displacement in LDA space per unit of lost SOH.
        decode_k: Scans blended by the decoder.
        decode_kernel_sigma: Length scale of the softmin weights, in LDA units.
        cone_half_angle_deg: Half angle of the cone of admissible scans around the state direction, in degrees.
        cone_min_candidates: With fewer scans than this in the cone, every scan is admissible.
        cone_disable_below_delta: Lost SOH below which every scan is admissible.
        amplitude_strength: Channel gain noise per unit of lost SOH (half of it is the standard deviation).
        spectral_strength: Broadband noise per unit of lost SOH, as a fraction of the channel's range.
        sensor_noise_fraction: Sensor noise as a fraction of the channel's standard deviation.
        soc_fluctuation_strength: SOC-dependent slow fluctuation, as a fraction of the channel's range.
        soc_rest: SOC without fluctuation, in percent.
        soc_range: Distance from `soc_rest` at which the fluctuation is full, in percent.
    """

    soh_baseline: float = 1.0
    qrec_drift_strength: float = 800.0
    decode_k: int = 8
    decode_kernel_sigma: float = 50.0
    cone_half_angle_deg: float = 75.0
    cone_min_candidates: int = 8
    cone_disable_below_delta: float = 0.02
    amplitude_strength: float = 0.30
    spectral_strength: float = 0.05
    sensor_noise_fraction: float = 0.05
    soc_fluctuation_strength: float = 0.04
    soc_rest: float = 50.0
    soc_range: float = 50.0


def _from_plain(kind, document):
    """Rebuild a dataclass from its `dataclasses.asdict` after a round trip through JSON; ignore derived fields."""
    types, fixed = typing.get_type_hints(kind), {f.name for f in dataclasses.fields(kind) if not f.init}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
    return kind(
        **{
            name: _from_plain(types[name], value) if dataclasses.is_dataclass(types.get(name)) else value
            for name, value in values.items()
            if name not in fixed
        }
    )


def config_hash(config: dict) -> str:
    """Return the first 12 hex digits of the SHA-256 of a configuration's canonical JSON."""
    return hashlib.sha256(canonical_json(config).encode()).hexdigest()[:12]
