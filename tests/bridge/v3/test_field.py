"""Closed-form fields against magpylib, and interpolation through the stack against the sum of all foils."""

import magpylib
import numpy as np

from bridge.v3.field import MU0_4PI, current_terms, moment_field, node_weights, nodes, sheet_field, wire_field

RNG = np.random.default_rng(0)
SENSORS = np.column_stack([RNG.uniform(-0.02, 0.14, 40), RNG.uniform(-0.02, 0.1, 40), RNG.uniform(0.006, 0.03, 40)])
X, Y, Z = np.array([0.01, 0.035]), np.array([0.02, 0.06]), 0.0013


def worst(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_rectangle_of_current_against_two_triangles():
    corners = np.array([[X[i], Y[j], Z] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))])
    k = np.array([3.0, -2.0, 0.0])
    strip = magpylib.Collection(
        *(
            magpylib.current.TriangleSheet(vertices=corners[part], faces=[[0, 1, 2]], current_densities=[k])
            for part in ([0, 1, 2], [0, 2, 3])
        )
    )
    found = sheet_field(SENSORS, X, Y, Z, k[:2, None, None])
    expected = strip.getB(SENSORS)
    assert worst(found / MU0_4PI, expected / (magpylib.mu_0 / (4 * np.pi))) < 1e-9


def test_straight_wire():
    points = np.array([[0, 0.06, 0], [-0.3, 0.06, 0.0], [-0.3, 0.02, 0.01]])
    expected = magpylib.current.Polyline(current=5.0, vertices=points).getB(SENSORS)
    assert worst(wire_field(SENSORS, points, 5.0) / MU0_4PI, expected / (magpylib.mu_0 / (4 * np.pi))) < 1e-9


def test_magnetised_rectangle_against_a_thin_cuboid():
    thin = 10e-6
    cuboid = magpylib.magnet.Cuboid(
        magnetization=(1.0 / thin, 0, 0),
        dimension=(X[1] - X[0], Y[1] - Y[0], thin),
        position=(X.mean(), Y.mean(), Z),
    )
    found = moment_field(SENSORS, X, Y, np.array([Z]), np.ones(1), np.ones((1, 1)))
    expected = cuboid.getB(SENSORS)
    assert worst(found / MU0_4PI, expected / (magpylib.mu_0 / (4 * np.pi))) < 1e-6


def test_vertical_current_against_1600_wires():
    height, side, sensors = 1e-4, 40, SENSORS + [0, 0, 0.006]
    left, right = np.array([0.01, 0.015]), np.array([0.02, 0.025])
    x, y = (edges[0] + (np.arange(side) + 0.5) / side * (edges[1] - edges[0]) for edges in (left, right))
    expected = np.zeros_like(sensors)
    for a in x:
        for b in y:
            points = np.array([[a, b, Z - height / 2], [a, b, Z + height / 2]])
            expected += wire_field(sensors, points, 1 / side**2)
    _, a, c = current_terms(sensors, left, right, np.array([Z]))[:, 0, :, 0, 0].T
    density = 1 / 0.005**2
    found = MU0_4PI * density * height * np.column_stack([-a, c, 0 * a])
    assert worst(found, expected) < 1e-4


def test_weights_interpolate_polynomials():
    z = nodes(1.0, 4.0)
    at = np.linspace(-1, 1, 7)
    assert np.allclose(node_weights(z, at) @ z**3, at**3)


def test_divergence_and_curl_vanish_outside():
    """A field of a closed current has neither, so a wrong sign anywhere in the closed forms would show."""
    h = 1e-5
    k = RNG.standard_normal((2, 1, 1))

    def b(points):
        return sheet_field(points, X, Y, Z, k)

    gradient = np.stack([(b(SENSORS + h * e) - b(SENSORS - h * e)) / (2 * h) for e in np.eye(3)], axis=1)
    scale = np.abs(gradient).max()
    assert np.abs(np.trace(gradient, axis1=1, axis2=2)).max() < 1e-6 * scale
