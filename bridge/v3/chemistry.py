"""Electrode materials: open-circuit potential, magnetic susceptibility, molar volume.

Potentials are functions of stoichiometry (0 to 1, dimensionless) in V against Li/Li+; volume susceptibilities are SI
(dimensionless). Every constant carries its source; [C] marks our own choice, [K] textbook knowledge.
"""

from __future__ import annotations

import math

from dataset_card.running.compiled import compiled

FARADAY = 96485.33212
"""C/mol (CODATA 2018)."""
T_K = 298.15
"""Temperature of every cell in K [C]."""

GRAPHITE, NMC, LFP, NMC111 = 0, 1, 2, 3
"""Codes of the materials in compiled loops. NMC is NMC811; NMC111 differs from it only in susceptibility."""

LOW, HIGH = 0.002, 0.998
"""Lowest and highest stoichiometry of a state."""

MOLAR_VOLUME = {GRAPHITE: 6 * 12.011e-6 / 2.26, NMC: 20.5e-6, LFP: 43.8e-6, NMC111: 20.5e-6}
"""m3 per mole of lithium sites. Graphite: C6 at 2.26 g/cm3 [K]; NMC, LiFePO4: crystal densities [K]."""

_STEP = 0.005
"""Half width of the central difference of a slope: the pulse changes a stoichiometry by about this much [C]."""
_LEAST_SLOPE_V = 1e-3
"""Smallest slope in V; keeps a plateau's capacity finite [C]."""

_jit = compiled(nogil=True, error_model="numpy")


@_jit
def potential(material, s):
    """Compute the open-circuit potential in V at stoichiometry s.

    Graphite and NMC811: Chen et al. 2020, J. Electrochem. Soc. 167, 080534, eqs. 8 and 9. LFP: Prada et al. 2013,
    J. Electrochem. Soc. 160, A616, as implemented in PyBaMM 25.
    """
    if material == GRAPHITE:
        return (
            1.9793 * math.exp(-39.3631 * s)
            + 0.2482
            - 0.0909 * math.tanh(29.8538 * (s - 0.1234))
            - 0.04478 * math.tanh(14.9159 * (s - 0.2769))
            - 0.0205 * math.tanh(30.4444 * (s - 0.6103))
        )
    if material == LFP:
        return 3.4077 - 0.020269 * s + 0.5 * math.exp(-150.0 * s) - 0.9 * math.exp(-30.0 * (1.0 - s))
    return (
        4.4875
        - 0.8090 * s
        - 0.0428 * math.tanh(18.5138 * (s - 0.5542))
        - 17.7326 * math.tanh(15.7890 * (s - 0.3117))
        + 17.5842 * math.tanh(15.9308 * (s - 0.3120))
    )


@_jit
def slope(material, s):
    """Compute the magnitude of the potential's slope in V per unit of stoichiometry, by central difference."""
    fall = potential(material, s - _STEP) - potential(material, s + _STEP)
    return max(fall / (2 * _STEP), _LEAST_SLOPE_V)


@_jit
def _curie_weiss(moment2, theta, molar_volume):
    """Compute the volume susceptibility of spins with squared moment `moment2` (mu_B^2) at `T_K`.

    7.9977 converts mu_B^2 to emu K/mol.
    """
    return 4e-6 * math.pi / 7.9977 * moment2 / ((T_K - theta) * molar_volume)


@_jit
def susceptibility(material, s):
    """Compute the SI volume susceptibility at stoichiometry s, spin-only Curie-Weiss.

    NMC811: Ni2+ (8 mu_B^2), Ni3+ (3), Ni4+ (0), Mn4+ (15), Co3+ (0); nickel is oxidised first; theta 0 K [C].
    NMC111: 15/3 + 8/3 y' mu_B^2 with y' = 1.5 (y - 1/3), theta -80 K [K]. LFP: 5.4 mu_B, -90 K as LiFePO4 and 5.9 mu_B,
    -165 K as FePO4, mixed linearly [K]. Graphite -6.5e-6 to LiC6 +.5e-6 emu/g, uncertain by a factor of two [K].
    """
    if material == GRAPHITE:
        return 4 * math.pi * 2.26 * (-6.5e-6 + 7.0e-6 * s)
    if material == LFP:
        full = _curie_weiss(5.4**2, -90.0, 43.8e-6)
        return s * full + (1 - s) * _curie_weiss(5.9**2, -165.0, 40.9e-6)
    if material == NMC111:
        return _curie_weiss(5.0 + 8.0 / 3.0 * min(max(1.5 * (s - 1 / 3), 0.0), 1.0), -80.0, 20.5e-6)
    moment2 = 1.5 + 3.0 * min(max(s - 0.1, 0.0), 0.8) + 5.0 * max(s - 0.9, 0.0)
    return _curie_weiss(moment2, 0.0, 20.5e-6)
