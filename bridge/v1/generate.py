"""The v1 bridge: generate signals for requests."""

from __future__ import annotations

import numpy as np

from bridge.config import BridgeConfig
from bridge.identity import checked_requests
from bridge.v1 import reservoir
from bridge.v1.inputs import Upstream
from bridge.v1.stages import add_noise, blend_share, degrade, draw_base, interpolate
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.errors import MagBridgeError

NOISE_CHUNK = 16
"""Number of signals whose noise is added together: as many as fit a core's cache."""


class Bridge:
    """Generates magnetic signatures of an aged cell from scans of a fresh one.

    A signal depends only on its request, its seed, the upstream and the configuration: neither its neighbours in a
    batch nor the number of threads affect it.

    Args:
        upstream: Anchor statistics, scans and latent space (see `bridge.upstream.resolve`).
        config: Strengths of the stages; v1.0 by default.

    Examples:
        >>> from bridge import Bridge, upstream
        >>> bridge = Bridge(upstream.resolve("simulated"))
        >>> bridge.generate(voltage=3.2, soc=50, soh=0.85, seed=7).shape
        (100, 6)
    """

    def __init__(self, upstream: Upstream, config: BridgeConfig = BridgeConfig()):
        self.upstream = upstream
        self.config = config
        self._scan_z = upstream.latent.project(upstream.embeddings)

    def anchor_replica(self, voltage: float) -> np.ndarray:
        """Return the noise-free signal at an anchor: its mean trajectory, (T, 6) in nT.

        Raises:
            MagBridgeError: If `voltage` is not an anchor.
        """
        if voltage not in self.upstream.statistics.voltages:
            anchors = ", ".join(f"{v:.2f}" for v in self.upstream.statistics.voltages)
            raise MagBridgeError(f"voltage {voltage} V: expected an anchor, one of {anchors} V")
        return interpolate(self.upstream.statistics, voltage)[0]

    def generate(self, voltage: float, soc: float, soh: float, seed: int) -> np.ndarray:
        """Generate one signal.

        Args:
            voltage: In [2.54, 3.34] V; below 3.06 V the signal is an extrapolation.
            soc: State of charge, 0 to 100 %.
            soh: State of health, a fraction in (0, 1.05].
            seed: Seed of the signal's own generator.

        Returns:
            (100, 6) signal in nT, channels in release order.

        Raises:
            MagBridgeError: If a value is out of range or NaN.
        """
        return self.generate_many([voltage], [soc], [soh], [seed])[0]

    def generate_many(self, voltage, soc, soh, seed, workers: int | None = None) -> np.ndarray:
        """Generate the signals of many requests; each equals the result of `generate`, byte for byte.

        Args:
            voltage: (n,) in V.
            soc: (n,) in percent.
            soh: (n,) fractions.
            seed: (n,) integers.
            workers: Threads; all cores by default.

        Returns:
            (n, 100, 6) signals in nT.

        Raises:
            MagBridgeError: If a value is out of range or NaN; the error names the request.
        """
        anchors = self.upstream.statistics.voltages
        voltage, soc, soh, seed, _ = checked_requests(voltage, soc, soh, seed, voltages=anchors.tolist())
        rngs = [np.random.default_rng(s) for s in seed]
        out = np.empty((len(seed), T, len(CHANNELS)))
        for i, rng in enumerate(rngs):
            out[i] = draw_base(self.upstream.statistics, voltage[i], rng)

        delta = [self.config.soh_baseline - s for s in soh]
        # If nothing is blended in, neither embedding nor scans matter.
        aged = [i for i, d in enumerate(delta) if blend_share(d) > 0]
        if aged:
            scaler = self.upstream.angle_scaler
            z = self.upstream.latent.project(reservoir.embed(out[aged], scaler.mean, scaler.std, workers))
            for i, zi in zip(aged, z):
                out[i] = degrade(
                    out[i], zi, delta[i], self._scan_z, self.upstream.scans, self.upstream.latent.direction, self.config
                )
        for start in range(0, len(out), NOISE_CHUNK):
            part = slice(start, start + NOISE_CHUNK)
            out[part] = add_noise(out[part], np.array(delta[part]), np.array(soc[part]), rngs[part], self.config)
        return out
