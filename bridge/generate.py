"""Select the bridge of an edition, and turn a plan into signals, including sensor faults."""

from pathlib import Path
from typing import Any

import numpy as np

from bridge import upstream, v2
from bridge.config import SEVERITY_MAX, SEVERITY_MIN, BridgeConfig
from bridge.plan import AnyComposition, Plan, make_plan
from bridge.upstream import Upstream
from bridge.v1.generate import Bridge
from bridge.v2 import BridgeV2, BridgeV2Config, ScanMap, UpstreamV2
from bridge.v3.config import PhysicsConfig
from bridge.v3.release import BridgeV3, InputsV3
from dataset_card.contract.editions import V1, V2, V3, Edition, edition_of
from dataset_card.contract.schema import CHANNELS, MASTER_SEED, MEASURED_CHANNELS, T
from dataset_card.errors import MagBridgeError

AnyBridge = Bridge | BridgeV2
AnyUpstream = Upstream | UpstreamV2
AnyConfig = BridgeConfig | BridgeV2Config

ReleaseInputs = AnyUpstream | InputsV3
ReleaseBridge = AnyBridge | BridgeV3
ReleaseConfig = AnyConfig | PhysicsConfig
"""Types for releases of every edition: the scan-based v1 and v2, and v3, which is computed and reads no files."""

CONFIGS: dict[Edition, type[ReleaseConfig]] = {V1: BridgeConfig, V2: BridgeV2Config, V3: PhysicsConfig}
"""Configuration class of each edition's bridge."""


def inputs_of(
    bridge: str = "v1", choice: str = "auto", upstream_dir: Path | str | None = None, fetch: bool = True
) -> ReleaseInputs:
    """Return the inputs of any bridge; v3 reads no upstream. The arguments are those of `resolve`.

    Raises:
        MagBridgeError: As in `resolve`, or if v3 is given an upstream.
    """
    if bridge != V3.bridge:
        return resolve(bridge, choice, upstream_dir, fetch)
    if choice != "auto" or upstream_dir is not None:
        raise MagBridgeError(f"upstream {choice!r} for v3: v3 is computed without an upstream; leave it out")
    return InputsV3()


def resolve(
    bridge: str = "v1", choice: str = "auto", upstream_dir: Path | str | None = None, fetch: bool = True
) -> AnyUpstream:
    """Return the inputs of v1 or v2 (see `bridge.upstream.resolve`).

    Args:
        bridge: `v1` or `v2`.
        choice: `auto`, `published`, `osf` or `simulated`.
        upstream_dir: Folder of published files.
        fetch: Whether missing files may be downloaded.

    Raises:
        MagBridgeError: If the bridge or the choice is unknown, or if a file is missing, damaged or has unexpected
            contents.
    """
    if bridge not in (V1.bridge, V2.bridge):
        raise MagBridgeError(f"bridge {bridge!r}: expected {V1.bridge} or {V2.bridge}")
    return (v2 if bridge == V2.bridge else upstream).resolve(choice, upstream_dir, fetch)


def make_bridge(
    inputs: Any, config: Any = None, master_seed: int = MASTER_SEED, scan_map: ScanMap | None = None
) -> Any:
    """Return the bridge of the given inputs.

    Args:
        inputs: `ReleaseInputs`, as `resolve` or `inputs_of` returns them.
        config: A `ReleaseConfig`; the configuration of the published release by default.
        master_seed: Seed of virtual cells; ignored by v1, which has none.
        scan_map: A fitted map for v2; fitted to the inputs by default.

    Raises:
        MagBridgeError: If the configuration belongs to another edition.
    """
    kind: Any = CONFIGS[edition_of_upstream(inputs)]
    config = kind() if config is None else config
    if not isinstance(config, kind):
        raise MagBridgeError(f"configuration of type {type(config).__name__}: expected {kind.__name__}")
    if isinstance(inputs, InputsV3):
        return BridgeV3(config, master_seed)
    return BridgeV2(inputs, config, scan_map, master_seed) if isinstance(inputs, UpstreamV2) else Bridge(inputs, config)


def plan_of(bridge: AnyBridge, counts: AnyComposition, master_seed: int) -> Plan:
    """Return the plan of a v1 or v2 release.

    Args:
        bridge: The bridge of v1 or v2.
        counts: Number of rows of each kind.
        master_seed: Seed from which every other seed is derived.
    """
    return make_plan(
        bridge.upstream.pulses,
        bridge.config,
        master_seed=master_seed,
        composition=counts,
        bridge_version=bridge.upstream.bridge_version,
        lowest_V=float(bridge.upstream.statistics.voltages[0]),
    )


def generate_plan(bridge: AnyBridge, plan: Plan, workers: int | None = None) -> np.ndarray:
    """Generate the signals of all rows of a plan.

    In v1, a fault is injected into a copy of its parent's signal, in all six channels. In v2, it is injected into a
    separate scan, which shares the parent's battery, voltage, SOC, SOH and mounting, and draws noise, lines, transients
    and place across the cell from its own seed, so that parent and anomaly have no reading in common. There the fault
    affects the four measured channels, and the magnitudes are derived from the faulty readings, as an instrument would
    derive them. In clean rows the magnitudes follow from the measured channels and the unseen field; a fault injected
    into the magnitudes directly would break that relation, and a model could detect every fault by it.

    Args:
        bridge: The bridge of v1 or v2.
        plan: Requests and labels of the n rows.
        workers: Threads; all cores by default. The result does not depend on it.

    Returns:
        (n, 100, 6) signals in nT, in the plan's order.
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
    """Return the edition of the releases built from the given inputs."""
    return edition_of(inputs.bridge_version)


def _scaled(severity: float) -> float:
    """Map a severity from [0.2, 1] to [0, 1]."""
    return (severity - SEVERITY_MIN) / (SEVERITY_MAX - SEVERITY_MIN)


def sensor_dropout(x: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Silence one to three channels for 10 to 50 % of the scan; only 3 % of their noise remains."""
    u, (steps, channels) = _scaled(severity), x.shape
    count = int(round(1 + 2 * u))
    window = max(1, int(round((0.10 + 0.40 * u) * steps)))
    chosen = rng.choice(channels, count, replace=False)
    start = int(rng.integers(0, steps - window + 1))
    x = x.copy()
    for c in chosen:
        before = x[:start, c] if start > 0 else x[:, c]
        x[start : start + window, c] = rng.standard_normal(window) * 0.03 * (before.std() or 1e-6)
    return x


def calibration_drift(x: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Let the gain of all channels drift by 5 to 25 % over the scan, with a slight bend."""
    magnitude = 0.05 + 0.20 * _scaled(severity)
    end = magnitude if rng.random() < 0.5 else -magnitude
    bend = rng.uniform(-0.3, 0.3) * end
    t = np.linspace(0, 1, len(x))
    return x * (1 + end * t + bend * (t**2 - t))[:, None]


def temporal_warp(x: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Jitter the sampling times by up to 2 to 15 % of a step and resample the signal linearly."""
    time = np.linspace(0, 1, len(x))
    step = 1 / (len(x) - 1)
    jitter = (0.02 + 0.13 * _scaled(severity)) * step
    warped = time + rng.uniform(-jitter, jitter, len(x))
    warped[1:-1] = np.sort(np.clip(warped[1:-1], 0.0, 1.0))
    warped[0], warped[-1] = 0.0, 1.0
    return np.stack([np.interp(warped, time, channel) for channel in x.T], axis=1)


def periodic_interference(x: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Add one or two sine waves of 2 to 10 cycles per scan to one or more channels."""
    u, channels = _scaled(severity), x.shape[1]
    amplitude = 0.10 + 0.30 * u
    chosen = rng.choice(channels, int(round(1 + (channels - 1) * u)), replace=False)
    frequencies = 2 if severity > 0.7 else 1
    t = np.linspace(0, 1, len(x))
    out = x.copy()
    for c in chosen:
        for _ in range(frequencies):
            cycles, phase = rng.uniform(2, 10), rng.uniform(0, 2 * np.pi)
            out[:, c] += amplitude * x[:, c].std() * np.sin(2 * np.pi * cycles * t + phase)
    return out


INJECTORS = {f.__name__: f for f in (sensor_dropout, calibration_drift, temporal_warp, periodic_interference)}


def inject(x: np.ndarray, subtype: str, severity: float, seed: int) -> np.ndarray:
    """Inject a synthetic anomaly.

    Args:
        x: (T, C) clean signal in nT.
        subtype: Name of the sensor fault, a key of `INJECTORS`.
        severity: In [0.2, 1].
        seed: The row's generation seed; the severity was drawn from it, the fault is drawn from `seed + 1`.

    Returns:
        (T, C) faulty signal in nT.

    Raises:
        MagBridgeError: If the subtype is unknown or the severity is out of range.
    """
    if subtype not in INJECTORS:
        raise MagBridgeError(f"anomaly subtype {subtype!r}: expected one of {', '.join(INJECTORS)}")
    if not SEVERITY_MIN <= severity <= SEVERITY_MAX:
        raise MagBridgeError(f"severity {severity}: expected {SEVERITY_MIN} to {SEVERITY_MAX}")
    return INJECTORS[subtype](x, severity, np.random.default_rng(seed + 1))
