"""Signals from draws as plain loops over rows, compiled by numba.

No row depends on another, and every sum runs in a fixed order, so the bytes do not depend on the batch. The loops over
steps and frequencies are innermost and run over contiguous arrays, or are whole-array expressions if those are as fast;
the compiler vectorises them.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np

from dataset_card.running.compiled import compiled

_jit = compiled(nogil=True, error_model="numpy")


class Interval(namedtuple("Interval", "mean beta offset_root line_root noise_root unseen scale")):
    """A scan map between two neighbouring anchors; the first axis of each array runs over the two.

    Attributes:
        mean: (2, 4, T) of the measured channels, without the nominal sheet's if the map was fitted without it.
        beta: (2, K, 4, T).
        offset_root: (2, 4, 4).
        line_root: (2, 2, 2, 4, 4): line, real and imaginary part.
        noise_root: (2, 2, 4, 4, 129): real and imaginary part.
        unseen: (2, 2), by sensor.
        scale: (2, 4, T).
    """


class Fixed(
    namedtuple("Fixed", "line_frequency line_reach start end onset h z0 y0 dy length width soc_wave sheet unseen_wave")
):
    """Values that all rows of a map share.

    Attributes:
        line_frequency: (2,) in 1 / step.
        line_reach: (2,) half width of the scatter of each frequency: sqrt(3) standard deviations.
        start: (4, 4) step by channel.
        end: (4,).
        onset: (4,).
        h: (2,) distance of each sensor from the cell, in steps.
        z0: (2,) step at which each sensor passes the sheet.
        y0: (2,) lateral offset of each sensor, in positions.
        dy: Distance between adjacent positions, in steps.
        length: Length of the nominal sheet, in steps.
        width: Width of the nominal sheet, in steps.
        soc_wave: (T,).
        sheet: Whether the map was fitted without the nominal sheet's field.
        unseen_wave: (2, 4, T) waves that make up the unseen field of each sensor.
    """


@_jit
def noise_spectra(t, root, normal, out):
    """Compute the Fourier coefficients ((1 - t) C_lo + t C_hi) g of the stationary noise.

    Args:
        t: (n,) place between the two anchors.
        root: (2, 2, 4, 4, F): anchor, real and imaginary part, channel, channel, frequency.
        normal: (n, 2, F, 4): real and imaginary part.
        out: (n, 4, F, 2), written: real and imaginary part last.
    """
    channels, bins = root.shape[2], root.shape[4]
    g_re, g_im = np.empty((channels, bins)), np.empty((channels, bins))
    half = math.sqrt(0.5)
    for row in range(len(t)):
        hi = t[row]
        lo = 1.0 - hi
        g_re[:] = half * normal[row, 0].T
        g_im[:] = half * normal[row, 1].T
        # The spectrum of a real signal is real at both ends.
        for f in (0, bins - 1):
            g_re[:, f] = normal[row, 0, f]
            g_im[:, f] = 0.0
        for c in range(channels):
            re, im = np.zeros(bins), np.zeros(bins)
            for d in range(channels):
                for f in range(bins):
                    x = lo * root[0, 0, c, d, f] + hi * root[1, 0, c, d, f]
                    y = lo * root[0, 1, c, d, f] + hi * root[1, 1, c, d, f]
                    re[f] += x * g_re[d, f] - y * g_im[d, f]
                    im[f] += x * g_im[d, f] + y * g_re[d, f]
            out[row, c, :, 0] = re
            out[row, c, :, 1] = im


@_jit
def _add_line(wave, re, im, turn_re, turn_im):
    """Add Re(A exp(i w n)), computed by angle addition."""
    for n in range(len(wave)):
        wave[n] += re
        re, im = re * turn_re - im * turn_im, re * turn_im + im * turn_re


@_jit
def _sheet(z, y, h, length, width, corners, by, bz):
    """Compute the field of a sheet of equal patches from the charges at their corners; see `simulated.sheet_field`.

    Args:
        z: (T,) distance along the scan from the sheet's centre.
        y: Distance across the scan.
        h: Distance of the sensor.
        length: Extent along the scan.
        width: Extent across the scan.
        corners: (m, m) charges, along the scan, then across.
        by: (T,) written, nT.
        bz: (T,) written, nT.
    """
    sides = len(corners) - 1
    by[:] = 0.0
    bz[:] = 0.0
    for i in range(sides + 1):
        zz = z - (i / sides - 0.5) * length
        r2 = h * h + zz * zz
        lever = np.zeros(len(z))
        for j in range(sides + 1):
            across, charge = y - (j / sides - 0.5) * width, corners[i, j]
            for n in range(len(z)):
                inverse = 1.0 / math.sqrt(r2[n] + across * across)
                by[n] += charge * inverse
                lever[n] += charge * across * inverse
        bz -= lever * zz / r2


@_jit
def _add_dipole(z, y, h, mx, my, by, bz):
    """Add the field of a point dipole to by and bz (T,); see `simulated.dipole_field`."""
    r2 = h * h + z * z + y * y
    r5 = r2 * r2 * np.sqrt(r2)
    d = 3 * (mx * h + my * y)
    by += (d * y - my * r2) / r5
    bz += d * z / r5


@_jit
def signals(t, phi, draws, noise, interval, fixed, sheets, row_of, out):
    """Compute the signals of rows between the same two anchors.

    Args:
        t: (n,) place between the anchors.
        phi: (n, K) polynomials at each row's place across the cell.
        draws: `Draws`.
        noise: (n, 4, 256) stationary noise up to a factor of sqrt(256).
        interval: `Interval`.
        fixed: `Fixed`.
        sheets: `SheetRows`.
        row_of: (n,) row of `out` to which each signal is written.
        out: (N, T, 6) signals in nT, whose measured channels are written.
    """
    channels, steps = interval.mean.shape[1:]
    wave, old = np.empty((channels, steps)), np.empty((channels, steps))
    by, bz = np.empty(steps), np.empty(steps)
    signs, at = np.array([[1.0, -1.0], [-1.0, 1.0]]), np.arange(steps)
    for row in range(len(t)):
        hi = t[row]
        lo = 1.0 - hi
        _fluctuation(lo, hi, row, phi, draws, noise, interval, fixed, wave)
        nominal = sheets.moment[row] / (fixed.length * fixed.width) * signs
        for sensor in range(len(fixed.h)):
            across = (sheets.lateral[row] - fixed.y0[sensor]) * fixed.dy
            z, h = at - fixed.z0[sensor] - sheets.dz[row], fixed.h[sensor]
            _sheet(z, across, h, fixed.length, fixed.width, nominal, old[2 * sensor], old[2 * sensor + 1])
            if fixed.sheet:
                wave[2 * sensor : 2 * sensor + 2] += old[2 * sensor : 2 * sensor + 2]
                mx, my = sheets.dipole[row, 0], sheets.dipole[row, 1]
                _add_dipole(z, across, h, mx, my, wave[2 * sensor], wave[2 * sensor + 1])
        wave *= lo * interval.scale[0] + hi * interval.scale[1]
        wave += lo * interval.mean[0] + hi * interval.mean[1]
        if sheets.changed[row]:
            for sensor in range(len(fixed.h)):
                across = (sheets.lateral[row] - fixed.y0[sensor]) * fixed.dy
                z = at - fixed.z0[sensor] - sheets.dz[row] - sheets.shift[row]
                h = fixed.h[sensor] + sheets.lift[row]
                _sheet(z, across, h, sheets.length[row], sheets.width[row], sheets.corners[row], by, bz)
                wave[2 * sensor] += by - old[2 * sensor]
                wave[2 * sensor + 1] += bz - old[2 * sensor + 1]
        for c in range(channels):
            wave[c] += sheets.soc[row] * (old[c].max() - old[c].min()) * fixed.soc_wave
        out[row_of[row], :, :channels] = wave.T


@_jit
def magnitudes(t, unseen, wave, normal, row_of, out):
    """Compute each sensor's magnitude sqrt(Y^2 + Z^2 + X^2) from its measured channels and the unseen field X.

    X is a sum of waves of random height; only its mean square over the scan depends on the voltage.

    Args:
        t: (n,) place between the anchors.
        unseen: (2, 2) `Interval.unseen`.
        wave: (2, 4, T) `Fixed.unseen_wave`.
        normal: (n, 2, 4) `Draws.unseen`.
        row_of: (n,) row of each signal in `out`.
        out: (N, T, 6) signals in nT, whose measured channels are read and whose magnitudes are written.
    """
    sensors, waves, steps = wave.shape
    for row in range(len(t)):
        hi = t[row]
        target = out[row_of[row]]
        for sensor in range(sensors):
            y, z, x = target[:, 2 * sensor], target[:, 2 * sensor + 1], np.zeros(steps)
            for k in range(waves):
                x += normal[row, sensor, k] * wave[sensor, k]
            rest = ((1.0 - hi) * unseen[0, sensor] + hi * unseen[1, sensor]) * x * x
            target[:, 2 * sensors + sensor] = np.sqrt(y * y + z * z + rest)


@_jit
def _fluctuation(lo, hi, row, phi, draws, noise, interval, fixed, wave):
    """Write map, offset, noise, lines and transients of one row to wave (4, T), before any scale."""
    channels, steps = wave.shape
    amplitude, half = math.sqrt(noise.shape[2]), math.sqrt(0.5)
    late = steps - len(fixed.onset)
    for c in range(channels):
        root = lo * interval.offset_root[0, c] + hi * interval.offset_root[1, c]
        wave[c] = (root * draws.offset[row]).sum() + amplitude * noise[row, c, :steps]
        for k in range(phi.shape[1]):
            wave[c] += lo * phi[row, k] * interval.beta[0, k, c] + hi * phi[row, k] * interval.beta[1, k, c]
        wave[c, : len(fixed.start)] += (draws.height[row, 0] - 1.0) * fixed.start[:, c]
        for n in range(len(fixed.onset)):
            begun = 1.0 if draws.onset[row] < fixed.onset[n] else 0.0
            wave[c, late + n] += (draws.height[row, 1] * begun - fixed.onset[n]) * fixed.end[c]
    for line in range(len(fixed.line_frequency)):
        frequency = fixed.line_frequency[line] + fixed.line_reach[line] * draws.detuning[row, line]
        turn_re, turn_im = math.cos(2 * math.pi * frequency), math.sin(2 * math.pi * frequency)
        a, b = half * draws.line[row, line, 0], half * draws.line[row, line, 1]
        for c in range(channels):
            x = lo * interval.line_root[0, line, 0, c] + hi * interval.line_root[1, line, 0, c]
            y = lo * interval.line_root[0, line, 1, c] + hi * interval.line_root[1, line, 1, c]
            _add_line(wave[c], (x * a - y * b).sum(), (x * b + y * a).sum(), turn_re, turn_im)
