"""The equations of v2's generation as one plain numpy function a row: oracle and yardstick of the fast path."""

import hashlib

import numpy as np

from bridge.upstream.simulated import sheet_field
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v2.config import BridgeV2Config
from bridge.v2.model import ScanMap

PARAMETERS = load_parameters()
N = np.arange(100)


def signal(scan_map: ScanMap, config: BridgeV2Config, master_seed, voltage, soc, soh, seed, cell=None) -> np.ndarray:
    """One signal, (100, 6) in nT."""
    rng = np.random.default_rng(seed)
    r = rng.random()
    normal, height, uniform, late = (
        rng.standard_normal(1036),
        rng.standard_exponential(2),
        rng.random(3),
        rng.standard_normal(19),
    )
    hi = max(1, int(np.searchsorted(scan_map.voltages, voltage)))
    t = (voltage - scan_map.voltages[hi - 1]) / (scan_map.voltages[hi] - scan_map.voltages[hi - 1])

    def at(array):
        return (1 - t) * array[hi - 1] + t * array[hi]

    count = float(scan_map.positions)
    u = np.clip(count * r - 0.5, 0, count - 1) / ((count - 1) / 2) - 1
    phi = [np.polynomial.polynomial.polyval(u, c) for c in scan_map.polynomials]
    fluctuation = np.einsum("k,knc->nc", phi, at(scan_map.beta))
    fluctuation += at(scan_map.offset_root) @ normal[:4]

    root = at(scan_map.noise_root)
    root = np.moveaxis(root[0] + 1j * root[1], -1, 0)
    re, im = normal[4:].reshape(2, 129, 4)
    g = (re + 1j * im) / np.sqrt(2)
    g[[0, 128]] = re[[0, 128]]
    fluctuation += np.fft.irfft((root @ g[..., None])[..., 0], 256, axis=0)[:100] * 16

    for line in range(2):
        root = at(scan_map.line_root)[line]
        re, im = late[8 * line : 8 * line + 8].reshape(2, 4)
        amplitude = (root[0] + 1j * root[1]) @ (re + 1j * im) / np.sqrt(2)
        f = scan_map.line_frequency[line] + np.sqrt(3) * scan_map.line_spread[line] * (2 * uniform[1 + line] - 1)
        fluctuation += (np.exp(2j * np.pi * f * N)[:, None] * amplitude).real

    fluctuation[:4] += (height[0] - 1) * scan_map.start
    begun = uniform[0] < scan_map.onset
    fluctuation[96:] += (height[1] * begun - scan_map.onset)[:, None] * scan_map.end
    out = np.empty((100, 6))
    out[:, :4] = at(scan_map.mean)[:, :4] + at(scan_map.scale) * fluctuation

    nominal = sheet(voltage, u, nominal_patches(voltage))
    if cell is not None or soh < 1:
        q = np.zeros(9) if cell is None else cell_numbers(cell, master_seed)
        lift, shift = (0, 0) if cell is None else (config.lift_off * late[16], config.shift * late[17])
        make = 1.0 if cell is None else np.exp(config.cell_moment * q[0] - config.cell_moment**2 / 2)
        patches = aged_patches(config, voltage, soh, q, make)
        own = sheet(voltage, u, patches, lift, shift, np.exp(config.cell_size * q[4]), np.exp(config.cell_size * q[5]))
        out[:, :4] += own - nominal
    wave = np.exp(-N / config.soc_decay)
    wave = (wave - wave.mean()) / wave.std()
    strength = config.soc_strength * min(1, abs(soc - config.soc_rest) / config.soc_range)
    out[:, :4] += strength * late[18] * wave[:, None] * np.ptp(nominal, axis=0)
    unseen = at(scan_map.unseen)
    for s in range(2):
        out[:, 4 + s] = np.sqrt(out[:, 2 * s] ** 2 + out[:, 2 * s + 1] ** 2 + unseen[:, s])
    return out


def cell_numbers(cell, master_seed):
    digest = hashlib.sha256(f"{master_seed}::v2/cell/{cell}".encode()).hexdigest()
    return np.random.default_rng(int(digest[:8], 16) & 0x7FFFFFFF).standard_normal(9)


def nominal_patches(voltage):
    return np.full((3, 3), PARAMETERS.anchors.at(voltage)["moment"][0] / 9)


def aged_patches(config, voltage, soh, q, own):
    edge = np.full((3, 3), 1 / np.sqrt(8))
    edge[1, 1] = -8 / np.sqrt(8)
    z = np.array([[-1.0], [0.0], [1.0]]) * np.sqrt(1.5) * np.ones(3)
    y = z.T
    make = 1 + config.cell_pattern * (q[1] * edge + q[2] * z + q[3] * y)
    a, j = config.ageing, config.ageing_jitter
    age = a[0] + (a[1] + j * q[6]) * edge + (a[2] + j * q[7]) * z + (a[3] + j * q[8]) * y
    moment = PARAMETERS.anchors.at(voltage)["moment"][0]
    return (moment * own * make - max(0, 1 - soh) * config.moment_slope * (voltage - config.moment_zero_V) * age) / 9


def sheet(voltage, u, patches, lift=0.0, shift=0.0, longer=1.0, wider=1.0):
    """Field (100, 4) in nT of nine patches, each a sheet of its own."""
    scan, anchor = PARAMETERS.scan, PARAMETERS.anchors.at(voltage)
    length, width = scan.sheet_length * longer, scan.sheet_width * wider
    out = np.zeros((100, 4))
    for s in range(2):
        z = N - scan.z0[s] - anchor["dz"] - shift
        y = (20 * u - scan.y0[s] - anchor["dp"]) * scan.dy
        for i in range(3):
            for j in range(3):
                field = sheet_field(
                    z - (i - 1) * length / 3, y - (j - 1) * width / 3, scan.h[s] + lift, length / 3, width / 3
                )
                out[:, 2 * s : 2 * s + 2] += 1e4 * patches[i, j] * np.stack(field, axis=-1)
    return out
