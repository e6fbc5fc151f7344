"""Figures: maps of currents and lithium, what sensors see, and how large a defect must be to be found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from bridge.v3.detect import SENSORS, Detection
from bridge.v3.experiment import Experiment
from bridge.v3.protocol import SensorArray
from bridge.v3.simulation import Case, Simulation, simulate_cases
from bridge.v3.state import DEFECTS, Mesh
from dataset_card.running.plotting import INK, MARK, QUIET, canvas, save, styles

PLANE = (48, 32)
"""Number of points of a field map along x and y."""
PICTURE_MESH = (36, 24)


def field_figure(plan: Experiment, out: Path | str) -> None:
    """Draw currents, lithium, field maps in the sensors' plane, and time courses of an experiment.

    Args:
        plan: The experiment to simulate, without noise.
        out: The figure to write; its suffix determines the format.
    """
    cell = plan.cell
    height = float(np.abs(plan.sensors.position_mm[:, 2]).min())
    x, y = (np.linspace(0, side, n) for side, n in zip((cell.length_mm, cell.width_mm), PLANE, strict=True))
    plane = np.array([(a, b, height) for a in x for b in y])
    array = SensorArray(np.concatenate([plane, plan.sensors.position_mm]))
    mesh = plan.defect.meshed(Mesh.uniform(cell, *PICTURE_MESH), cell)
    found = simulate_cases([Case(cell, plan.state, plan.defect, mesh=mesh)], array, plan.protocol)[0]

    figure, axes = canvas(3, 3, size=(11.5, 8.6))
    _maps(axes[0], found)
    _fields(axes[1], found, plan, x, y, len(plane), height)
    _courses(axes[2], found, len(plane))
    what = "no defect" if plan.defect.kind == "none" else f"{plan.defect.kind}, share {plan.defect.share:.3g}"
    design = f"{cell.chemistry}/graphite, {cell.units} units, {cell.nominal_Ah:g} A h"
    figure.suptitle(f"{design}, {what}: SOH {found.soh:.3f}", color=INK)
    save(figure, out)


def _maps(axes, found: Simulation) -> None:
    x, y = found.mesh.x * 1e3, found.mesh.y * 1e3
    density, kx, ky = found.flows[:, :, 0, 0], found.flows[:, :, 1, 0], found.flows[:, :, 2, 0]
    _image(axes[0], x, y, density, "current density at the pulse's end, A/m²", "viridis")
    _image(axes[1], x, y, np.hypot(kx, ky), "sheet current of the aluminium, A/m", "magma")
    # streamlines need an even grid
    even = [np.linspace(edge[0], edge[-1], n) for edge, n in zip(found.mesh.centres, (30, 20), strict=True)]
    grid = np.stack(np.meshgrid(*even, indexing="ij"), axis=-1)
    flow = [RegularGridInterpolator(found.mesh.centres, values)(grid).T for values in (kx, ky)]
    look = {"color": "white", "density": 0.6, "linewidth": 0.6, "arrowsize": 0.6}
    axes[1].streamplot(*(1e3 * edge for edge in even), *flow, **look)
    axes[1].set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    _image(axes[2], x, y, found.lithium[1], "lithium in graphite before the pulse, x", "cividis")


def _fields(axes, found: Simulation, plan: Experiment, x, y, count: int, height: float) -> None:
    position = plan.sensors.position_mm
    x_edges, y_edges = (np.linspace(-0.5 * s[1], s[-1] + 0.5 * s[1], len(s) + 1) for s in (x, y))
    shown = (
        ("under load", found.load_T, 1e6, "µT"),
        ("1 s after the pulse", found.rest_T[0], 1e12, "pT"),
        ("scan", found.scan_T, 1e9, "nT"),
    )
    for axis, (name, field, scale, unit) in zip(axes, shown, strict=True):
        values = scale * field[:count, 2].reshape(len(x), len(y))
        most = max(float(np.abs(values).max()), 1e-9)
        _image(
            axis,
            x_edges,
            y_edges,
            values,
            f"{name}: Bz at z = {height:.1f} mm, {unit}",
            "RdBu_r",
            vmin=-most,
            vmax=most,
        )
        axis.plot(position[:, 0], position[:, 1], "o", ms=3, mfc="none", mec=INK, mew=0.6)


def _image(axis, x, y, values, title: str, colours: str, **limits: float) -> None:
    shown = axis.pcolormesh(x, y, values.T, cmap=colours, rasterized=True, **limits)
    axis.set(aspect="equal", xlabel="x, mm", ylabel="y, mm")
    axis.set_title(title, fontsize=9)
    axis.figure.colorbar(shown, ax=axis, shrink=0.75)


def _courses(axes, found: Simulation, count: int) -> None:
    axes[0].plot(found.time_s, found.voltage_V, color=INK, marker=".", ms=3)
    axes[0].set(xlabel="time, s", ylabel="terminal voltage, V", xscale="symlog")
    largest = np.sqrt((found.rest_T[:, count:] ** 2).sum(axis=2)) * 1e12
    axes[1].loglog(found.rest_s, np.maximum(largest, 1e-3), color=QUIET, lw=0.7)
    axes[1].loglog(found.rest_s, np.maximum(largest.mean(axis=1), 1e-3), color=MARK, lw=2)
    axes[1].set(xlabel="time after the pulse, s", ylabel="|B| at each sensor, pT")
    axes[1].set_title("at rest: each sensor, and their mean", fontsize=9)
    strength = np.sqrt((found.load_T[count:] ** 2).sum(axis=1)) * 1e6
    scan = np.sqrt((found.scan_T[count:] ** 2).sum(axis=1)) * 1e9
    axes[2].plot(strength, color=INK, marker="o", ms=3, lw=0.8, label="load, µT")
    axes[2].plot(scan, color=MARK, marker="s", ms=3, lw=0.8, label="scan, nT")
    axes[2].set(xlabel="sensor", ylabel="|B|", yscale="log")
    axes[2].legend(frameon=False)


def detect_figure(found: Sequence[Detection], distance_mm: float, out: Path | str) -> None:
    """Draw the smallest share found over noise, one panel per defect.

    The upper row compares distances; the lower row compares numbers of sensors at one distance.

    Args:
        found: Results of `detect`.
        distance_mm: Distance of the sensors in the lower row.
        out: The figure to write; its suffix determines the format.
    """
    figure, axes = canvas(2, 5, size=(14, 6.2))
    noises = [1e3 * one.noise_nT for one in found]
    limits = min(noises) / 1.5, max(noises) * 1.5
    near = [one for one in found if one.distance_mm == distance_mm]
    rows = (
        ([one for one in found if one.sensors == max(SENSORS)], lambda one: one.distance_mm, "{:g} mm"),
        (near, lambda one: -one.sensors, f"{{:g}} sensors, {distance_mm:g} mm"),
    )
    for row, (kept, key, title) in zip(axes, rows, strict=True):
        values = sorted({key(one) for one in kept})
        look = dict(zip(values, styles([title.format(abs(value)) for value in values]).items(), strict=True))
        for axis, kind in zip(row, DEFECTS[1:], strict=True):
            axis.set(xscale="log", yscale="log", xlim=limits, ylim=(2e-4, 1.5))
            own = [one for one in kept if one.defect == kind]
            magnetics = [one for one in own if one.channel == "magnetics"]
            for value, (name, style) in look.items():
                line = [one for one in magnetics if key(one) == value and one.share is not None]
                axis.plot([1e3 * one.noise_nT for one in line], [one.share for one in line], label=name, **style)
            blind = next(one for one in own if one.channel == "terminals")
            at = blind.largest if blind.share is None else blind.share
            axis.axhline(at, color=QUIET, lw=1, ls="--")
            words = "terminals only: not found" if blind.share is None else "terminals only"
            axis.annotate(words, (0.03, at), xycoords=("axes fraction", "data"), va="bottom", fontsize=7, color=QUIET)
            if all(one.share is None for one in magnetics):
                best = max(one.power for one in magnetics)
                axis.text(0.5, 0.5, f"at best {best:.0%} are found", transform=axis.transAxes, ha="center", color=INK)
        row[0].set_ylabel("smallest share found")
        row[0].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, 0.88))
    for top, bottom, kind in zip(*axes, DEFECTS[1:], strict=True):
        top.set_title(kind, fontsize=10)
        bottom.set_xlabel("noise of a reading, pT")
    save(figure, out)
