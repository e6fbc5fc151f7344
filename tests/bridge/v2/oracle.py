"""The equations of v2's generation as one plain numpy function a row: oracle and yardstick of the fast path."""

import hashlib

import numpy as np

from bridge.upstream.simulated import dipole_field, sheet_field
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
        rng.standard_normal(27),
    )
    hi = max(1, int(np.searchsorted(scan_map.voltages, voltage)))
    t = (voltage - scan_map.voltages[hi - 1]) / (scan_map.voltages[hi] - scan_map.voltages[hi - 1])

    def at(array):
        return (1 - t) * array[hi - 1] + t * array[hi]

    u = 2 * r - 1
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
    rest = scan_map.mean[..., :4]
    if scan_map.sheet:
        fluctuation += backbone(voltage, np.array([u]))[0]
        everywhere = np.linspace(-1, 1, int(scan_map.positions))
        means = [backbone(v, everywhere).mean(axis=0) for v in scan_map.voltages]
        rest = rest - scan_map.scale * np.stack(means)
    out[:, :4] = at(rest) + at(scan_map.scale) * fluctuation

    nominal = sheet(voltage, u, nominal_patches(voltage))
    if cell is not None or soh < 1:
        q = np.append(np.zeros(9), 1) if cell is None else cell_numbers(cell, master_seed)
        lift, shift = (0, 0) if cell is None else (config.lift_off * late[16], config.shift * late[17])
        make = 1.0 if cell is None else np.exp(config.cell_moment * q[0] - config.cell_moment**2 / 2)
        patches = aged_patches(config, voltage, soc, soh, q, make)
        own = sheet(voltage, u, patches, lift, shift, np.exp(config.cell_size * q[4]), np.exp(config.cell_size * q[5]))
        out[:, :4] += own - nominal
    wave = np.exp(-N / config.soc_decay)
    wave = (wave - wave.mean()) / wave.std()
    strength = config.soc_strength * min(1, abs(soc - config.soc_rest) / config.soc_range)
    out[:, :4] += strength * late[18] * wave[:, None] * np.ptp(nominal, axis=0)
    for s in range(2):
        heights = late[19 + 4 * s : 23 + 4 * s] * np.sqrt(np.array(config.unseen_waves) * [1, 2, 2, 2])
        x = sum(h * np.cos(np.pi * k * (N + 0.5) / 100) for k, h in enumerate(heights))
        unseen = at(scan_map.unseen)[s] * scan_map.unseen_shape[:, s] * x**2
        out[:, 4 + s] = np.sqrt(out[:, 2 * s] ** 2 + out[:, 2 * s + 1] ** 2 + unseen)
    return out


def cell_numbers(cell, master_seed):
    digest = hashlib.sha256(f"{master_seed}::v2/cell/{cell}".encode()).hexdigest()
    rng = np.random.default_rng(int(digest[:8], 16) & 0x7FFFFFFF)
    return np.append(rng.standard_normal(9), rng.random())


def nominal_patches(voltage):
    return np.full((3, 3), PARAMETERS.anchors.at(voltage)["moment"][0] / 9)


def aged_patches(config, voltage, soc, soh, q, own):
    edge = np.full((3, 3), 1 / np.sqrt(8))
    edge[1, 1] = -8 / np.sqrt(8)
    z = np.array([[-1.0], [0.0], [1.0]]) * np.sqrt(1.5) * np.ones(3)
    y = z.T
    make = 1 + config.cell_pattern * (q[1] * edge + q[2] * z + q[3] * y)
    a, j = config.ageing, config.ageing_jitter
    age = a[0] + (a[1] + j * q[6]) * edge + (a[2] + j * q[7]) * z + (a[3] + j * q[8]) * y
    moment = PARAMETERS.anchors.at(voltage)["moment"][0]
    if q[9] < config.inventory_share:
        moved = -(1 - soc / 100) * config.moment_slope * (3.34 - 2.54)
    else:
        moved = config.moment_slope * (voltage - 2.54)
    return (moment * own * make - max(0, 1 - soh) * moved * age) / 9


def backbone(voltage, u):
    """Field (n, 100, 4) of the nominal sheet and its dipole."""
    scan, anchor = PARAMETERS.scan, PARAMETERS.anchors.at(voltage)
    mz, mx, my = anchor["moment"] * 1e4
    out = np.zeros((len(u), 100, 4))
    for s in range(2):
        z = N - scan.z0[s] - anchor["dz"]
        y = (20 * u[:, None] - scan.y0[s] - anchor["dp"]) * scan.dy
        nominal = sheet_field(z, y, scan.h[s], scan.sheet_length, scan.sheet_width)
        dipole = dipole_field(z, y, scan.h[s], mx, my)
        for c in range(2):
            out[:, :, 2 * s + c] = mz * nominal[c] + dipole[c]
    return out


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
