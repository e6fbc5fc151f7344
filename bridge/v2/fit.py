"""Fit a scan map to an archive of scans."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from bridge.upstream.simulated_parameters import load_parameters
from bridge.v1.inputs import AnchorStatistics, scans_by_anchor
from bridge.v2.config import BridgeV2Config
from bridge.v2.covariance import spectrum, stationary_covariance, transported_roots
from bridge.v2.lines import LINES, find_lines
from bridge.v2.model import EDGE, ScanMap, evaluate_polynomials
from bridge.v2.sheet import nominal_field
from dataset_card.contract.schema import MEASURED_CHANNELS, T
from dataset_card.errors import MagBridgeError


def fit(scans: np.ndarray, voltages: Sequence[float], config: BridgeV2Config = BridgeV2Config()) -> ScanMap:
    """Fit mean, map over position, offsets, mains lines, noise, transients and unseen field.

    Args:
        scans: (A * P, 100, 6) scans in nT, ordered by anchor and position, channels in release order.
        voltages: (A,) anchor voltages in V, ascending.
        config: Parameters of the fit.

    Returns:
        The scan map, with a scale of 1.

    Raises:
        MagBridgeError: If there are fewer than two anchors or positions, or if the scans have another shape or are not
            finite.

    Example:
        >>> from bridge.upstream.simulated import scan_archive
        >>> from bridge.upstream.simulated_parameters import load_parameters
        >>> scan_map = fit(scan_archive(load_parameters()), (2.54, 2.81, 3.00, 3.10, 3.34))
        >>> scan_map.beta.shape
        (5, 9, 100, 4)
    """
    x = scans_by_anchor(scans, voltages)
    anchors, positions = x.shape[:2]
    mean, measured = x.mean(axis=1), x[..., :MEASURED_CHANNELS]
    measured, sheet = without_sheet(measured, voltages)
    polynomials = orthonormal_polynomials(positions, min(config.polynomials, (positions - 1) // 4))
    phi = np.vander(places(positions), polynomials.shape[1], increasing=True) @ polynomials.T
    inner = slice(config.edge_steps, T - config.edge_steps)
    waves = np.zeros_like(measured)
    # Iterate, because mean and map must not contain the lines: these would be extended as slopes at the ends, and their
    # average over the scans would be subtracted from every scan.
    for _ in range(3):
        beta = trajectories(measured - waves, phi, config)
        residual = measured - (measured - waves).mean(axis=1, keepdims=True) - np.einsum("pk,aknc->apnc", phi, beta)
        offset = residual[:, :, inner].mean(axis=2)
        rest = residual - offset[:, :, None]
        lines = find_lines(rest.reshape(-1, T, MEASURED_CHANNELS), config)
        waves = lines.waves.reshape(rest.shape)
    noise = rest - waves
    density = spectra(noise[:, :, inner], config, len(lines.frequency))
    ends = transients(noise.reshape(-1, T, MEASURED_CHANNELS), stationary_covariance(density.mean(axis=0)))

    found = len(lines.frequency)
    frequency, spread = np.zeros((2, LINES))
    frequency[:found], spread[:found] = lines.frequency, lines.spread
    amplitude = np.zeros((anchors, positions, LINES, MEASURED_CHANNELS), complex)
    amplitude[:, :, :found] = lines.amplitude.reshape(anchors, positions, found, MEASURED_CHANNELS)
    gamma = np.einsum("aplc,apld->alcd", amplitude, amplitude.conj()) / positions
    noise_root, line_root = (transported_roots(s, config.bures_ridge) for s in (density, gamma))
    archive = np.asarray(voltages, float), np.array(float(positions)), mean, polynomials, beta
    lines_of = frequency, spread, np.stack([line_root.real, line_root.imag], axis=2)
    return ScanMap(
        *archive,
        transported_roots(offset.swapaxes(1, 2) @ offset / positions, config.bures_ridge),
        *lines_of,
        np.moveaxis(np.stack([noise_root.real, noise_root.imag], axis=1), 2, -1),
        *ends,
        *unseen_field((x**2).mean(axis=1), config),
        np.array(float(sheet)),
        np.ones((anchors, T, MEASURED_CHANNELS)),
    )


def without_sheet(measured: np.ndarray, voltages: Sequence[float]) -> tuple[np.ndarray, bool]:
    """Subtract the nominal sheet's field from the scans if that reduces their variance over positions.

    The sheet moves with the voltage and along the scan, which a map that is linear between anchors cannot follow; the
    remainder is smooth in both.

    Args:
        measured: (A, P, T, 4) in nT.
        voltages: (A,) in V.

    Returns:
        The scans, and whether the sheet's field was subtracted.
    """
    parameters, u = load_parameters(), places(measured.shape[1])
    rest = measured - np.stack([nominal_field(parameters, float(v), u) for v in voltages])
    if rest.var(axis=1).sum() < measured.var(axis=1).sum():
        return rest, True
    return measured, False


def spectra(noise: np.ndarray, config: BridgeV2Config, lines: int) -> np.ndarray:
    """Compute the noise spectra (A, 129, C, C): one shape for all anchors, scaled to the level at each anchor.

    The shape is shared because the noise comes from the sensors.

    Args:
        noise: (A, P, N, C) inner steps of scans without mean, map, offset and lines.
        config: Parameters of the fit.
        lines: Number of lines subtracted; the noise power lost to them, to offset and to mean is restored.
    """
    anchors, positions, steps, channels = noise.shape
    pooled = spectrum(noise.reshape(-1, steps, channels), config.spectrum_lag)
    variance, kept = (noise**2).mean(axis=(1, 2)), (steps - 1 - 2 * lines) / steps * (1 - 1 / positions)
    own = variance.mean(axis=0) * kept
    level = np.sqrt(np.divide(variance, own, out=np.zeros_like(variance), where=own > 0))
    return level[:, None, :, None] * pooled * level[:, None, None, :]


def places(positions: int) -> np.ndarray:
    """Return the coordinate u of each position, from -1 to 1."""
    return np.arange(positions) / ((positions - 1) / 2) - 1


def orthonormal_polynomials(positions: int, degree: int) -> np.ndarray:
    """Compute polynomials phi_1..phi_K orthonormal over the positions, as coefficients (K, K + 1) in powers of u.

    mean phi_k phi_l = delta_kl, mean phi_k = 0, phi_k(1) > 0.
    """
    q, r = np.linalg.qr(np.vander(places(positions), degree + 1, increasing=True))
    coefficients = np.linalg.inv(r).T * np.sqrt(positions)
    return np.ascontiguousarray((coefficients * np.sign(q[-1])[:, None])[1:])


def trajectories(x: np.ndarray, phi: np.ndarray, config: BridgeV2Config) -> np.ndarray:
    """Fit the trajectories that the polynomials weigh: least squares, low-passed, shrunk, extended to the ends.

    The inner steps are projected onto the first DCT-II functions. Octaves of them are shrunk by the share of their
    power, over anchors, that is due to the noise of so few positions, and dropped below a threshold (block
    thresholding, Cai 1999); otherwise this noise would be the same in every signal, and the noise drawn for each would
    lack it. The ends are straight lines from the nearest smoothed inner step, with the slope of the nearest few;
    low-passing the ends as well would cause ringing from the transients.

    Args:
        x: (A, P, T, C) scans in nT.
        phi: (P, K) orthonormal polynomials at the positions.
        config: Parameters of the fit.

    Returns:
        (A, K, T, C) trajectories in nT.
    """
    e, near = config.edge_steps, config.edge_slope_steps
    positions, degree = phi.shape
    inner = T - 2 * e
    n = np.arange(inner)
    basis = np.cos(np.pi * np.outer(np.arange(config.map_functions), 2 * n + 1) / (2 * inner))
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    slow = np.einsum("mn,apnc->apmc", basis, x[:, :, e : T - e], optimize=True)
    found = np.einsum("pk,apmc->akmc", phi, slow) / positions
    rest = slow - slow.mean(axis=1, keepdims=True) - np.einsum("pk,akmc->apmc", phi, found)
    noise = (rest**2).sum(axis=(0, 1)) / (positions * (positions - degree - 1))
    power = (found**2).sum(axis=0)
    for first in [0, *(2**i for i in range(config.map_functions.bit_length()) if 2**i < config.map_functions)]:
        octave = slice(first, max(1, min(2 * first, config.map_functions)))
        block, expected = power[:, octave].sum(axis=1), config.map_threshold * noise[octave].sum(axis=0)
        share = np.divide(expected, block, out=np.ones_like(block), where=block > 0)
        found[:, :, octave] *= np.maximum(1 - share, 0)[:, None]
    out = np.empty((len(x), degree, T, x.shape[3]))
    out[:, :, e : T - e] = np.einsum("mn,akmc->aknc", basis, found, optimize=True)
    ramp = np.arange(near) - (near - 1) / 2
    slope = ramp / (ramp**2).sum()
    reach = np.arange(1, e + 1)[:, None]
    first = np.einsum("n,aknc->akc", slope, out[:, :, e : e + near])[:, :, None]
    last = np.einsum("n,aknc->akc", slope, out[:, :, T - e - near : T - e])[:, :, None]
    out[:, :, :e] = out[:, :, e : e + 1] - reach[::-1] * first
    out[:, :, T - e :] = out[:, :, T - e - 1 : T - e] + reach * last
    return out


def transients(noise: np.ndarray, stationary: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate what start and end of the acquisition add to the stationary noise, pooled over anchors.

    Heights g are exponential with mean 1: the transients are (g - 1) start and (g 1[begun] - p_n) end, with
    p_n = P(begun by step n).

    Args:
        noise: (S, T, C) scans without mean, map, offset and lines, in nT.
        stationary: (256, C, C) covariance of the noise by lag.

    Returns:
        start (4, C) and end (C,) in nT, onset p_n (4,) at the last four steps.
    """
    scans, _, channels = noise.shape
    first = noise[:, :EDGE].reshape(scans, -1)
    lags = np.arange(EDGE)[:, None] - np.arange(EDGE)
    expected = stationary[lags].swapaxes(1, 2).reshape(first.shape[1], -1)
    start = _principal(first, expected).reshape(EDGE, channels)
    end = _principal(noise[:, -1], stationary[0])
    direction = end / (np.linalg.norm(end) or 1.0)
    along = (noise[:, -EDGE:] @ direction) ** 2
    excess = np.maximum(along.mean(axis=0) - direction @ stationary[0] @ direction, 0)
    ratio = np.minimum(excess / (excess[-1] or 1.0), 1.0)
    onset = np.maximum.accumulate(1 - np.sqrt(1 - ratio))
    onset[-1] = 1.0
    return start, end, onset


def _principal(x: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the root of the top eigenpair of the second moment minus the expected one; skewness gives its sign."""
    values, vectors = np.linalg.eigh(x.T @ x / len(x) - expected)
    direction = vectors[:, -1]
    sign = 1.0 if ((x @ direction) ** 3).sum() >= 0 else -1.0
    return sign * np.sqrt(max(values[-1], 0.0)) * direction


def unseen_field(mean_square: np.ndarray, config: BridgeV2Config) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean square of the field that Y and Z of each sensor do not see.

    Args:
        mean_square: (A, T, 6) mean squares of the channels, in nT^2.
        config: Floor of the unseen field.

    Returns:
        Its mean over the scan at each anchor (A, 2), in nT^2, and its course along the scan (T, 2), with mean 1. The
        course is pooled over anchors: a separate course per anchor would reveal the voltage, whatever its height.
    """
    out = np.empty((*mean_square.shape[:2], 2))
    for sensor in range(2):
        magnitude = mean_square[..., MEASURED_CHANNELS + sensor]
        rest = magnitude - mean_square[..., 2 * sensor] - mean_square[..., 2 * sensor + 1]
        out[..., sensor] = np.where(rest < config.magnitude_floor * magnitude, 0, rest)
    level, course = out.mean(axis=1), out.mean(axis=0)
    whole = course.mean(axis=0)
    return level, np.divide(course, whole, out=np.ones_like(course), where=whole > 0)


def impose_statistics(
    scan_map: ScanMap, statistics: AnchorStatistics, config: BridgeV2Config = BridgeV2Config()
) -> ScanMap:
    """Impose a given mean and standard deviation of the measured channels; correlations and spectra are kept.

    The fluctuation is multiplied by D = given std / std of the map, at each anchor, step and channel. The magnitudes C5
    and C6 are derived, so only their unseen part is taken from the statistics.

    Args:
        scan_map: Map of the archive whose correlations and spectra are kept.
        statistics: Statistics to impose, at the same anchors.
        config: Positions for the map's own standard deviation, and the floor of the unseen field.

    Raises:
        MagBridgeError: If the anchors differ.
    """
    if not np.array_equal(scan_map.voltages, statistics.voltages):
        raise MagBridgeError(
            f"statistics at {statistics.voltages.tolist()} V: expected the anchors of the map, "
            f"{scan_map.voltages.tolist()} V"
        )
    own = standard_deviation(scan_map, config.spread_positions)
    unseen, unseen_shape = unseen_field(statistics.mean**2 + statistics.std**2, config)
    given = statistics.std[..., :MEASURED_CHANNELS]
    return dataclasses.replace(
        scan_map,
        mean=statistics.mean.astype(float),
        unseen=unseen,
        unseen_shape=unseen_shape,
        scale=np.divide(given, own, out=np.zeros_like(own), where=own > 0),
    )


def standard_deviation(scan_map: ScanMap, positions: int) -> np.ndarray:
    """Compute the standard deviation of the map's fluctuation at its anchors in closed form, before any scale.

    Args:
        scan_map: The map.
        positions: Number of evenly spaced places that represent the continuous position drawn by a seed.

    Returns:
        (A, T, 4) standard deviations in nT.
    """
    u = (2 * np.arange(positions) + 1) / positions - 1
    phi = evaluate_polynomials(scan_map.polynomials, u)
    course = np.einsum("pk,aknc->apnc", phi, scan_map.beta)
    if scan_map.sheet:
        parameters = load_parameters()
        course += np.stack([nominal_field(parameters, v, u) for v in scan_map.voltages.tolist()])
    variance = course.var(axis=1)
    stationary = (scan_map.offset_root**2).sum(axis=2)
    stationary = stationary + (scan_map.line_root**2).sum(axis=(1, 2, 4)) / 2
    # Mean over the full circle of frequencies; the roots cover one half of it and both ends.
    circle = np.full(scan_map.noise_root.shape[-1], 2.0)
    circle[[0, -1]] = 1.0
    stationary = stationary + (scan_map.noise_root**2 * circle).sum(axis=(1, 3, 4)) / circle.sum()
    variance += stationary[:, None]
    variance[:, :EDGE] += scan_map.start**2
    variance[:, -EDGE:] += (scan_map.onset * (2 - scan_map.onset))[:, None] * scan_map.end**2
    return np.sqrt(variance)
