"""A laboratory's field map compared with v3's forward model of the cell design: residuals after a minimal fit.

A map is a table of positions and fields, from a sensor array or from one sensor moved over the cell. It is in the
cell's coordinates, in mm: x along the length from the positive tab's edge, y along the width, z from the middle of the
stack; a column map can exchange axes and reverse signs. The design is the file that `field` takes (see
`bridge.v3.experiment`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from bridge.errors import faulty
from bridge.measured.tables import read_records
from bridge.v3 import SensorArray
from bridge.v3.experiment import Experiment, read_experiment
from bridge.v3.protocol import Placement
from bridge.v3.simulation import Case, simulate_cases
from dataset_card.contract.measured import MAP_FIELDS, MAP_POSITION
from dataset_card.running.plotting import canvas
from dataset_card.running.templates import macros

WORDS = partial(macros, "bridge.measured", "field_map.md")
AXES = ("bx_nT", "by_nT", "bz_nT")
FEWEST_POINTS, MOST_POINTS = 20, 5000
LEAST_SPAN = 0.05
"""A map spans at least this share of the cell's length or width; a smaller one is in another unit."""
MOST_SHIFT_MM = 5.0
"""Largest shift of a map from its stated position: positioning by hand, not the width of a tab [C]."""
NEAREST = 1.05
"""Least distance of sensors from the middle plane, in half thicknesses of the cell."""
OTHER_SCALE = 150.0
"""Fields that differ by more than this factor are in different units."""
TURNED = -0.5
"""Below this correlation the map is the model with the opposite sign."""
STRUCTURED = 3.0
"""Residuals of neighbours that correlate by more than this many standard errors contain more than noise."""


@dataclass(frozen=True)
class FieldMap:
    """A field map.

    Attributes:
        position_mm: (S, 3) positions of the points.
        field_nT: (S, A) field of the `axes`.
        axes: Measured field axes, from `AXES`.
        notes: What was done to the map, in sentences.
    """

    position_mm: np.ndarray
    field_nT: np.ndarray
    axes: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class MapResiduals:
    """A map compared with the model.

    Attributes:
        map: As measured.
        model_nT: (S, A) the model at the fitted positions, without the offsets.
        offset_nT: (A,) fitted background of each axis.
        shift_mm, shift_sd_mm: (3,) fitted translation of the map, and its standard deviation.
        neighbours: Correlation of each point's residual with its neighbour's, and its standard error without structure.
        agreement: Correlation of map and model, offsets removed.
        understood: How the files were read, in one sentence.
    """

    map: FieldMap
    model_nT: np.ndarray
    offset_nT: np.ndarray
    shift_mm: np.ndarray
    shift_sd_mm: np.ndarray
    neighbours: tuple[float, float]
    agreement: float
    understood: str

    @property
    def residual_nT(self) -> np.ndarray:
        """(S, A) measured field minus model and offset."""
        return self.map.field_nT - self.offset_nT - self.model_nT

    def rows(self) -> list[dict[str, Any]]:
        """Return for each axis the root mean square in nT of the map without offset, the model and the residual."""
        parts = (self.map.field_nT - self.offset_nT, self.model_nT, self.residual_nT)
        rms = np.array([np.sqrt((part**2).mean(axis=0)) for part in parts])
        return [
            {"axis": axis[:2], "measured_nT": m, "model_nT": c, "residual_nT": r, "share": r / m, "offset_nT": o}
            for axis, (m, c, r), o in zip(self.map.axes, rms.T.tolist(), self.offset_nT.tolist(), strict=True)
        ]

    def verdict(self) -> list[str]:
        """Describe in sentences what was fitted and what remains."""
        shifts = list(zip(self.shift_mm.tolist(), self.shift_sd_mm.tolist(), strict=True))
        return WORDS().verdict(self, shifts, MOST_SHIFT_MM, TURNED, STRUCTURED).splitlines()

    def text(self) -> str:
        """Return the table for a terminal and for Markdown."""
        return WORDS().table(self)

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON."""
        return {
            "schema_version": "1.0",
            "understood": self.understood,
            "notes": list(self.map.notes),
            "points": len(self.map.field_nT),
            "axes": self.rows(),
            "shift_mm": self.shift_mm.tolist(),
            "shift_sd_mm": self.shift_sd_mm.tolist(),
            "neighbours": {"correlation": self.neighbours[0], "standard_error": self.neighbours[1]},
            "agreement": self.agreement,
        }

    def figure(self):
        """Draw measured field, model and residual over the cell, one row per axis."""
        count = len(self.map.axes)
        figure, panels = canvas(count, 3, (11, 2.8 * count))
        x, y = self.map.position_mm[:, :2].T
        for row, axis in zip(np.reshape(panels, (count, 3)), range(count), strict=True):
            drawn = (self.map.field_nT - self.offset_nT, self.model_nT, self.residual_nT)
            for panel, values, title in zip(row, drawn, ("measured", "model", "residual"), strict=True):
                reach = np.abs(values[:, axis]).max() or 1.0
                dots = panel.scatter(x, y, c=values[:, axis], cmap="RdBu_r", vmin=-reach, vmax=reach, s=14)
                panel.set(title=f"{self.map.axes[axis][:2]}, {title}", xlabel="x, mm", ylabel="y, mm", aspect="equal")
                figure.colorbar(dots, ax=panel, label="nT")
        return figure


def read_map(path: Path, design: Experiment, columns: Path | None = None) -> FieldMap:
    """Read a field map.

    Args:
        path: CSV, Parquet or XLSX with the columns of `dataset_card.contract.measured.MAP_FIELDS`.
        design: The design; its sensors' height is used for a map without z.
        columns: A column map.

    Raises:
        MagBridgeError: If the file is not such a table, has no field axis or too few points, or its points are far from
            the cell.
    """
    path = Path(path)
    records = read_records(path, MAP_FIELDS, columns)
    table = records.rows
    axes = tuple(axis for axis in AXES if axis in table)
    if not axes:
        raise faulty("no_field", file=path)
    if not FEWEST_POINTS <= len(table) <= MOST_POINTS:
        raise faulty("points", count=len(table), least=FEWEST_POINTS, most=MOST_POINTS, file=path)
    notes = list(records.notes)
    above = float(design.sensors.position_mm[:, 2].max())
    if "z_mm" not in table:
        notes.append(f"The map has no z: it is assumed to be at {above:.4g} mm, the height of the design's sensors.")
    names = [field.name for field in MAP_POSITION]
    position = table.assign(z_mm=table.get("z_mm", above))[names].to_numpy(float)
    size = np.array([design.cell.length_mm, design.cell.width_mm])
    low, high = position[:, :2].min(axis=0), position[:, :2].max(axis=0)
    if ((high - low) < LEAST_SPAN * size).all() or (high < -size).any() or (low > 2 * size).any():
        raise faulty("places", low=low, high=high, size=size, file=path)
    return FieldMap(position, table[list(axes)].to_numpy(float), axes, tuple(notes))


def compare_map(path: Path, against: Path, columns: Path | None = None) -> MapResiduals:
    """Compare a field map with the model of a design.

    Only unknowns are fitted: a constant background per axis, and the position of the map, as a translation of at most
    `MOST_SHIFT_MM`. Current, state, scale and rotation are taken as stated.

    Args:
        path: The map, as for `read_map`.
        against: The design, as for `read_experiment`.
        columns: A column map for the field map.

    Raises:
        MagBridgeError: As for both, or if the fields are in another unit.
    """
    design = read_experiment(against)
    found = read_map(path, design, columns)
    model = _model(design, found)
    at_rest = model(np.zeros((1, 3)))[0]
    measured = found.field_nT
    ratio = float(np.std(measured - measured.mean(axis=0)) / np.std(at_rest - at_rest.mean(axis=0)))
    if not 1 / OTHER_SCALE < ratio < OTHER_SCALE:
        raise faulty("field_unit", ratio=ratio, file=path)

    def residual(shift: np.ndarray) -> np.ndarray:
        off = measured - model(shift[None])[0]
        return (off - off.mean(axis=0)).ravel()

    def slopes(shift: np.ndarray, step: float = 1e-3) -> np.ndarray:
        away = model(shift + step * np.concatenate([np.eye(3), -np.eye(3)]))
        slope = (away[:3] - away[3:]) / (2 * step)
        return -(slope - slope.mean(axis=1, keepdims=True)).reshape(3, -1).T

    best = least_squares(residual, np.zeros(3), slopes, _bounds(design, found), ftol=1e-6, xtol=1e-6, max_nfev=20)
    fitted = model(best.x[None])[0]
    offset = (measured - fitted).mean(axis=0)
    freedom = measured.size - 3 - len(found.axes)
    spread = np.sqrt((best.fun**2).sum() / freedom * np.diag(np.linalg.pinv(best.jac.T @ best.jac)))
    left = best.fun.reshape(measured.shape)
    unit = left / np.maximum(np.sqrt((left**2).mean(axis=0)), 1e-12)
    nearest = cKDTree(found.position_mm).query(found.position_mm, k=2)[1][:, 1]
    centred = fitted - fitted.mean(axis=0), measured - measured.mean(axis=0)
    agreement = float((centred[0] * centred[1]).sum() / np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    greatest, ampere = np.abs(measured).max(), design.protocol.rate_C * design.cell.nominal_Ah
    names = [axis[:2] for axis in found.axes]
    understood = WORDS().understood(names, found.position_mm, greatest, design.cell, ampere)
    neighbours = float((unit * unit[nearest]).mean()), float(np.sqrt(2 / measured.size))
    return MapResiduals(found, fitted, offset, best.x, spread, neighbours, agreement, understood)


def _model(design: Experiment, found: FieldMap) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from translations (K, 3) of the map in mm to fields (K, S, A) in nT at the end of the pulse."""
    sensors = SensorArray(found.position_mm)
    sensors.require_outside(design.cell, NEAREST)
    kept = [AXES.index(axis) for axis in found.axes]
    still = np.zeros(3), np.zeros_like(found.position_mm)

    def at(shifts: np.ndarray) -> np.ndarray:
        cases = [Case(design.cell, design.state, design.defect, placement=Placement(s, *still)) for s in shifts]
        whole = design.defect.kind != "tear"
        simulated = simulate_cases(cases, sensors, design.protocol, uniform_foils=whole)
        return np.stack([1e9 * one.load_T[:, kept] for one in simulated])

    return at


def _bounds(design: Experiment, found: FieldMap) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of translations, in mm, that keep every sensor outside the cell."""
    z, least = found.position_mm[:, 2], NEAREST * design.cell.thickness_mm / 2
    low, high = np.full(3, -MOST_SHIFT_MM), np.full(3, MOST_SHIFT_MM)
    low[2] = max(low[2], least - z[z > 0].min(initial=np.inf))
    high[2] = min(high[2], -least - z[z < 0].max(initial=-np.inf))
    return low - 1e-9, high + 1e-9


def markdown(found: MapResiduals, name: str) -> str:
    """Return the report as Markdown."""
    return WORDS().report(found, name, [*found.map.notes, *found.verdict()])
