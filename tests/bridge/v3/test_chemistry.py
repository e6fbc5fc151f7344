"""Potentials against PyBaMM's, susceptibilities against the spin-only moments."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from bridge.v3 import chemistry, patches, thermodynamics

S = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
PYBAMM = {
    chemistry.GRAPHITE: (
        0.6785705946,
        0.2169862232,
        0.1421123339,
        0.1330855129,
        0.0953777397,
        0.0920204098,
        0.0920200017,
    ),
    chemistry.NMC: (4.6374457689, 4.4689827623, 4.1750205064, 3.9719586564, 3.7729201397, 3.6491104594, 3.5682002816),
    chemistry.LFP: (3.4069630922, 3.4036461999, 3.4006058469, 3.3975652247, 3.3945003672, 3.3892539230, 3.3446495385),
}
"""PyBaMM 26.10: `ParameterValues("Chen2020")["Negative electrode OCP [V]"](s)`, the positive one, and Prada2013's."""


@pytest.mark.parametrize("material", PYBAMM)
def test_potentials_are_pybamms(material):
    found = [chemistry.potential(material, s) for s in S]
    assert np.allclose(found, PYBAMM[material], atol=2e-9)


def test_slopes_fall_and_never_vanish():
    for material in PYBAMM:
        assert all(chemistry.slope(material, s) >= 1e-3 for s in S)
    expected = (PYBAMM[chemistry.NMC][2] - PYBAMM[chemistry.NMC][4]) / 0.3
    assert np.isclose(
        np.mean([chemistry.slope(chemistry.NMC, s) for s in np.linspace(0.35, 0.65, 301)]), expected, rtol=0.01
    )


def test_susceptibilities_have_the_size_of_their_moments():
    full = chemistry.susceptibility(chemistry.LFP, 1.0)
    assert np.isclose(full, 4e-6 * np.pi / 7.9977 * 5.4**2 / (388.15 * 43.8e-6))
    assert chemistry.susceptibility(chemistry.GRAPHITE, 0.0) < 0 < chemistry.susceptibility(chemistry.GRAPHITE, 1.0)
    nickel = [chemistry.susceptibility(chemistry.NMC, s) for s in (0.1, 0.9, 1.0)]
    assert np.allclose(np.array(nickel) / nickel[0], [1, 3.9 / 1.5, 4.4 / 1.5])


def test_compiled_callers_know_these_kernels():
    """numba compiles a caller anew only when the caller's own file changes; the hash makes it change."""
    folder = Path(chemistry.__file__).parent
    for caller in (thermodynamics, patches):
        for name, digest in caller.COMPILED_IN.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest()[:16] == digest, (caller.__name__, name)
