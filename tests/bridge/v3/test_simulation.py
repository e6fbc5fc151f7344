"""The simulator as a whole: the theorem, convergence, honesty about noise, and refusals."""

from dataclasses import replace

import numpy as np
import pytest

from bridge.v3 import CellState, Defect, Noise, PouchCell, Protocol, SensorArray, Variation, simulate
from bridge.v3.field import MU0_4PI
from bridge.v3.simulation import Case, simulate_cases
from bridge.v3.state import Mesh
from dataset_card.errors import MagBridgeError

CELL = PouchCell.preset("nmc")
ARRAY = SensorArray.grid(CELL)
AGED = CellState(soc=0.5, lli=0.05, lam_pe=0.02)


def rms(a):
    return float(np.sqrt((np.asarray(a) ** 2).mean()))


def one(state=AGED, cell=CELL, array=ARRAY, **case):
    return simulate_cases([Case(cell, state, **case)], array, Protocol())[0]


def test_the_outside_field_does_not_know_where_the_current_flows():
    """Uniform foils, a symmetric stack: a pattern of 1 A changes the field by under 5e-6 of 1 A by the tabs."""
    array = SensorArray(ARRAY.position_mm * [1, 1, 0] + [0, 0, 20.0])
    even = one(array=array)
    for change in (Variation(slope=1.0), Variation(maps=np.random.default_rng(0).standard_normal((5, 9, 7)) * 3)):
        moved = one(array=array, variation=change)
        i, j = even.flows[:, :, 0, 0], moved.flows[:, :, 0, 0]
        amplitude = np.sqrt(2) * rms(j - i) * CELL.area_m2
        assert amplitude > 0.01
        assert rms(moved.load_T - even.load_T) / amplitude < 5e-6 * rms(even.load_T) / 5.76


def test_an_asymmetric_stack_knows_a_little():
    odd = PouchCell.preset("nmc", units=19)
    even, moved = one(cell=odd), one(cell=odd, variation=Variation(slope=1.0))
    assert rms(moved.load_T - even.load_T) > 10 * rms(one(variation=Variation(slope=1.0)).load_T - one().load_T)


def test_uniform_ageing_is_invisible_under_load_and_plain_at_the_terminals():
    fresh, old = one(CellState()), one(CellState(lli=0.1, r_ohm=1.8))
    assert rms(old.load_T - fresh.load_T) < 1e-12
    assert abs(old.voltage_V[11] - fresh.voltage_V[11]) > 0.01


def test_every_unit_of_current_is_accounted_for():
    found = one(defect=Defect("tear", share=0.2, length=0.4, x_mm=50))
    amperes = (found.flows[:, :, 0, :] * found.mesh.areas[..., None]).sum(axis=(0, 1))
    assert np.allclose(amperes, [5.76] + [0] * 7, atol=1e-8)
    assert np.allclose(found.units_A.sum(axis=1), [5.76] + [0] * 7, atol=1e-8)


def test_uniform_foils_need_one_potential_only():
    cases = [Case(CELL, AGED, Defect(kind, share=0.06)) for kind in ("none", "weld", "dry", "plating")]
    one_potential = simulate_cases(cases, ARRAY, Protocol(), uniform_foils=True)
    two = simulate_cases(cases, ARRAY, Protocol())
    for a, b in zip(one_potential, two, strict=True):
        assert np.abs(a.voltage_V - b.voltage_V).max() < 1e-9
        assert rms(a.load_T - b.load_T) < 1e-9 * rms(b.load_T)
        assert np.abs(a.rest_T - b.rest_T).max() < 1e-15
    with pytest.raises(MagBridgeError, match="tear"):
        simulate_cases([Case(CELL, AGED, Defect("tear", share=0.1))], ARRAY, Protocol(), uniform_foils=True)


@pytest.mark.parametrize(("n", "distance", "bar"), [(29, 5.0, 0.02), (24, 8.0, 0.02), (24, 20.0, 0.01)])
def test_field_converges_with_the_mesh(n, distance, bar):
    array = SensorArray.grid(CELL, distance_mm=distance)
    coarse, fine = (
        simulate_cases(
            [Case(CELL, AGED, mesh=Mesh.uniform(CELL, m, 2 * m // 3))], array, Protocol(), uniform_foils=True
        )[0]
        for m in (n, 96)
    )
    assert rms(coarse.load_T - fine.load_T) < bar * rms(fine.load_T)


def test_coarse_steps_agree_with_fifteen_times_as_many():
    class Fine(Protocol):
        pass

    coarse = Protocol()
    fine = Fine()
    many = np.concatenate([np.full(15, d / 15) if d else np.zeros(1) for d in coarse.dt_s])
    ends = np.cumsum([15 if d else 1 for d in coarse.dt_s]) - 1
    fine.__dict__.update(
        dt_s=many,
        time_s=np.cumsum(many),
        on=np.repeat(coarse.on, [15 if d else 1 for d in coarse.dt_s]),
        load_step=int(ends[11]),
        rest_steps=tuple(int(ends[k]) for k in coarse.rest_steps),
    )
    case = [Case(CELL, AGED, variation=Variation(slope=0.5))]
    a, b = (simulate_cases(case, ARRAY, protocol)[0] for protocol in (coarse, fine))
    assert np.abs(a.voltage_V - b.voltage_V[ends]).max() < 1e-4
    for k in (0, 1, 3, 7):
        i, j = a.flows[:, :, 0, k], b.flows[:, :, 0, k]
        assert rms(i - j) < 0.08 * j.std()


def test_field_of_a_closed_circuit_has_no_source():
    """Ampere's law round a loop above the cell that encloses no current: leads, tabs and foils close the circuit."""
    for cell in (CELL, PouchCell.preset("nmc", opposite=True)):
        middle, n = np.array([60.0, 40.0, 30.0]), 120
        angle = (np.arange(n) + 0.5) / n * 2 * np.pi
        loop = middle + 15 * np.column_stack([0 * angle, np.cos(angle), np.sin(angle)])
        along = np.column_stack([0 * angle, -np.sin(angle), np.cos(angle)])
        found = one(cell=cell, array=SensorArray(loop), mesh=Mesh.uniform(cell, 48, 32))
        circulation = (found.load_T * along).sum() * 2 * np.pi * 0.015 / n
        assert abs(circulation) < 1e-3 * 4 * np.pi * MU0_4PI * 5.76


def test_noise_is_explicit_and_drawn_from_the_generator():
    clean = simulate(CELL, AGED, sensors=ARRAY, noise=None)
    assert np.array_equal(clean.load_T, simulate(CELL, AGED, sensors=ARRAY, noise=None).load_T)
    read = [simulate(CELL, AGED, sensors=ARRAY, noise=Noise(), rng=np.random.default_rng(s)) for s in (0, 0, 1)]
    for name in ("voltage_V", "load_T", "rest_T", "scan_T"):
        a, b, c = (getattr(found, name) for found in read)
        assert np.array_equal(a, b) and not np.isclose(a, c, rtol=1e-12, atol=0).any()
        assert not np.isclose(a, getattr(clean, name), rtol=1e-12, atol=0).any()
    with pytest.raises(TypeError):
        simulate(CELL, AGED, sensors=ARRAY)  # type: ignore[call-arg]


def test_white_noise_has_its_size():
    quiet = Noise(flicker=0, gain_common=0, gain_channel=0, dipole_Am2=0, shift_mm=(0, 0, 0), turn_rad=0, error_mm=0)
    clean = simulate(CELL, AGED, sensors=ARRAY, noise=None)
    read = simulate(CELL, AGED, sensors=ARRAY, noise=quiet, rng=np.random.default_rng(3))
    assert rms(read.rest_T - clean.rest_T) == pytest.approx(50e-12, rel=0.1)
    assert rms(read.voltage_V - clean.voltage_V) == pytest.approx(1e-4, rel=0.4)


def test_moving_the_array_is_moving_it_exactly():
    noise = replace(Noise(), turn_rad=0.0, error_mm=0.0)
    placement = noise.place(np.random.default_rng(5), ARRAY)
    moved = one(placement=placement)
    expected = one(array=SensorArray(ARRAY.position_mm + placement.shift_mm))
    assert np.allclose(moved.load_T, expected.load_T, rtol=1e-9, atol=1e-18)


def test_an_array_that_slips_into_the_cell_is_refused():
    near = SensorArray.grid(CELL, distance_mm=0.4)
    noise = replace(Noise(), shift_mm=(0.0, 0.0, 5.0))
    with pytest.raises(MagBridgeError, match="inside the cell"):
        for seed in range(20):
            one(array=near, placement=noise.place(np.random.default_rng(seed), near))


def test_refusals():
    inside = SensorArray(np.array([[60.0, 40.0, 0.5]]))
    with pytest.raises(MagBridgeError, match="sensor 0 at z = 0.5 mm: inside the cell"):
        one(array=inside)
    with pytest.raises(MagBridgeError, match="foil 0 to 9"):
        one(defect=Defect("layer", depth=10))
    with pytest.raises(MagBridgeError, match="no capacity"):
        one(cell=PouchCell.preset("nmc", v_min=4.199))
