"""Acceptance checks of v3: its equations are solved, its theorem holds, its nulls are null."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from bridge.v3.cells import Request, draw, requests
from bridge.v3.config import PhysicsConfig
from bridge.v3.design import PouchCell
from bridge.v3.effects import Effect, effects
from bridge.v3.generate import Rows, generate
from bridge.v3.impedance import ladder, sphere_impedance, sphere_step
from bridge.v3.protocol import Protocol, SensorArray
from bridge.v3.simulation import Case, simulate_cases
from bridge.v3.state import CellState, Defect, Mesh, Variation
from bridge.validation.checks import Check, ValidationReport, check, declared
from dataset_card.contract.schema import MASTER_SEED

CELLS = 150
"""Number of cells of each chemistry and knowledge on which the nulls are judged, at one visit each."""


def rms(values: np.ndarray) -> float:
    """Compute the root mean square."""
    return float(np.sqrt((np.asarray(values) ** 2).mean()))


def validate_physics() -> ValidationReport:
    """Run the checks of v3, all of which block; they take about a minute."""
    checks = [
        check("diffusion", _diffusion(), True),
        *_solvers(),
        *_theorem(),
        _mesh(),
        check("steps", _steps(), True),
        check("table", max(misfits(effects(PouchCell.preset("prototype"))).values()), True),
        *nulls(generate_healthy()),
    ]
    return ValidationReport("v3", "", {"physics": checks})


def _diffusion() -> float:
    worst = 0.0
    t = np.geomspace(0.1, 1000, 300)
    s = 2j * np.pi / t
    for chemistry in ("nmc", "lfp"):
        cell = PouchCell.preset(chemistry)
        for tau in (cell.tau_p_s, cell.tau_n_s):
            weight, time, instant = ladder(tau)
            step = instant + (weight * (1 - np.exp(-t[:, None] / time))).sum(axis=1) + t / tau
            answer = instant + (weight / (1 + s[:, None] * time)).sum(axis=1) + 1 / (s * tau)
            errors = step / (sphere_step(t / tau) + t / tau) - 1, np.abs(answer / sphere_impedance(s * tau) - 1)
            worst = max(worst, *(float(np.abs(error).max()) for error in errors))
    return worst


def _solvers() -> list[Check]:
    cell = PouchCell.preset("nmc")
    array, protocol = SensorArray.grid(cell), Protocol()
    cases = [Case(cell, CellState(lli=0.05), Defect(kind, share=0.06)) for kind in ("none", "weld", "dry", "plating")]
    one, two = (simulate_cases(cases, array, protocol, uniform_foils=uniform) for uniform in (True, False))
    pairs = list(zip(one, two, strict=True))
    currents = max(float(np.abs(a.flows[:, :, 0] - b.flows[:, :, 0]).max()) for a, b in pairs) / 600
    sums = [(b.flows[:, :, 0] * b.mesh.areas[..., None]).sum(axis=(0, 1)) for b in two]
    lost = float(np.abs(np.array(sums) - np.array([5.76, *[0] * 7])).max())
    return [check("potentials", currents, True), check("currents", lost, True)]


def _theorem() -> list[Check]:
    cell = PouchCell.preset("nmc")
    array = SensorArray(SensorArray.grid(cell).position_mm * [1, 1, 0] + [0, 0, 20.0])
    aged = Case(cell, CellState(lli=0.15, lam_pe=0.1, r_ohm=2.0))
    cases = [Case(cell), Case(cell, variation=Variation(slope=1.0)), aged]
    even, moved, old = simulate_cases(cases, array, Protocol())
    amplitude = np.sqrt(2) * rms(moved.flows[:, :, 0, 0] - even.flows[:, :, 0, 0]) * cell.area_m2
    through_tabs = rms(even.load_T) / cell.nominal_Ah
    pattern = rms(moved.load_T - even.load_T) / amplitude / through_tabs
    return [check("pattern", pattern, True), check("uniform ageing", rms(old.load_T - even.load_T) * 1e9, True)]


def _mesh() -> Check:
    """Check the mesh of releases; the note also states the error of the coarser default of `simulate`."""
    cell = PouchCell.preset("nmc")
    array = SensorArray.grid(cell, distance_mm=5.0)
    release, default, fine = (
        simulate_cases([Case(cell, mesh=mesh)], array, Protocol(), uniform_foils=True)[0].load_T
        for mesh in (Mesh.uniform(cell, *PhysicsConfig().mesh), Mesh.uniform(cell), Mesh.uniform(cell, 96, 64))
    )
    errors = [rms(coarse - fine) / rms(fine) for coarse in (release, default)]
    return check("mesh", errors[0], True, default=errors[1])


def _steps() -> float:
    coarse, fine = Protocol(), Protocol()
    parts = [15 if d else 1 for d in coarse.dt_s]
    ends = np.cumsum(parts) - 1
    # Users cannot choose a finer protocol; only this check needs one.
    fine.__dict__.update(
        dt_s=np.repeat(coarse.dt_s / parts, parts),
        time_s=np.cumsum(np.repeat(coarse.dt_s / parts, parts)),
        on=np.repeat(coarse.on, parts),
        load_step=int(ends[11]),
        rest_steps=tuple(int(ends[k]) for k in coarse.rest_steps),
    )
    cell = PouchCell.preset("nmc")
    array, cases = SensorArray.grid(cell), [Case(cell, variation=Variation(slope=0.5))]
    a, b = (simulate_cases(cases, array, protocol, uniform_foils=True)[0] for protocol in (coarse, fine))
    return float(np.abs(a.voltage_V - b.voltage_V[ends]).max())


def misfits(found: list[Effect]) -> dict[str, float]:
    """Compute the largest relative difference of each effect from the prototype's printed figures."""
    printed, result = declared("prototype.yaml"), {}
    for effect in found:
        values = effect.load_nT, effect.rest_pT, effect.scan_nT, effect.voltage_mV
        pairs = [(v, e) for v, e in zip(values, printed[effect.change], strict=True) if e is not None]
        result[effect.change] = max(abs(value / expected - 1) for value, expected in pairs)
    return result


def one_visit_each(cells: int, config: PhysicsConfig) -> list[Request]:
    """Return rows of NMC cells, `cells` each with known and unknown charge, every cell at one of its visits."""
    rows = requests(cells, config.visits)
    return [row for row in rows if row.chemistry == "NMC" and row.visit == row.number % config.visits]


def generate_healthy(config: PhysicsConfig | None = None, cells: int = CELLS) -> Rows:
    """Generate rows of healthy NMC cells with known and unknown charge, each cell at one visit."""
    config = config or PhysicsConfig()
    rows = one_visit_each(cells, config)
    healthy = [d.defect.defect.kind == "none" for d in draw(rows, config, MASTER_SEED)]
    return generate([row for row, keep in zip(rows, healthy, strict=True) if keep], config)


def readout(x: np.ndarray, y: np.ndarray, directions: int = 12) -> float:
    """Compute R2 of a quadratic ridge on the first principal directions, each row predicted from other rows."""
    first = PCA(min(directions, x.shape[1]), whiten=True, svd_solver="full")
    products, ridge = PolynomialFeatures(2, include_bias=False), RidgeCV(np.geomspace(1e-2, 1e6, 17))
    model = make_pipeline(StandardScaler(), first, products, StandardScaler(), ridge)
    guess = cross_val_predict(model, x, y, cv=KFold(5, shuffle=True, random_state=0))
    return 1 - float(((y - guess) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def nulls(rows: Rows) -> list[Check]:
    """Check what must not be readable: SOH from the field under load, gradients from the terminals."""
    labels = rows.labels
    read = [("SOH from the load field", rows.load, "soh")]
    read += [(f"{label} from the terminals", rows.voltage, label) for label in ("gradient_r", "gradient_lli")]
    return [
        check("readout", readout(x, labels[label].to_numpy(float)), True, name=name, cells=len(labels))
        for name, x, label in read
    ]
