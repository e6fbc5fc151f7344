"""The pattern of the current against PyBaMM's 2+1D single particle model.

`pybamm_current.json` is what PyBaMM 26.10 gives at the pulse's begin, on 12 x 12 places along y and z:

    model = pybamm.lithium_ion.SPM({"current collector": "potential pair", "dimensionality": 2})
    points = {"x_n": 5, "x_s": 5, "x_p": 5, "r_n": 20, "r_p": 20, "y": 24, "z": 24}
    values = pybamm.ParameterValues("Marquis2019")
    solution = pybamm.Simulation(model, parameter_values=values, var_pts=points).solve([0, 30])
    solution["Current collector current density [A.m-2]"](t=0, y=y, z=z)  # 1.6 CPU-s
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from bridge.v3.design import PouchCell
from bridge.v3.patches import patches
from bridge.v3.state import CellState, Defect, Mesh, Variation
from tests.bridge.v3.test_network import solve_once

TABLE = json.loads(Path(__file__).with_name("pybamm_current.json").read_text())


def ours(r_0: float) -> np.ndarray:
    """(12, 12) current density of the same cell along y and z, with one ohmic resistance in ohm cm2."""
    cell = PouchCell.preset(
        "nmc",
        units=1,
        length_mm=1e3 * TABLE["Electrode height [m]"],
        width_mm=1e3 * TABLE["Electrode width [m]"],
        foil_p_um=1e6 * TABLE["Positive current collector thickness [m]"],
        foil_n_um=1e6 * TABLE["Negative current collector thickness [m]"],
        sigma_p_Sm=TABLE["Positive current collector conductivity [S.m-1]"],
        sigma_n_Sm=TABLE["Negative current collector conductivity [S.m-1]"],
        tab_width_mm=40.0,
        tab_p_mm=1e3 * TABLE["Positive tab centre y-coordinate [m]"],
        tab_n_mm=1e3 * TABLE["Negative tab centre y-coordinate [m]"],
        nominal_Ah=TABLE["Nominal cell capacity [A.h]"],
        whole_end_foils=True,
        r_0_ohmcm2=r_0,
    )
    mesh = Mesh.uniform(cell, 24, 36)
    own = patches(cell, CellState(), Defect(), Variation(), mesh)
    _, maps = solve_once(own, mesh, current=cell.nominal_Ah)
    fine = maps[0][::-1]  # x begins at the tabs' edge, which is z's end
    return fine.reshape(12, 2, 12, 3).mean(axis=(1, 3)).T


def test_pattern_of_the_current_is_pybamms():
    expected = np.array(TABLE["i_Am2"])

    def error(log_r: float) -> float:
        return float(np.sqrt(((ours(float(np.exp(log_r))) - expected) ** 2).mean()) / expected.std())

    fit = minimize_scalar(error, bounds=(np.log(1), np.log(3000)), method="bounded", options={"xatol": 0.01})
    found = ours(float(np.exp(fit.x)))
    assert np.isclose(found.mean(), expected.mean(), rtol=1e-4)
    assert fit.fun < 0.08
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.995
