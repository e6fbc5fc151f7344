"""Covariances of the scan map: spectra, and their paths between anchors."""

from __future__ import annotations

import numpy as np

SPECTRUM_LENGTH = 256
"""Length of the Fourier transform that generates stationary noise; it exceeds scan length plus longest lag."""

BINS = SPECTRUM_LENGTH // 2 + 1


def spectrum(x: np.ndarray, longest_lag: int) -> np.ndarray:
    """Estimate the cross-spectral density of stationary noise by the lag-window method.

    S(f) = sum_k w_k R_k exp(-2 pi i k f) with R_k = mean x(n + k) x(n)^T (unbiased) and w_k = (1 + cos(pi k / K)) / 2
    up to lag K; negative eigenvalues are set to 0 and the channels rescaled to their observed variance.

    Args:
        x: (P, N, C) zero-mean scans.
        longest_lag: K in steps.

    Returns:
        (129, C, C) Hermitian matrices; their mean over the 256 frequencies of the full circle is the covariance.
    """
    steps = x.shape[1]
    lags = np.arange(min(longest_lag, steps - 1) + 1)
    taper = (1 + np.cos(np.pi * lags / longest_lag)) / 2
    r = np.stack([np.einsum("pnc,pnd->cd", x[:, k:], x[:, : steps - k]) / (len(x) * (steps - k)) for k in lags])
    turn = np.exp(-2j * np.pi * np.outer(np.arange(BINS), lags) / SPECTRUM_LENGTH)
    half = np.einsum("fk,kcd->fcd", turn * taper, r)
    # The covariance at lag -k is the transpose, so its term is the Hermitian conjugate.
    density = half + half.conj().swapaxes(1, 2) - r[0]
    density = (density + density.conj().swapaxes(1, 2)) / 2
    values, vectors = np.linalg.eigh(density)
    density = (vectors * np.maximum(values, 0)[:, None]) @ vectors.conj().swapaxes(1, 2)
    observed, found = np.diag(r[0]), np.diag(stationary_covariance(density)[0])
    scale = np.sqrt(np.divide(observed, found, out=np.zeros_like(observed), where=found > 0))
    return density * scale[:, None] * scale


def stationary_covariance(density: np.ndarray) -> np.ndarray:
    """Compute the noise covariance at every lag, (256, C, C) with lag -k at 256 - k, from a (129, C, C) spectrum."""
    return np.fft.irfft(density, SPECTRUM_LENGTH, axis=0)


def transported_roots(covariances: np.ndarray, ridge: float) -> np.ndarray:
    """Compute roots C_a of covariances S_a such that (1 - t) C_a + t C_{a+1} is a Bures (Wasserstein) geodesic.

    C_0 = S_0^1/2 and C_{a+1} = T_a C_a with the optimal transport map

        T_a = S_a^-1/2 (S_a^1/2 S_{a+1} S_a^1/2)^1/2 S_a^-1/2

    The chain makes one draw g a continuous signal C g over all anchors.

    Args:
        covariances: (A, ..., C, C) Hermitian, positive semidefinite.
        ridge: Multiple of the identity added to each, as a fraction of its trace.

    Returns:
        (A, ..., C, C) roots with C_a C_a^H = S_a; zero where every S_a is zero.
    """
    size = covariances.shape[-1]
    trace = np.trace(covariances, axis1=-2, axis2=-1).real
    # An anchor without any of this fluctuation still needs an invertible covariance to start from.
    trace = np.where(trace > 0, trace, trace.max(axis=0))
    s = covariances + ridge * trace[..., None, None] * np.eye(size)
    s = np.where((trace > 0)[..., None, None], s, np.eye(size))
    roots = [_power(s[0], 0.5)]
    for here, there in zip(s, s[1:]):
        root, inverse = _power(here, 0.5), _power(here, -0.5)
        roots.append(inverse @ _power(root @ there @ root, 0.5) @ inverse @ roots[-1])
    return np.where((trace > 0)[..., None, None], np.stack(roots), 0)


def _power(s: np.ndarray, exponent: float) -> np.ndarray:
    """Raise Hermitian positive definite matrices to a power."""
    values, vectors = np.linalg.eigh((s + s.conj().swapaxes(-1, -2)) / 2)
    values = np.maximum(values, np.finfo(float).eps * values.max(axis=-1, keepdims=True))
    return (vectors * values[..., None, :] ** exponent) @ vectors.conj().swapaxes(-1, -2)
