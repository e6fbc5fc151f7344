"""Draw the pictures of the page on magnetometers and print its tables.

python docs/magnetometer.py

`magbridge field` and `magbridge detect` print the same figures, one design at a time.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bridge.v3 import CellState, Defect, PouchCell, Protocol, SensorArray, Simulation, Variation
from bridge.v3.detect import SENSORS, Detection, detect
from bridge.v3.effects import effects, figure
from bridge.v3.experiment import experiment
from bridge.v3.figures import detect_figure, field_figure
from bridge.v3.simulation import Case, simulate_cases
from bridge.v3.state import DEFECTS, Mesh
from bridge.validation.physics import rms
from dataset_card.running.plotting import INK, canvas, save

PICTURES = Path(__file__).parent / "pictures"
DRY = Defect("dry", share=0.12, x_mm=80.0, y_mm=45.0)
TORN = {"kind": "tear", "share": 0.4, "length": 0.5, "x_mm": 50}
DISTANCES_MM, NOISES_NT = (5.0, 10.0, 20.0), (0.001, 0.01, 0.05, 0.1, 1.0)
PLANE = 48, 32
"""Number of patches, and of points of the field map, along x and y."""
MAPS = (
    ("current density, A/m²", "viridis"),
    ("sheet current of the aluminium, A/m", "magma"),
    ("of aluminium and copper together, A/m", "magma"),
    ("field 10 mm above the cell, Bz, µT", "RdBu_r"),
)
ABOVE_MM = 20.0


def main() -> None:
    """Draw the pictures; print every table row of figures that the page has."""
    plan = experiment({})
    found = detect(plan, DISTANCES_MM, NOISES_NT)
    detect_figure(found, DISTANCES_MM[1], PICTURES / "detect.png")
    field_figure(experiment({"defect": TORN}), PICTURES / "torn.png")
    parts = theorem(PICTURES / "theorem.png"), stacks(), changes(), charges(), shares(found)
    print("\n\n".join("\n".join(part) for part in parts))


def theorem(out: Path) -> list[str]:
    """Draw a healthy cell, one with a dry region and their difference; return the rows of the table."""
    cell = PouchCell.preset("nmc")
    x, y = (np.linspace(0, side, n) for side, n in zip((cell.length_mm, cell.width_mm), PLANE, strict=True))
    height = cell.thickness_mm / 2 + 10
    array = SensorArray(np.array([(a, b, height) for a in x for b in y]))
    mesh = Mesh.uniform(cell, *PLANE)
    cases = [Case(cell, mesh=mesh), Case(cell, defect=DRY, mesh=mesh)]
    found = simulate_cases(cases, array, Protocol(), uniform_foils=True)
    healthy, dry = (_maps(one) for one in found)
    figure, axes = canvas(3, 4, size=(13.2, 6.4))
    for k, (title, colours) in enumerate(MAPS):
        edges = (mesh.x, mesh.y) if k < 3 else (x, y)
        change = dry[k] - healthy[k]
        most = max(np.abs(healthy[k]).max(), np.abs(dry[k]).max())
        limits = (-most if healthy[k].min() < 0 else 0, most)
        # Differences are drawn on a twentieth of the readings' scale, except that of the current density.
        fine = most if k == 0 else most / 20
        looks = ((healthy[k], colours, limits), (dry[k], colours, limits), (change, "RdBu_r", (-fine, fine)))
        for axis, (values, scale, (low, high)) in zip(axes[:, k], looks, strict=True):
            shown = axis.pcolormesh(*edges, values.T, cmap=scale, vmin=low, vmax=high, rasterized=True)
            axis.set(aspect="equal", xticks=[], yticks=[])
            figure.colorbar(shown, ax=axis, shrink=0.9, pad=0.02)
        axes[0, k].set_title(title, fontsize=10, color=INK)
        axes[2, k].set_xlabel(f"rms of the difference: {_share(rms(change) / rms(healthy[k]))}", color=INK)
    for axis, words in zip(axes[:, 0], ("healthy", f"{DRY.share:.0%} of the area dry", "difference"), strict=True):
        axis.set_ylabel(words, fontsize=10, color=INK)
    save(figure, out)
    fields = [1e9 * one.load_T for one in found]
    names = "current density", "sheet current of the aluminium", "of aluminium and copper together"
    parts = [rms(b - a) / rms(a) for a, b in zip(healthy[:3], dry[:3], strict=True)]
    return [f"| {name} | {_share(part)} |" for name, part in zip(names, parts, strict=True)] + [
        f"| field 10 mm above the cell | {rms(fields[1] - fields[0]):.2g} of {rms(fields[0]):,.0f} nT |"
    ]


def stacks() -> list[str]:
    """Tabulate the field of a current pattern in the plane and that of the current through the tabs, by stack."""
    return [f"| {units} | {pattern:.2g} | {tabs:,.0f} |" for units in (1, 19, 20) for pattern, tabs in [_of(units)]]


def changes() -> list[str]:
    """Tabulate the effects of one change at a time, in the NMC cell and in the prototype."""
    ours, theirs = (effects(PouchCell.preset(name)) for name in ("nmc", "prototype"))
    columns = "load_nT", "rest_pT", "scan_nT", "voltage_mV"
    return [
        f"| {new.change} | "
        + " | ".join(f"{figure(getattr(new, name))} ({figure(getattr(old, name))})" for name in columns)
        + " |"
        for new, old in zip(ours, theirs, strict=True)
    ]


def charges() -> list[str]:
    """Tabulate the scan's root mean square at three charges, by material of the cathode."""
    lines = []
    for preset in ("prototype", "nmc", "lfp"):
        cell = PouchCell.preset(preset)
        cases = [Case(cell, CellState(soc=soc)) for soc in (0.9, 0.5, 0.1)]
        high, *lower = (1e9 * rms(one.scan_T) for one in simulate_cases(cases, SensorArray.grid(cell), Protocol()))
        cells = [f"{value:.3g}" for value in (high, *lower)]
        lines.append(_row(cell.chemistry, [*cells, f"{lower[-1] / high - 1:+.0%}"]))
    return lines


def shares(found: Sequence[Detection]) -> list[str]:
    """Tabulate the smallest share of each defect by channel and sensors (10 mm, 50 pT), then by distance and noise."""
    by_key = {(one.defect, one.channel, one.sensors, one.distance_mm, one.noise_nT): one.text() for one in found}
    near, usual = DISTANCES_MM[1], 0.05
    channels = [("terminals", 24), ("load", 24), ("rest", 24), ("scan", 24), *(("magnetics", n) for n in SENSORS)]
    places = [*((distance, usual) for distance in DISTANCES_MM), *((near, noise) for noise in (0.001, 1.0))]
    return [
        *(_row(kind, [by_key[kind, *key, near, usual] for key in channels]) for kind in DEFECTS[1:]),
        "",
        *(_row(kind, [by_key[kind, "magnetics", 24, *place] for place in places]) for kind in DEFECTS[1:]),
    ]


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _share(value: float) -> str:
    return f"{value:.1%}" if value > 1e-3 else f"{value:.0e}"


def _maps(found: Simulation) -> list[np.ndarray]:
    """Return current density, sheet current of the aluminium and of both foils, and vertical field, all under load."""
    density, p_x, p_y, n_x, n_y = np.moveaxis(found.flows[..., 0], 2, 0)
    return [density, np.hypot(p_x, p_y), np.hypot(p_x + n_x, p_y + n_y), 1e6 * found.load_T[:, 2].reshape(PLANE)]


def _of(units: int) -> tuple[float, float]:
    """Return the field in nT of a cosine of i along x with an amplitude of 1 A, and that of 1 A through the tabs."""
    full = PouchCell.preset("nmc")
    cell = PouchCell.preset("nmc", units=units, nominal_Ah=full.nominal_Ah * units / full.units)
    array = SensorArray(SensorArray.grid(cell).position_mm * [1, 1, 0] + [0, 0, ABOVE_MM])
    cases = [Case(cell), Case(cell, variation=Variation(slope=1.0))]
    even, uneven = simulate_cases(cases, array, Protocol(), uniform_foils=True)
    change = uneven.flows[:, :, 0, 0] - even.flows[:, :, 0, 0]
    mode = np.cos(np.pi * even.mesh.centres[0] / even.mesh.x[-1])
    amplitude = 2 * abs((change * mode[:, None]).mean()) * cell.area_m2
    return 1e9 * rms(uneven.load_T - even.load_T) / amplitude, 1e9 * rms(even.load_T) / cell.nominal_Ah


if __name__ == "__main__":
    main()
