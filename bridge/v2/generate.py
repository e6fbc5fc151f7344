"""The v2 bridge: generate signals for requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bridge.identity import checked_requests
from bridge.upstream.simulated_parameters import SimulationParameters, load_parameters
from bridge.v1.reservoir import cores
from bridge.v2 import kernel
from bridge.v2.config import BridgeV2Config
from bridge.v2.covariance import SPECTRUM_LENGTH
from bridge.v2.draws import draw, draw_cell
from bridge.v2.fit import places
from bridge.v2.inputs import UpstreamV2, fit_upstream
from bridge.v2.model import ScanMap, evaluate_polynomials
from bridge.v2.sheet import nominal_field, sheet_rows, soc_wave
from dataset_card.contract.schema import CHANNELS, MASTER_SEED, MEASURED_CHANNELS, T
from dataset_card.errors import MagBridgeError

CHUNK = 128
"""Number of rows generated together: enough to amortise the cost of a batch, few enough for the cache."""


class BridgeV2:
    """Generates magnetic signatures of an aged cell from a map of a fresh cell's scans and a model of its sheet.

    A signal depends only on its request, its seed, the upstream, the configuration and, if it has a cell, the master
    seed: neither its neighbours in a batch nor the number of threads affect it.

    Args:
        upstream: Scans or statistics (see `bridge.v2.inputs.resolve`); may be None if a fitted map is given.
        config: Parameters of the fit and of the increments.
        scan_map: A fitted map, as shipped with a release; fitted to the upstream by default.
        master_seed: Seed from which virtual cells are drawn.

    Raises:
        MagBridgeError: If the map's anchors are outside the range of the sheet's moments, or if neither an upstream nor
            a map is given.

    Example:
        >>> from bridge.v2 import BridgeV2, resolve
        >>> bridge = BridgeV2(resolve("simulated"))
        >>> bridge.generate(voltage=3.2, soc=50, soh=0.85, seed=7, cell="LFP-35Ah-001").shape
        (100, 6)
    """

    def __init__(
        self,
        upstream: UpstreamV2 | None,
        config: BridgeV2Config = BridgeV2Config(),
        scan_map: ScanMap | None = None,
        master_seed: int = MASTER_SEED,
    ):
        self._upstream, self.config, self.master_seed = upstream, config, master_seed
        if scan_map is None and upstream is None:
            raise MagBridgeError("neither an upstream nor a fitted map: expected at least one")
        self.scan_map = scan_map or fit_upstream(self.upstream, config)
        self._parameters = load_parameters()
        for voltage in self.scan_map.voltages[[0, -1]].tolist():
            self._parameters.anchors.at(voltage)
        self._intervals = _intervals(self.scan_map, self._parameters)
        self._fixed = _fixed(self.scan_map, self._parameters, config)

    @property
    def upstream(self) -> UpstreamV2:
        """The upstream from which the bridge was built.

        Raises:
            MagBridgeError: If it was built only from a fitted map.
        """
        if self._upstream is None:
            raise MagBridgeError("this bridge was built only from a fitted map: expected a bridge with its upstream")
        return self._upstream

    def anchor_replica(self, voltage: float) -> np.ndarray:
        """Return the noise-free signal at an anchor: its mean trajectory, (T, 6) in nT.

        Raises:
            MagBridgeError: If `voltage` is not an anchor.
        """
        anchor = np.flatnonzero(self.scan_map.voltages == voltage)
        if not len(anchor):
            anchors = ", ".join(f"{v:.2f}" for v in self.scan_map.voltages)
            raise MagBridgeError(f"voltage {voltage} V: expected an anchor, one of {anchors} V")
        return self.scan_map.mean[anchor[0]].copy()

    def generate(self, voltage: float, soc: float, soh: float, seed: int, cell: str | None = None) -> np.ndarray:
        """Generate one signal.

        Args:
            voltage: Between the lowest and the highest anchor, in V.
            soc: State of charge, 0 to 100 %.
            soh: State of health, a fraction in (0, 1.05].
            seed: Seed of the signal's own generator, below 2^64.
            cell: Name of the cell, any string: its make is drawn from the name. None for the nominal cell.

        Returns:
            (100, 6) signal in nT, channels in release order.

        Raises:
            MagBridgeError: If a value is out of range or NaN.
        """
        return self.generate_many([voltage], [soc], [soh], [seed], [cell])[0]

    def generate_many(
        self,
        voltage,
        soc,
        soh,
        seed,
        cell: Sequence[str | None] | None = None,
        workers: int | None = None,
        mounted: np.ndarray | None = None,
    ) -> np.ndarray:
        """Generate the signals of many requests; each equals the result of `generate`, byte for byte.

        Args:
            voltage: (n,) in V.
            soc: (n,) in percent.
            soh: (n,) fractions.
            seed: (n,) integers.
            cell: (n,) names of cells, each a string or None; no cells by default.
            workers: Threads; all cores by default.
            mounted: (n,) seeds that determine the mounting (lift-off and shift) of each signal; its own seed by
                default.

        Returns:
            (n, 100, 6) signals in nT.

        Raises:
            MagBridgeError: If a value is out of range or NaN; the error names the request.
        """
        anchors = self.scan_map.voltages
        voltage, soc, soh, seeds, cells = checked_requests(voltage, soc, soh, seed, cell, voltages=anchors.tolist())
        numbers = {name: draw_cell(name, self.master_seed) for name in set(cells) if name is not None}
        out = np.empty((len(seeds), T, len(CHANNELS)))
        chunks = [
            (interval, rows[start : start + CHUNK])
            for interval, rows in self._rows_by_interval(voltage)
            for start in range(0, len(rows), CHUNK)
        ]

        def run(chunk):
            interval, rows = chunk
            who, draws = [numbers.get(cells[i]) for i in rows], draw([seeds[i] for i in rows])
            if mounted is not None:
                other = np.flatnonzero([mounted[i] != seeds[i] for i in rows])
                draws.mounting[other] = draw([int(mounted[rows[i]]) for i in other]).mounting
            self._generate_chunk(interval, rows, voltage[rows], soc[rows], soh[rows], draws, who, out)

        with ThreadPoolExecutor(workers or cores()) as pool:
            list(pool.map(run, chunks))
        return out

    def derive_magnitudes(self, voltage: np.ndarray, seed: np.ndarray, signals: np.ndarray) -> None:
        """Recompute the magnitudes of signals from their measured channels, as generation derives them.

        Args:
            voltage: (n,) voltages in V at which the signals were generated.
            seed: (n,) seeds of the signals.
            signals: (n, 100, 6) in nT, C-contiguous; the last two channels are written.
        """
        for interval, rows in self._rows_by_interval(voltage):
            t, unseen = self._place(interval, voltage[rows]), draw(seed[rows].tolist()).unseen
            kernel.magnitudes(t, self._intervals[interval].unseen, self._fixed.unseen_wave, unseen, rows, signals)

    def _rows_by_interval(self, voltage: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Return the row numbers in each interval; an inner anchor belongs to the interval below it."""
        anchors = self.scan_map.voltages
        low = np.maximum(np.searchsorted(anchors, voltage, side="left"), 1) - 1
        return [(interval, np.flatnonzero(low == interval)) for interval in range(len(anchors) - 1)]

    def _place(self, interval: int, voltage: np.ndarray) -> np.ndarray:
        """Return the place of voltages in an interval: 0 at its lower anchor, 1 at its upper."""
        low, high = self.scan_map.voltages[interval : interval + 2]
        return (voltage - low) / (high - low)

    def _generate_chunk(self, interval: int, rows, voltage, soc, soh, draws, cells, out) -> None:
        scan_map = self.scan_map
        t = self._place(interval, voltage)
        u = 2 * draws.position - 1
        place = self._parameters, self.config, voltage, soc, soh, u, cells
        sheets = sheet_rows(*place, draws.mounting, draws.soc)
        arrays = self._intervals[interval]
        spectra = np.empty((len(rows), MEASURED_CHANNELS, SPECTRUM_LENGTH // 2 + 1), complex)
        kernel.noise_spectra(t, arrays.noise_root, draws.noise, spectra.view(float).reshape(*spectra.shape, 2))
        noise = np.fft.irfft(spectra, SPECTRUM_LENGTH)
        phi = evaluate_polynomials(scan_map.polynomials, u)
        kernel.signals(t, phi, draws, noise, arrays, self._fixed, sheets, rows, out)
        kernel.magnitudes(t, arrays.unseen, self._fixed.unseen_wave, draws.unseen, rows, out)


def _intervals(scan_map: ScanMap, parameters: SimulationParameters) -> list[kernel.Interval]:
    """Return the map between each pair of neighbouring anchors, with steps and frequencies as the last axis."""
    mean = scan_map.mean[..., :MEASURED_CHANNELS]
    if scan_map.sheet:
        u = places(int(scan_map.positions))
        sheets = np.stack([nominal_field(parameters, v, u).mean(axis=0) for v in scan_map.voltages.tolist()])
        mean = mean - scan_map.scale * sheets
    roots = scan_map.offset_root, scan_map.line_root, scan_map.noise_root
    courses = mean.swapaxes(1, 2), scan_map.beta.swapaxes(2, 3)
    arrays = (*courses, *roots, scan_map.unseen, scan_map.scale.swapaxes(1, 2))
    return [
        kernel.Interval(*(np.array(array[low : low + 2], order="C") for array in arrays))
        for low in range(len(scan_map.voltages) - 1)
    ]


def _fixed(scan_map: ScanMap, parameters: SimulationParameters, config: BridgeV2Config) -> kernel.Fixed:
    scan = parameters.scan
    lines = scan_map.line_frequency, np.sqrt(3) * scan_map.line_spread
    ends = scan_map.start, scan_map.end, scan_map.onset
    rig = scan.h, scan.z0, scan.y0, float(scan.dy), float(scan.sheet_length), float(scan.sheet_width)
    waves = unseen_waves(scan_map.unseen_shape, config)
    return kernel.Fixed(*lines, *ends, *rig, soc_wave(T, config), bool(scan_map.sheet), waves)


def unseen_waves(shape: np.ndarray, config: BridgeV2Config) -> np.ndarray:
    """Compute waves (2, 4, T) that, with standard normal heights, give the unseen field the mean square `shape`.

    Args:
        shape: (T, 2) mean square along the scan for each sensor.
        config: Shares of the waves.
    """
    phase = np.pi * (np.arange(T) + 0.5) / T
    waves = np.stack(
        [math.sqrt(share * (2 if k else 1)) * np.cos(k * phase) for k, share in enumerate(config.unseen_waves)]
    )
    return np.sqrt(shape.T)[:, None] * waves
