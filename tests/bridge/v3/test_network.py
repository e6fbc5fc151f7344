"""Currents in the plane against finite elements, a dense solver, and conservation."""

import numpy as np
import pytest

from bridge.v3 import network
from bridge.v3.design import PouchCell
from bridge.v3.patches import GROUP, patches
from bridge.v3.state import CellState, Defect, Mesh, Variation

skfem = pytest.importorskip("skfem")
CELL = PouchCell.preset("nmc")
LANES = network.LANES


def lanes(array):
    return np.ascontiguousarray(np.repeat(np.asarray(array, float)[..., None], LANES, axis=-1))


def solve_once(own, mesh, unknowns=2, current=5.76):
    """Currents (nx, ny) in A/m2 just after a current in A begins to flow, and the potentials."""
    foils = [lanes(getattr(own, name)) for name in ("gxp", "gyp", "gxn", "gyn")]
    tau_p, tau_n = lanes(own.tau_p), lanes(own.tau_n)
    part = np.stack([foils[2][0, 0], foils[0][0, 0]]) / (foils[2][0, 0] + foils[0][0, 0])
    psi = network.spread(foils[0] + foils[2], foils[1] + foils[3], tau_n - tau_p)
    voltage, maps = network.march(
        network.banded(*foils, unknowns),
        psi,
        part,
        tau_p,
        tau_n,
        part[0] * tau_p + part[1] * tau_n,
        lanes(mesh.areas),
        lanes(own.ocv_V),
        lanes(own.scale),
        GROUP,
        lanes(own.weight),
        lanes(own.time),
        np.zeros(1),
        np.full((1, LANES), current),
        np.zeros(1, int),
    )
    return voltage[0, 0], maps[0, ..., 0]


def own(nx, ny, slope=0.6, defect=None):
    mesh = Mesh.uniform(CELL, nx, ny)
    return patches(CELL, CellState(), defect or Defect(), Variation(slope=slope), mesh), mesh


def finite_elements(nx, ny):
    """Mean i of each patch of the same cell by quadratic elements of a sixth of a patch's area."""
    x = np.linspace(0, 0.12, 49)
    y = np.linspace(0, 0.08, 33)
    basis = skfem.Basis(skfem.MeshQuad.init_tensor(x, y), skfem.ElementQuad2(), intorder=6)
    numbers, _ = own(nx, ny)
    sheet_p, sheet_n = CELL.sheet_S
    s = 1 / sheet_p + 1 / sheet_n
    middle = float(numbers.scale[0].mean())

    @skfem.BilinearForm
    def form(u, v, w):
        conductance = 1 / (middle + r0 * 0.6 * (w.x[0] / 0.12 - 0.5))
        return (u.grad[0] * v.grad[0] + u.grad[1] * v.grad[1]) / s + conductance * u * v

    r0 = CELL.r_0_ohmcm2 * 1e-4 / CELL.units

    @skfem.LinearForm
    def driven(v, w):
        return numbers.ocv_V / (middle + r0 * 0.6 * (w.x[0] / 0.12 - 0.5)) * v

    @skfem.LinearForm
    def tabs(v, w):
        def density(centre):
            return (np.abs(w.x[1] - centre) < 0.01) / 0.02

        return -5.76 * (density(0.06) / sheet_p + density(0.02) / sheet_n) / s * v

    edge = skfem.FacetBasis(
        basis.mesh, basis.elem, facets=basis.mesh.facets_satisfying(lambda p: p[0] < 1e-9), intorder=6
    )
    v = skfem.solve(form.assemble(basis), driven.assemble(basis) + tabs.assemble(edge))
    values, where, weight = basis.interpolate(v), basis.global_coordinates().value, basis.dx
    r = middle + r0 * 0.6 * (where[0] / 0.12 - 0.5)
    i = (numbers.ocv_V - np.asarray(values)) / r
    a = np.minimum((where[0] / 0.12 * nx).astype(int), nx - 1)
    b = np.minimum((where[1] / 0.08 * ny).astype(int), ny - 1)
    sums = np.zeros((2, nx, ny))
    np.add.at(sums[0], (a, b), i * weight)
    np.add.at(sums[1], (a, b), weight)
    return sums[0] / sums[1]


def test_currents_against_quadratic_finite_elements():
    errors = []
    for nx, ny in ((12, 8), (24, 16)):
        numbers, mesh = own(nx, ny)
        _, maps = solve_once(numbers, mesh)
        exact = finite_elements(nx, ny)
        errors.append(np.sqrt(((maps[0] - exact) ** 2).mean()) / exact.std())
    assert errors[1] < 0.01
    assert errors[1] < errors[0]


def test_one_and_two_potentials_agree():
    numbers, mesh = own(24, 16)
    one, two = (solve_once(numbers, mesh, unknowns) for unknowns in (1, 2))
    assert abs(one[0] - two[0]) < 1e-9
    assert np.abs(one[1][0] - two[1][0]).max() < 1e-9 * two[1][0].mean()
    shift = (one[1][1] - two[1][1]).mean()
    assert np.abs(one[1][1:] - two[1][1:] - shift).max() < 1e-10


@pytest.mark.parametrize("defect", [Defect(), Defect("tear", share=0.3, length=0.5, x_mm=40), Defect("dry", share=0.1)])
def test_currents_add_up_and_both_foils_conserve_them(defect):
    numbers, mesh = own(15, 10, defect=defect)
    _, (i, phi_p, phi_n) = solve_once(numbers, mesh)
    amperes = i * mesh.areas
    assert abs(amperes.sum() - 5.76) < 1e-8
    for phi, gx, gy, source in (
        (phi_p, numbers.gxp, numbers.gyp, amperes - 5.76 * numbers.tau_p),
        (phi_n, numbers.gxn, numbers.gyn, 5.76 * numbers.tau_n - amperes),
    ):
        out = np.zeros_like(phi)
        x, y = gx * -np.diff(phi, axis=0), gy * -np.diff(phi, axis=1)
        out[:-1] += x
        out[1:] -= x
        out[:, :-1] += y
        out[:, 1:] -= y
        assert np.abs(out - source).max() < 1e-8


def test_banded_factors_solve_like_a_dense_solver():
    rng = np.random.default_rng(1)
    for n, width in ((7, 3), (8, 4), (12, 12)):
        band = rng.uniform(-1, 1, (n, width, LANES))
        band[:, 0] += 2 * width
        dense = np.zeros((LANES, n, n))
        for k in range(n):
            for j in range(min(width, n - k)):
                dense[:, k + j, k] = dense[:, k, k + j] = band[k, j]
        b = rng.standard_normal((n, LANES))
        expected = np.linalg.solve(dense, b.T[..., None])[..., 0].T
        network.factor(band)
        network.solve(band, b)
        assert np.allclose(b, expected, rtol=1e-12)


@pytest.mark.parametrize("h", [1e-5, 9.99e-4, 1.001e-3, 0.3, 40.0])
def test_states_are_exact_for_currents_linear_in_time(h):
    """Against z' = (i - z) / tau integrated in small steps by the exact rule for constant currents."""
    out = np.empty(3)
    network.coefficients(h, 1.0, out)
    z, n = 0.3, 20_000
    for k in range(n):
        i = 2.0 + (k + 0.5) / n * (5.0 - 2.0)
        z = i + (z - i) * np.exp(-h / n)
    assert out @ [0.3, 2.0, 5.0] == pytest.approx(z, rel=1e-8)


def test_units_in_parallel_share_by_conductance():
    r = np.array([0.1, 0.2, 0.4])
    scale = np.zeros((5, 3))
    voltage, shares = network.share(
        3.7, r, scale, np.array([4]), np.ones(1), np.zeros(1), np.array([0.0, 1.0]), np.array([7.0, 7.0])
    )
    assert np.allclose(shares[1], [4, 2, 1]) and np.allclose(voltage, 3.3)
