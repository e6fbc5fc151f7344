"""Open-circuit states of an electrode pair: U(x) = U_p(y) - U_n(x), n_p y + n_n x = n_Li.

Inventories n are in A h/m2 of one coated pair. Losses act only on them: LLI reduces n_Li, LAM reduces n_p or n_n
(delithiated sites, so no lithium is lost with them). Capacity, and with it SOH, is a result.
"""

from __future__ import annotations

from bridge.v3.chemistry import GRAPHITE, HIGH, LOW, potential
from dataset_card.running.compiled import compiled

COMPILED_IN = {"chemistry.py": "13a1d6a2969a11d6"}
"""SHA-256 of the files whose kernels numba compiles into this one: it recompiles only if this file changes."""

_jit = compiled(nogil=True, error_model="numpy")


@_jit
def _ocv(material, x, n_p, n_n, n_li):
    return potential(material, (n_li - n_n * x) / n_p) - potential(GRAPHITE, x)


@_jit
def anode_at(material, volts, n_p, n_n, n_li):
    """Find the stoichiometry x of graphite at which the pair has the voltage `volts`, by bisection in [.002, .998]."""
    low = max(LOW, (n_li - HIGH * n_p) / n_n)
    high = min(HIGH, (n_li - LOW * n_p) / n_n)
    for _ in range(52):
        middle = 0.5 * (low + high)
        if _ocv(material, middle, n_p, n_n, n_li) < volts:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@_jit
def anode_near(material, volts, n_p, n_n, n_li, guess):
    """Solve `anode_at` to 1e-12 in x by Newton's method from a guess, kept inside the bracket."""
    low = max(LOW, (n_li - HIGH * n_p) / n_n)
    high = min(HIGH, (n_li - LOW * n_p) / n_n)
    x = min(max(guess, low), high)
    for _ in range(60):
        error = _ocv(material, x, n_p, n_n, n_li) - volts
        if error < 0.0:
            low = x
        else:
            high = x
        h = 1e-6
        rise = (_ocv(material, x + h, n_p, n_n, n_li) - _ocv(material, x - h, n_p, n_n, n_li)) / (2 * h)
        moved = x - error / rise if rise > 0.0 else low - 1.0
        if not low <= moved <= high:
            moved = 0.5 * (low + high)
        if abs(moved - x) < 1e-12:
            return moved
        x = moved
    return x


@_jit
def window(material, v_min, v_max, n_p, n_n, n_li):
    """Find the stoichiometries x_0, x_100 of graphite in the empty and the full cell.

    The capacity is n_n (x_100 - x_0) in A h/m2.
    """
    return anode_at(material, v_min, n_p, n_n, n_li), anode_at(material, v_max, n_p, n_n, n_li)
