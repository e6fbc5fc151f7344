"""Signals from draws as plain loops over rows, compiled by numba.

No row's numbers depend on another's, and every sum runs in a fixed order: bytes do not depend on the batch. The loops
over steps and frequencies are innermost, over contiguous arrays, and the compiler vectorises them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dataset_card.running.compiled import compiled

_jit = compiled(nogil=True, error_model="numpy")


class Interval(NamedTuple):
    """A scan map between two neighbouring anchors; the first axis of each array runs over the two.

    Attributes:
        mean: (2, 4, T) of the measured channels, without the nominal sheet's where the map was fitted without it.
        beta: (2, K, 4, T).
        offset_root: (2, 4, 4).
        line_root: (2, 2, 2, 4, 4): line, real and imaginary part.
        noise_root: (2, 2, 4, 4, 129): real and imaginary part.
        unseen: (2, 2), by sensor.
        scale: (2, 4, T).
    """

    mean: np.ndarray
    beta: np.ndarray
    offset_root: np.ndarray
    line_root: np.ndarray
    noise_root: np.ndarray
    unseen: np.ndarray
    scale: np.ndarray


class Fixed(NamedTuple):
    """What all rows of a map share.

    Attributes:
        line_frequency: (2,) in 1 / step.
        line_reach: (2,) half width of its scatter: sqrt(3) standard deviations.
        start: (4, 4) step by channel.
        end: (4,).
        onset: (4,).
        h: (2,) distance of the sensors, in steps.
        z0: (2,) step at which each passes the sheet.
        y0: (2,) lateral offset of each, in positions.
        dy: Distance of positions, in steps.
        length: Length of the nominal sheet, in steps.
        width: Its width.
        soc_wave: (T,).
        sheet: Whether the map was fitted without the nominal sheet's field.
        unseen_wave: (2, 4, T) waves that the unseen field of each sensor is made of.
    """

    line_frequency: np.ndarray
    line_reach: np.ndarray
    start: np.ndarray
    end: np.ndarray
    onset: np.ndarray
    h: np.ndarray
    z0: np.ndarray
    y0: np.ndarray
    dy: float
    length: float
    width: float
    soc_wave: np.ndarray
    sheet: bool
    unseen_wave: np.ndarray


@_jit
def noise_spectra(t, root, normal, out):
    """Fourier coefficients ((1 - t) C_lo + t C_hi) g of the stationary noise.

    Args:
        t: (n,) place between the two anchors.
        root: (2, 2, 4, 4, F): anchor, real and imaginary part, channel, channel, frequency.
        normal: (n, 2, F, 4): real and imaginary part.
        out: (n, 4, F, 2), written: real and imaginary part last.
    """
    channels, bins = root.shape[2], root.shape[4]
    g_re, g_im = np.empty((channels, bins)), np.empty((channels, bins))
    re, im = np.empty(bins), np.empty(bins)
    half = math.sqrt(0.5)
    for row in range(len(t)):
        hi = t[row]
        lo = 1.0 - hi
        for f in range(bins):
            for c in range(channels):
                g_re[c, f] = half * normal[row, 0, f, c]
                g_im[c, f] = half * normal[row, 1, f, c]
        # The spectrum of a real signal is real at both ends.
        for c in range(channels):
            for f in (0, bins - 1):
                g_re[c, f] = normal[row, 0, f, c]
                g_im[c, f] = 0.0
        for c in range(channels):
            re[:] = 0.0
            im[:] = 0.0
            for d in range(channels):
                lo_re, lo_im = root[0, 0, c, d], root[0, 1, c, d]
                hi_re, hi_im = root[1, 0, c, d], root[1, 1, c, d]
                a, b = g_re[d], g_im[d]
                for f in range(bins):
                    x = lo * lo_re[f] + hi * hi_re[f]
                    y = lo * lo_im[f] + hi * hi_im[f]
                    re[f] += x * a[f] - y * b[f]
                    im[f] += x * b[f] + y * a[f]
            for f in range(bins):
                out[row, c, f, 0] = re[f]
                out[row, c, f, 1] = im[f]


@_jit
def _add_line(wave, re, im, turn_re, turn_im):
    """Add Re(A exp(i w n)), the cosine by angle addition."""
    for n in range(len(wave)):
        wave[n] += re
        re, im = re * turn_re - im * turn_im, re * turn_im + im * turn_re


@_jit
def _sheet(z, y, h, length, width, corners, by, bz, work):
    """Field of a sheet of equal patches from the charges at their shared corners; see `simulated.sheet_field`.

    Args:
        z: (T,) distance along the scan from the sheet's centre.
        y: Distance across the scan.
        h: Distance of the sensor.
        length: Extent along the scan.
        width: Extent across the scan.
        corners: (m, m) charges, along the scan, then across.
        by: (T,) written, nT.
        bz: (T,) written, nT.
        work: (3, T) workspace.
    """
    zz, r2, lever = work[0], work[1], work[2]
    steps, sides = len(z), len(corners) - 1
    by[:] = 0.0
    bz[:] = 0.0
    for i in range(sides + 1):
        edge = (i / sides - 0.5) * length
        for n in range(steps):
            zz[n] = z[n] - edge
            r2[n] = h * h + zz[n] * zz[n]
            lever[n] = 0.0
        for j in range(sides + 1):
            across = y - (j / sides - 0.5) * width
            charge = corners[i, j]
            moment = charge * across
            square = across * across
            for n in range(steps):
                inverse = 1.0 / math.sqrt(r2[n] + square)
                by[n] += charge * inverse
                lever[n] += moment * inverse
        for n in range(steps):
            bz[n] -= lever[n] * zz[n] / r2[n]


@_jit
def _add_dipole(z, y, h, mx, my, by, bz):
    """Add the field of a point dipole to by and bz (T,); see `simulated.dipole_field`."""
    for n in range(len(z)):
        r2 = h * h + z[n] * z[n] + y * y
        r5 = r2 * r2 * math.sqrt(r2)
        d = 3 * (mx * h + my * y)
        by[n] += (d * y - my * r2) / r5
        bz[n] += d * z[n] / r5


@_jit
def signals(t, phi, draws, noise, interval, fixed, sheets, row_of, out):
    """Signals of rows between the same two anchors.

    Args:
        t: (n,) place between the anchors.
        phi: (n, K) polynomials at each row's place across the cell.
        draws: `Draws`.
        noise: (n, 4, 256) stationary noise up to a factor of sqrt(256).
        interval: `Interval`.
        fixed: `Fixed`.
        sheets: `SheetRows`.
        row_of: (n,) where each signal goes in `out`.
        out: (N, T, 6) whose measured channels are written, nT.
    """
    channels, steps = interval.mean.shape[1:]
    wave = np.empty((channels, steps))
    z, by, bz = np.empty(steps), np.empty(steps), np.empty(steps)
    old = np.zeros((channels, steps))
    ranges = np.empty(channels)
    work = np.empty((3, steps))
    nominal = np.empty((2, 2))
    for row in range(len(t)):
        hi = t[row]
        lo = 1.0 - hi
        _fluctuation(lo, hi, row, phi, draws, noise, interval, fixed, wave)
        charge = sheets.moment[row] / (fixed.length * fixed.width)
        nominal[0, 0] = nominal[1, 1] = charge
        nominal[0, 1] = nominal[1, 0] = -charge
        for sensor in range(len(fixed.h)):
            across = (sheets.lateral[row] - fixed.y0[sensor]) * fixed.dy
            for n in range(steps):
                z[n] = n - fixed.z0[sensor] - sheets.dz[row]
            h = fixed.h[sensor]
            _sheet(z, across, h, fixed.length, fixed.width, nominal, old[2 * sensor], old[2 * sensor + 1], work)
            for c in (2 * sensor, 2 * sensor + 1):
                ranges[c] = old[c].max() - old[c].min()
                if fixed.sheet:
                    wave[c] += old[c]
            if fixed.sheet:
                mx, my = sheets.dipole[row, 0], sheets.dipole[row, 1]
                _add_dipole(z, across, h, mx, my, wave[2 * sensor], wave[2 * sensor + 1])
        for c in range(channels):
            y, low, high = wave[c], interval.mean[0, c], interval.mean[1, c]
            low_scale, high_scale = interval.scale[0, c], interval.scale[1, c]
            for n in range(steps):
                y[n] = y[n] * (lo * low_scale[n] + hi * high_scale[n]) + (lo * low[n] + hi * high[n])
        if sheets.changed[row]:
            for sensor in range(len(fixed.h)):
                across = (sheets.lateral[row] - fixed.y0[sensor]) * fixed.dy
                for n in range(steps):
                    z[n] = n - fixed.z0[sensor] - sheets.dz[row] - sheets.shift[row]
                h = fixed.h[sensor] + sheets.lift[row]
                _sheet(z, across, h, sheets.length[row], sheets.width[row], sheets.corners[row], by, bz, work)
                for n in range(steps):
                    wave[2 * sensor, n] += by[n] - old[2 * sensor, n]
                    wave[2 * sensor + 1, n] += bz[n] - old[2 * sensor + 1, n]
        for c in range(channels):
            height = sheets.soc[row] * ranges[c]
            for n in range(steps):
                wave[c, n] += height * fixed.soc_wave[n]
        target = out[row_of[row]]
        for n in range(steps):
            for c in range(channels):
                target[n, c] = wave[c, n]


@_jit
def magnitudes(t, unseen, wave, normal, row_of, out):
    """Magnitude of each sensor from its measured channels: sqrt(Y^2 + Z^2 + X^2), X what they do not see.

    X is a sum of waves of random height, whose mean square over the scan alone depends on the voltage.

    Args:
        t: (n,) place between the anchors.
        unseen: (2, 2) of an `Interval`.
        wave: (2, 4, T) of `Fixed`.
        normal: (n, 2, 4) of `Draws`.
        row_of: (n,) where each signal is in `out`.
        out: (N, T, 6) whose measured channels are read and whose magnitudes are written, nT.
    """
    sensors, waves, steps = wave.shape
    for row in range(len(t)):
        hi = t[row]
        lo = 1.0 - hi
        target = out[row_of[row]]
        for n in range(steps):
            for sensor in range(sensors):
                y, z = target[n, 2 * sensor], target[n, 2 * sensor + 1]
                x = 0.0
                for k in range(waves):
                    x += normal[row, sensor, k] * wave[sensor, k, n]
                rest = (lo * unseen[0, sensor] + hi * unseen[1, sensor]) * x * x
                target[n, 2 * sensors + sensor] = math.sqrt(y * y + z * z + rest)


@_jit
def _fluctuation(lo, hi, row, phi, draws, noise, interval, fixed, wave):
    """Map, offset, noise, lines and transients of one row, before any scale: wave (4, T), written."""
    channels, steps = wave.shape
    amplitude = math.sqrt(noise.shape[2])
    late = steps - len(fixed.onset)
    for c in range(channels):
        y = wave[c]
        offset = 0.0
        for d in range(channels):
            offset += (lo * interval.offset_root[0, c, d] + hi * interval.offset_root[1, c, d]) * draws.offset[row, d]
        own = noise[row, c]
        for n in range(steps):
            y[n] = offset + amplitude * own[n]
        for k in range(phi.shape[1]):
            low, high = interval.beta[0, k, c], interval.beta[1, k, c]
            a, b = lo * phi[row, k], hi * phi[row, k]
            for n in range(steps):
                y[n] += a * low[n] + b * high[n]
        for n in range(len(fixed.start)):
            y[n] += (draws.height[row, 0] - 1.0) * fixed.start[n, c]
        for n in range(len(fixed.onset)):
            begun = 1.0 if draws.onset[row] < fixed.onset[n] else 0.0
            y[late + n] += (draws.height[row, 1] * begun - fixed.onset[n]) * fixed.end[c]
    half = math.sqrt(0.5)
    for line in range(len(fixed.line_frequency)):
        frequency = fixed.line_frequency[line] + fixed.line_reach[line] * draws.detuning[row, line]
        turn_re, turn_im = math.cos(2 * math.pi * frequency), math.sin(2 * math.pi * frequency)
        for c in range(channels):
            re, im = 0.0, 0.0
            for d in range(channels):
                x = lo * interval.line_root[0, line, 0, c, d] + hi * interval.line_root[1, line, 0, c, d]
                y_ = lo * interval.line_root[0, line, 1, c, d] + hi * interval.line_root[1, line, 1, c, d]
                a, b = half * draws.line[row, line, 0, d], half * draws.line[row, line, 1, d]
                re += x * a - y_ * b
                im += x * b + y_ * a
            _add_line(wave[c], re, im, turn_re, turn_im)
