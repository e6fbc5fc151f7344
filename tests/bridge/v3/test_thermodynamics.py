"""Open-circuit states: the inverse of the potential, and capacity as an outcome."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.v3.chemistry import GRAPHITE, LFP, NMC, potential
from bridge.v3.thermodynamics import anode_at, anode_near, window

NMC_CELL, LFP_CELL = (51.3854, 34.2831, 44.5765), (31.5, 34.0, 31.23)


def volts(material, x, n_p, n_n, n_li):
    return potential(material, (n_li - n_n * x) / n_p) - potential(GRAPHITE, x)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([NMC, LFP]), st.floats(0.05, 0.9), st.floats(0, 0.2), st.floats(0, 0.15), st.floats(0.05, 0.95))
def test_both_inverses_find_the_stoichiometry(material, x, lli, lam, guess):
    n_p, n_n, n_li = NMC_CELL if material == NMC else LFP_CELL
    n = n_p * (1 - lam), n_n, n_li * (1 - lli)
    if not 0.01 < (n[2] - n[1] * x) / n[0] < 0.99:
        return
    target = volts(material, x, *n)
    for found in (anode_at(material, target, *n), anode_near(material, target, *n, guess)):
        assert abs(volts(material, found, *n) - target) < 1e-9


def test_fresh_capacities_are_the_specified_ones():
    for material, n, v_max, expected in ((NMC, NMC_CELL, 4.2, 1.0040), (LFP, LFP_CELL, 3.6, 0.9853)):
        empty, full = window(material, 2.5, v_max, *n)
        assert np.isclose(n[1] * (full - empty) * 20 * 0.0096 / 5.76, expected, atol=1e-4)
