"""The state of a cell, its defect, its variation, and the mesh on which it is solved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.v3.design import Bounded, PouchCell, number
from dataset_card.errors import MagBridgeError

DEFECTS = ("none", "weld", "tear", "layer", "dry", "plating")

CORRELATION_M = 0.02
"""Correlation length of maps in the plane, in m [C]."""
EDGE_M = 0.01
"""Width in m of the rim that ages differently [C]."""
MAP_MODES = (9, 7)
"""Number of cosine modes of a map along x and y; the next has less than 1 % of the first's power."""
TEAR_M = 0.005
"""Width in m of a torn band along x, over which the cut foils do not conduct [C]; a patch of the prototype's mesh."""
LIVE_DRY = 0.02
"""Share of a dry region that still works."""


@dataclass(frozen=True)
class CellState(Bounded):
    """Charge and age of a cell.

    Attributes:
        soc: Charge as a share of the present capacity, 0 to 1.
        lli, lam_pe, lam_ne: Lost shares of lithium, cathode sites and anode sites.
        r_ohm, r_ct: Ohmic and charge-transfer resistance over those of the fresh cell.
        gradient_lli, gradient_r: Change of LLI (absolute) and resistance (relative) from the stack's middle to its
            upper face.

    Raises:
        MagBridgeError: If a value is impossible.
    """

    soc: float = number(0.5, least=0.0, most=1.0)
    lli: float = number(0.0, least=-0.05, most=0.6)
    lam_pe: float = number(0.0, least=-0.05, most=0.6)
    lam_ne: float = number(0.0, least=-0.05, most=0.6)
    r_ohm: float = number(1.0, above=0, most=100)
    r_ct: float = number(1.0, above=0, most=100)
    gradient_lli: float = number(0.0, least=-0.5, most=0.5)
    gradient_r: float = number(0.0, least=-0.5, most=0.5)


@dataclass(frozen=True)
class Defect(Bounded):
    """One fault of a cell.

    | kind | share of | place | effect |
    |---|---|---|---|
    | weld | a tab's width, lost from one end | the lost part's middle | no current leaves there |
    | tear | the polarity's cross-section, cut along y from one edge | the cut's middle | a 5 mm band conducts less |
    | layer | the current of one aluminium foil's units | - | their resistance grows; 1: the foil is off its tab |
    | dry | the area | the region's middle | 98 % of it is dead, with full cathode and empty graphite |
    | plating | the area | the region's middle | lithium is lost there |

    Attributes:
        kind: One of `DEFECTS`.
        share: Size, more than 0 and at most 1.
        x_mm, y_mm: Middle of the region (dry, plating); x of the cut (tear).
        depth: Number of the aluminium foil, from 0 at the bottom (layer).
        positive: Whether the positive tab (weld) or the aluminium (tear) is affected.
        low: Whether the defect starts from the low end in y (weld, tear).
        length: Length of the cut over the cell's width, at least `share` (tear); share / length of the foils are cut.
        aspect: Length over width of the region, relative to the cell's (dry, plating).
        loss: Lithium lost in the region, as LLI (plating).

    Raises:
        MagBridgeError: If a value is impossible.
    """

    kind: str = "none"
    share: float = number(1.0, above=0, most=1)
    x_mm: float | None = None
    y_mm: float | None = None
    depth: int = 0
    positive: bool = True
    low: bool = True
    length: float = number(1.0, above=0, most=1)
    aspect: float = number(1.0, least=0.2, most=5)
    loss: float = number(0.25, above=0, most=0.5)

    def __post_init__(self) -> None:
        if self.kind not in DEFECTS:
            raise MagBridgeError(f"defect {self.kind!r}: expected one of {', '.join(DEFECTS)}")
        super().__post_init__()
        if self.kind == "tear" and self.share > self.length + 1e-12:
            raise MagBridgeError(f"tear of share {self.share:g}: expected at most its length, {self.length:g}")

    def region(self, cell: PouchCell) -> tuple[float, float, float, float]:
        """Return the bounds x0, x1, y0, y1 in m of a dry or plated region, shifted to lie inside the cell.

        Raises:
            MagBridgeError: If the region's middle is outside the cell.
        """
        size = [min(np.sqrt(self.share * self.aspect), 1.0), 0.0]
        size[1] = min(self.share / size[0], 1.0)
        size[0] = self.share / size[1]
        corners: list[float] = []
        for place, part, full in zip((self.x_mm, self.y_mm), size, (cell.length_mm, cell.width_mm), strict=True):
            middle = full / 2 if place is None else place
            if not 0 <= middle <= full:
                where = f"{self.kind} at {middle:g} mm"
                raise MagBridgeError(f"{where}: expected a place inside the cell, 0 to {full:g} mm")
            low = min(max(middle - part * full / 2, 0.0), full - part * full)
            corners += [low * 1e-3, (low + part * full) * 1e-3]
        return corners[0], corners[1], corners[2], corners[3]

    def cut(self, cell: PouchCell) -> tuple[float, float, float]:
        """Return x, y0, y1 in m of a tear.

        Raises:
            MagBridgeError: If the tear is not inside the cell.
        """
        x = cell.length_mm / 2 if self.x_mm is None else self.x_mm
        if not 0.02 * cell.length_mm <= x <= 0.98 * cell.length_mm:
            raise MagBridgeError(f"tear at x = {x:g} mm: expected a place inside the cell of {cell.length_mm:g} mm")
        width = cell.width_mm * 1e-3
        span = (0.0, self.length * width) if self.low else ((1 - self.length) * width, width)
        return x * 1e-3, *span

    def meshed(self, mesh: Mesh, cell: PouchCell) -> Mesh:
        """Return the mesh with an edge along a tear; other defects leave it unchanged."""
        if self.kind != "tear":
            return mesh
        x, y0, y1 = self.cut(cell)
        tip = y1 if self.low else y0
        return mesh.through(x, tip if 0 < tip < mesh.y[-1] else float(mesh.y[1]))

    def place_mm(self, cell: PouchCell) -> tuple[float, float] | None:
        """Return the defect's place (x, y) in mm, or None if it has no place in the plane."""
        if self.kind in ("dry", "plating"):
            x0, x1, y0, y1 = self.region(cell)
            return (x0 + x1) * 500, (y0 + y1) * 500
        if self.kind == "tear":
            x, y0, y1 = self.cut(cell)
            return x * 1e3, (y0 + y1) * 500
        if self.kind == "weld":
            low, high = self.tab(cell, self.positive)
            lost = self.share * cell.tab_width_mm / 2
            middle = low * 1e3 - lost if self.low else high * 1e3 + lost
            return (0.0 if self.positive or not cell.opposite else cell.length_mm), middle
        return None

    def tab(self, cell: PouchCell, positive: bool) -> tuple[float, float]:
        """Return the ends y0, y1 in m of the welded part of a tab.

        Raises:
            MagBridgeError: If nothing of the weld is left.
        """
        middle = (cell.tab_p_mm if positive else cell.tab_n_mm) * 1e-3
        width = cell.tab_width_mm * 1e-3
        low, high = middle - width / 2, middle + width / 2
        if self.kind == "weld" and self.positive == positive:
            if self.share > 0.98:
                raise MagBridgeError(f"weld of share {self.share:g}: expected at most .98, so that current can leave")
            if self.low:
                low += self.share * width
            else:
                high -= self.share * width
        return low, high


@dataclass(frozen=True)
class Variation:
    """Relative deviations of one cell from its design; zero by default.

    Attributes:
        loading, lithium, resistance: Deviations of the whole cell.
        slope: Rise of the resistance from the edge x = 0 to the far edge.
        sheet: (2,) deviations of the sheet conductance of aluminium and copper.
        edge: Excess of losses at the rim, in standard deviations of the rim's indicator.
        maps: (5, 9, 7) cosine coefficients of unit-variance maps: loading, resistance, LLI, LAM_PE, LAM_NE.
        units: (4, U) deviations of each unit: LLI, LAM (both absolute), resistance, loading.
    """

    loading: float = 0.0
    lithium: float = 0.0
    resistance: float = 0.0
    slope: float = 0.0
    sheet: tuple[float, float] = (0.0, 0.0)
    edge: float = 0.0
    maps: np.ndarray | None = None
    units: np.ndarray | None = None


def map_amplitudes(cell: PouchCell) -> np.ndarray:
    """Compute the (9, 7) standard deviations of a map's coefficients.

    The spectrum is exp(-(pi l k)^2 / 4), with correlation length l, zero mean and unit variance.
    """
    kx, ky = (np.arange(m)[:, None] for m in MAP_MODES)
    square = (kx / (cell.length_mm * 1e-3)) ** 2 + (ky.T / (cell.width_mm * 1e-3)) ** 2
    power = np.exp(-0.25 * (np.pi * CORRELATION_M) ** 2 * square)
    power[0, 0] = 0
    share = np.where(kx > 0, 0.5, 1.0) * np.where(ky.T > 0, 0.5, 1.0)  # mean square of cos cos
    return np.sqrt(power / (power * share).sum())


@dataclass(frozen=True, eq=False)
class Mesh:
    """Edges of the patches in m; a mesh equals only itself, so that results that depend only on it can be cached.

    Attributes:
        x, y: (nx + 1,) and (ny + 1,) edges in m.
    """

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def uniform(cls, cell: PouchCell, nx: int = 24, ny: int = 16) -> Mesh:
        """Return a mesh of nx x ny equal patches."""
        return cls(np.linspace(0, cell.length_mm * 1e-3, nx + 1), np.linspace(0, cell.width_mm * 1e-3, ny + 1))

    def through(self, x: float, y: float) -> Mesh:
        """Move the inner edge nearest to each place there, and the other edges in proportion; places are in m."""
        return Mesh(_through(self.x, x), _through(self.y, y))

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Centres of the patches along x and y in m."""
        return (self.x[1:] + self.x[:-1]) / 2, (self.y[1:] + self.y[:-1]) / 2

    @property
    def areas(self) -> np.ndarray:
        """(nx, ny) area of each patch in m2."""
        return (self.x[1:] - self.x[:-1])[:, None] * (self.y[1:] - self.y[:-1])

    def overlap(self, x0: float, x1: float, y0: float, y1: float) -> np.ndarray:
        """Return the (nx, ny) share of each patch inside a rectangle with bounds in m."""
        return _inside(self.x, x0, x1)[:, None] * _inside(self.y, y0, y1)


def _through(edges: np.ndarray, place: float) -> np.ndarray:
    k = 1 + int(np.argmin(np.abs(edges[1:-1] - place)))
    low = edges[: k + 1] * (place / edges[k])
    high = edges[-1] - (edges[-1] - edges[k + 1 :]) * ((edges[-1] - place) / (edges[-1] - edges[k]))
    return np.concatenate([low, high])


def _inside(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the share of each interval between edges that lies in [low, high]."""
    width = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    return np.maximum(width, 0) / (edges[1:] - edges[:-1])
