"""The impedance of a patch: ohmic, charge transfer, diffusion in both electrodes, capacity.

Everything is linear in the current density i, v = r_0 i + r_ct z_ct + R_p sum_j w_j z_pj + R_n sum_j w_j z_nj +
kappa q, where each z follows tau z' = i - z and q is the charge passed. R_e = |U_e'| tau_e / Q_e, with tau_e = R^2 / D.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy

MODES = 400
"""Number of modes of the exact sphere: enough at .05 s for every diffusion time of the presets."""
LADDER = 6
"""Number of time constants of a fitted ladder: the fewest that keep the error within 2 % from .1 to 1,000 s."""


@lru_cache(maxsize=1)
def sphere_modes() -> np.ndarray:
    """Compute the roots lambda_k of tan(lambda) = lambda: 4.4934, 7.7253 and so on."""
    roots = [
        scipy.optimize.brentq(lambda q: np.sin(q) - q * np.cos(q), k * np.pi + 1e-9, (k + 0.5) * np.pi)
        for k in range(1, MODES + 1)
    ]
    return np.array(roots)


def sphere_impedance(s: np.ndarray) -> np.ndarray:
    """Compute the impedance of diffusion into a sphere, in units of R_e, at s = j omega tau_e.

    It is tanh(q) / (3 (q - tanh q)) with q = sqrt(s).
    """
    q = np.sqrt(np.asarray(s, complex))
    return np.tanh(q) / (3 * (q - np.tanh(q)))


def sphere_step(theta: np.ndarray) -> np.ndarray:
    """Compute the overpotential over R_e, less the mean's theta, at time theta tau_e after a step of current."""
    squares = sphere_modes() ** 2
    return 1 / 15 - (2 / (3 * squares) * np.exp(-np.outer(theta, squares))).sum(axis=1)


@lru_cache(maxsize=32)
def ladder(tau_s: float, two_modes: bool = False) -> tuple[np.ndarray, np.ndarray, float]:
    """Fit the ladder that represents diffusion in a sphere, in units of R_e.

    The fit is non-negative least squares on the relative errors of step response and impedance from .1 to 1,000 s; the
    largest error is 1.9 %.

    Args:
        tau_s: Diffusion time R^2 / D in s.
        two_modes: Whether to return the prototype's ladder instead: only the first two modes of the sphere.

    Returns:
        Weights (6,), time constants (6,) in s, and the instant part.
    """
    if two_modes:
        squares = sphere_modes()[:2] ** 2
        return np.append(2 / (3 * squares), np.zeros(LADDER - 2)), np.append(tau_s / squares, np.ones(LADDER - 2)), 0.0
    t = np.geomspace(0.1, 1000, 120)
    times = np.geomspace(0.012, 0.045 * tau_s, LADDER)
    step, omega = sphere_step(t / tau_s), 2 * np.pi / t
    exact = sphere_impedance(1j * omega * tau_s)
    scale_t, scale_w = 1 / (step + t / tau_s), 1 / np.abs(exact)
    rises = np.column_stack([np.ones_like(t), 1 - np.exp(-np.outer(t, 1 / times))]) * scale_t[:, None]
    answers = np.column_stack([np.ones_like(t), 1 / (1 + 1j * np.outer(omega, times))]) * scale_w[:, None]
    target = (exact - 1 / (1j * omega * tau_s)) * scale_w
    found, _ = scipy.optimize.nnls(
        np.vstack([rises, answers.real, answers.imag]),
        np.concatenate([step * scale_t, target.real, target.imag]),
    )
    return found[1:], times, float(found[0])
