"""Every bridge: which one serves a version, and how those of scans turn a plan into signals."""

from __future__ import annotations

from pathlib import Path
from typing import overload

import numpy as np

from bridge import upstream, v2
from bridge.anomalies import inject
from bridge.config import BridgeConfig
from bridge.plan import Plan
from bridge.upstream import Upstream
from bridge.v1.generate import Bridge
from bridge.v2 import BridgeV2, BridgeV2Config, ScanMap, UpstreamV2
from bridge.v3.config import PhysicsConfig
from bridge.v3.release import BridgeV3, InputsV3
from dataset_card.contract.editions import EDITIONS, V1, V2, V3, Edition, edition_of
from dataset_card.contract.schema import CHANNELS, MASTER_SEED, MEASURED_CHANNELS, T
from dataset_card.errors import MagBridgeError

AnyBridge = Bridge | BridgeV2
AnyUpstream = Upstream | UpstreamV2
AnyConfig = BridgeConfig | BridgeV2Config

ReleaseInputs = AnyUpstream | InputsV3
ReleaseBridge = AnyBridge | BridgeV3
ReleaseConfig = AnyConfig | PhysicsConfig
"""What releases are made from: scans and pulse tables, or v3's physics, which reads neither."""

CONFIGS: dict[Edition, type[ReleaseConfig]] = {V1: BridgeConfig, V2: BridgeV2Config, V3: PhysicsConfig}
"""Configuration of each edition's bridge."""


def inputs_of(
    bridge: str = "v1", choice: str = "auto", upstream_dir: Path | str | None = None, fetch: bool = True
) -> ReleaseInputs:
    """The inputs of any bridge; arguments as in `resolve`. v3 reads no upstream.

    Raises:
        MagBridgeError: As in `resolve`, or v3 was given an upstream.
    """
    if bridge != V3.bridge:
        return resolve(bridge, choice, upstream_dir, fetch)
    if choice != "auto" or upstream_dir is not None:
        raise MagBridgeError(f"upstream {choice!r} for v3: it is computed and reads none; leave the upstream out")
    return InputsV3()


def resolve(
    bridge: str = "v1", choice: str = "auto", upstream_dir: Path | str | None = None, fetch: bool = True
) -> AnyUpstream:
    """The inputs of a bridge, as `bridge.upstream.resolve` finds those of v1.

    Args:
        bridge: `v1` or `v2`.
        choice: `auto`, `published`, `osf` or `simulated`.
        upstream_dir: Folder of published files.
        fetch: Whether missing files may be downloaded.

    Raises:
        MagBridgeError: Unknown bridge or choice; a file is missing or damaged, or its contents are not as expected.
    """
    known = [edition.bridge for edition in (V1, V2)]
    if bridge not in known:
        raise MagBridgeError(f"bridge {bridge!r}: expected {' or '.join(known)}")
    return (v2 if EDITIONS[bridge] is V2 else upstream).resolve(choice, upstream_dir, fetch)


@overload
def make_bridge(
    inputs: AnyUpstream, config: AnyConfig | None = None, master_seed: int = ..., scan_map: ScanMap | None = None
) -> AnyBridge: ...


@overload
def make_bridge(
    inputs: ReleaseInputs, config: ReleaseConfig | None = None, master_seed: int = ..., scan_map: ScanMap | None = None
) -> ReleaseBridge: ...


def make_bridge(inputs, config=None, master_seed=MASTER_SEED, scan_map=None):
    """The bridge that serves some inputs.

    Args:
        inputs: What `resolve` or `inputs_of` found.
        config: Its numbers; those of the published release by default.
        master_seed: Seed of virtual cells; v1 has none.
        scan_map: v2's map, fitted before; fitted to the inputs by default.
    """
    if isinstance(inputs, InputsV3):
        return BridgeV3(_of(PhysicsConfig, config), master_seed)
    if isinstance(inputs, UpstreamV2):
        return BridgeV2(inputs, _of(BridgeV2Config, config), scan_map, master_seed)
    return Bridge(inputs, _of(BridgeConfig, config))


def _of(kind, config):
    if config is None:
        return kind()
    if not isinstance(config, kind):
        raise MagBridgeError(f"configuration of type {type(config).__name__}: expected {kind.__name__}")
    return config


def generate_plan(bridge: AnyBridge, plan: Plan, workers: int | None = None) -> np.ndarray:
    """Signals of every row of a plan, (n, 100, 6) in nT.

    In v1 a fault befalls a copy of its parent's signal, in all six channels. In v2 it befalls a scan of its own: the
    parent's battery, voltage, SOC, SOH and mounting, and noise, lines, transients and place across the cell from its
    own seed, so that no reading of the one is in the other. There it befalls the four measured channels, and the
    magnitudes are derived from what these then read, as an instrument would: in clean rows they follow from the
    measured channels and the field that these do not see, so a fault of their own would break that relation, and a
    model could tell every fault from it unseen.
    """
    rows, injected = plan.rows, np.flatnonzero(plan.parent >= 0)
    voltage, soc, seed = (rows[name].to_numpy() for name in ("voltage", "soc", "generation_seed"))
    if isinstance(bridge, BridgeV2):
        mounted = np.where(plan.parent >= 0, seed[plan.parent], seed)
        battery = rows["battery_id"].tolist()
        out = bridge.generate_many(voltage, soc, plan.signal_soh, seed, battery, workers, mounted)
        faulty = out[injected]
    else:
        own = np.flatnonzero(plan.parent < 0)
        out = np.empty((len(rows), T, len(CHANNELS)))
        out[own] = bridge.generate_many(voltage[own], soc[own], plan.signal_soh[own], seed[own], workers)
        faulty = out[plan.parent[injected]]
    befallen = faulty[..., :MEASURED_CHANNELS] if isinstance(bridge, BridgeV2) else faulty
    faults = rows.iloc[injected][["anomaly_subtype", "anomaly_severity", "generation_seed"]]
    for x, subtype, severity, fault_seed in zip(befallen, *(faults[name] for name in faults)):
        x[:] = inject(x, subtype, severity, int(fault_seed))
    if isinstance(bridge, BridgeV2):
        bridge.derive_magnitudes(voltage[injected], seed[injected], faulty)
    out[injected] = faulty
    return out


def edition_of_upstream(inputs: ReleaseInputs) -> Edition:
    """The edition of the releases that are built from some inputs."""
    return edition_of(inputs.bridge_version)
