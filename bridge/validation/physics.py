"""Acceptance of v3: are its equations solved, its theorem kept, its nulls null?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.v3.cells import Request, draw, requests
from bridge.v3.config import PhysicsConfig
from bridge.v3.design import PouchCell
from bridge.v3.effects import Effect, effects
from bridge.v3.generate import Rows, generate
from bridge.v3.impedance import ladder, sphere_impedance, sphere_step
from bridge.v3.protocol import Protocol, SensorArray
from bridge.v3.simulation import Case, simulate_cases
from bridge.v3.state import CellState, Defect, Mesh, Variation
from bridge.validation.checks import Check
from dataset_card.contract.schema import MASTER_SEED

CELLS = 150
"""Cells of each chemistry and knowledge that the nulls are judged on, at one visit."""

PROTOTYPE = {
    "in all": (15299, None, 2.28, None),
    "LLI +10 %, uniform": (None, None, 0.114, 61.6),
    "LAM_PE +10 %": (None, None, 0.092, -69.3),
    "ohmic resistance x 1.5": (None, None, None, -9.0),
    "resistance +20 % from tab to end": (None, 1.5, None, None),
    "dry, 6 % of the area": (None, None, 0.182, -3.0),
    "plated, 6 % of the area": (None, None, 0.109, 10.4),
    "weld half torn": (1895, None, None, None),
    "all Al foils torn to half width": (3447, 26762, None, -0.11),
    "the same, a tenth of the foils": (22, 121, None, None),
    "one Al foil off its tab, outer": (88, None, None, -5.3),
    "one Al foil off its tab, middle": (8.3, None, None, -5.3),
    "resistance +-5 % front to back": (5.3, 4092, None, None),
    "the same, symmetric": (0.09, 66, None, None),
    "LLI +-2 % front to back": (1.8, 1717, None, None),
    "lift-off +.1 mm": (84, None, 0.015, None),
    "shift .2 mm along y": (157, None, 0.008, None),
}
"""The prototype's effects as printed: load nT, rest pT, scan nT, voltage mV; None where noise drowns them."""


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt((np.asarray(values) ** 2).mean()))


def check_physics() -> list[Check]:
    """Every blocking check of v3; about a minute."""
    return [
        _bound("diffusion against the exact sphere", _diffusion(), "-", 0.02, "largest relative error, .1 to 1,000 s"),
        *_solvers(),
        *_theorem(),
        _mesh(),
        _bound("steps against fifteen times as many", _steps(), "V", 1e-4, "terminal voltage, 33 steps against 453"),
        _bound(
            "preset prototype against its table",
            _table(),
            "-",
            0.1,
            "largest relative error where noise does not drown",
        ),
        *nulls(generate_healthy()),
    ]


def _bound(name: str, figure: float, unit: str, bar: float, note: str) -> Check:
    return Check(name, figure, unit, f"at most {bar:g}", bool(figure <= bar), True, note)


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
    lost = max(
        float(np.abs((b.flows[:, :, 0] * b.mesh.areas[..., None]).sum(axis=(0, 1)) - np.array([5.76, *[0] * 7])).max())
        for b in two
    )
    return [
        _bound("solver of one and of two potentials", currents, "-", 1e-9, "currents of four cells, over their mean"),
        _bound("sum of the currents", lost, "A", 1e-8, "largest difference from the terminal's, eight readings"),
    ]


def _theorem() -> list[Check]:
    cell = PouchCell.preset("nmc")
    array = SensorArray(SensorArray.grid(cell).position_mm * [1, 1, 0] + [0, 0, 20.0])
    even, moved, old = simulate_cases(
        [
            Case(cell),
            Case(cell, variation=Variation(slope=1.0)),
            Case(cell, CellState(lli=0.15, lam_pe=0.1, r_ohm=2.0)),
        ],
        array,
        Protocol(),
    )
    amplitude = np.sqrt(2) * rms(moved.flows[:, :, 0, 0] - even.flows[:, :, 0, 0]) * cell.area_m2
    through_tabs = rms(even.load_T) / cell.nominal_Ah
    return [
        _bound(
            "theorem: a pattern of 1 A over 1 A through the tabs",
            rms(moved.load_T - even.load_T) / amplitude / through_tabs,
            "-",
            5e-6,
            "symmetric stack, uniform foils, 20 mm above the middle",
        ),
        _bound(
            "theorem: uniform ageing under load",
            rms(old.load_T - even.load_T) * 1e9,
            "nT",
            1e-3,
            "LLI .15, LAM .1, resistance doubled: the same field under load",
        ),
    ]


def _mesh() -> Check:
    """Held by the mesh that releases are made on; the coarser default of `simulate` is told beside it."""
    cell = PouchCell.preset("nmc")
    array = SensorArray.grid(cell, distance_mm=5.0)
    release, default, fine = (
        simulate_cases([Case(cell, mesh=mesh)], array, Protocol(), uniform_foils=True)[0].load_T
        for mesh in (Mesh.uniform(cell, *PhysicsConfig().mesh), Mesh.uniform(cell), Mesh.uniform(cell, 96, 64))
    )
    errors = [rms(coarse - fine) / rms(fine) for coarse in (release, default)]
    note = f"29 x 19 patches of a release, 5 mm, share of the field; 24 x 16 give {errors[1]:.4f}"
    return _bound("field against 96 x 64 patches", errors[0], "-", 0.02, note)


def _steps() -> float:
    coarse, fine = Protocol(), Protocol()
    parts = [15 if d else 1 for d in coarse.dt_s]
    ends = np.cumsum(parts) - 1
    # A finer protocol is none that a user may ask for: only this check takes one.
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


def _table() -> float:
    return max(misfits(effects(PouchCell.preset("prototype"))).values())


def misfits(found: list[Effect]) -> dict[str, float]:
    """Largest relative difference of each effect from the prototype's printed figures."""
    result = {}
    for effect in found:
        values = effect.load_nT, effect.rest_pT, effect.scan_nT, effect.voltage_mV
        pairs = [(v, e) for v, e in zip(values, PROTOTYPE[effect.change], strict=True) if e is not None]
        result[effect.change] = max(abs(value / expected - 1) for value, expected in pairs)
    return result


def one_visit_each(cells: int, config: PhysicsConfig) -> list[Request]:
    """Rows of NMC cells with charge known and unknown, so many of each, every cell at one of its visits."""
    rows = requests(cells, config.visits)
    return [row for row in rows if row.chemistry == "NMC" and row.visit == row.number % config.visits]


def generate_healthy(config: PhysicsConfig | None = None, cells: int = CELLS) -> Rows:
    """Rows of healthy cells, each at one visit, of NMC with charge known and unknown."""
    config = config or PhysicsConfig()
    rows = one_visit_each(cells, config)
    healthy = [d.defect.defect.kind == "none" for d in draw(rows, config, MASTER_SEED)]
    return generate([row for row, keep in zip(rows, healthy, strict=True) if keep], config)


def readout(x: np.ndarray, y: np.ndarray, directions: int = 12) -> float:
    """R2 of a quadratic ridge on the first principal directions, each row predicted from other cells."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    model = make_pipeline(
        StandardScaler(),
        PCA(min(directions, x.shape[1]), whiten=True, svd_solver="full"),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        RidgeCV(np.geomspace(1e-2, 1e6, 17)),
    )
    guess = cross_val_predict(model, x, y, cv=KFold(5, shuffle=True, random_state=0))
    return 1 - float(((y - guess) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def nulls(rows: Rows) -> list[Check]:
    """What must not be told: SOH by the field under load, gradients by the terminals."""
    labels = rows.labels
    return [
        _bound(
            name,
            readout(x, labels[label].to_numpy(float)),
            "-",
            0.02,
            f"R2 of a quadratic ridge, {len(labels)} healthy cells, each predicted from others",
        )
        for name, x, label in (
            ("load field on SOH", rows.load, "soh"),
            ("terminals on gradient_r", rows.voltage, "gradient_r"),
            ("terminals on gradient_lli", rows.voltage, "gradient_lli"),
        )
    ]


@dataclass(frozen=True)
class PhysicsReport:
    """The checks of v3."""

    checks: list[Check]

    @property
    def passed(self) -> bool:
        """Whether every blocking check holds."""
        return all(check.passed for check in self.checks if check.blocking)

    def as_dict(self) -> dict:
        """The report as plain values, for JSON."""
        return {"bridge": "v3", "passed": self.passed, "physics": [vars(check) for check in self.checks]}

    def text(self) -> str:
        """The report for people."""
        return "\n".join(["physics, bridge v3 (all blocking)", *(check.line() for check in self.checks)])


def validate_physics() -> PhysicsReport:
    """Run the checks of v3."""
    return PhysicsReport(check_physics())
