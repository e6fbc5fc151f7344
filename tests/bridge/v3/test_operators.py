"""A few heights stand for every foil and gap of the stack."""

import numpy as np
import pytest

from bridge.v3.design import PouchCell
from bridge.v3.field import current_terms
from bridge.v3.operators import layers

RNG = np.random.default_rng(0)
X, Y = np.array([0.01, 0.035]), np.array([0.02, 0.06])


def worst(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("distance", [2.0, 5.0, 20.0])
def test_few_heights_stand_for_every_foil(distance):
    cell = PouchCell.preset("nmc")
    half = cell.thickness_mm * 5e-4
    sensors = RNG.uniform(-0.02, 0.14, (40, 3)) * [1, 1, 0] + [0, 0, half + distance * 1e-3]
    stack = layers(cell, float(sensors[:, 2].min()))
    terms = current_terms(sensors, X, Y, cell.foil_z)
    few = current_terms(sensors, X, Y, stack.z)
    sides = np.full(cell.units + 1, 2.0)
    sides[[0, -1]] = 1
    for weight, own in ((stack.foil_n, slice(0, None, 2)), (stack.foil_p, slice(1, None, 2))):
        share = np.zeros(cell.units + 1)
        share[own] = sides[own] / sides[own].sum()
        exact = np.einsum("smqij,m->sqij", terms, share)
        assert worst(np.einsum("smqij,m->sqij", few, weight), exact) < 1e-8


def test_units_add_up_to_the_stack():
    for units in (1, 19, 20):
        cell = PouchCell.preset("nmc", units=units)
        stack = layers(cell, 0.012)
        for one, whole in ((stack.unit_p, stack.foil_p), (stack.unit_n, stack.foil_n), (stack.unit_gap, stack.gap)):
            assert np.allclose(one.mean(axis=0), whole)
        assert np.isclose(stack.foil_p.sum(), 1) and np.isclose(stack.solid.sum(), 1)
        assert np.isclose(stack.gap.sum(), cell.pitch_m / units if units % 2 else 0)
