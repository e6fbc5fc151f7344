"""Matched filters of a design: the effects of defects and gradients on the fields, from the equations of the cell.

Readings of healthy cells vary with the mounting (to second order in shifts and rotations, and each sensor's
displacement), gains, a dipole at the tabs, noise, the mesh on which they were computed, and with age, charge, maps and
units, which the equations sample. Readings are whitened by all of these and compared with the changes that defects of
many sizes and places cause. No row of a release is read here, and neither mesh nor places are those of the generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from bridge.v3.cells import Request, draw_cell
from bridge.v3.config import PhysicsConfig
from bridge.v3.field import MU0_4PI, moment_field
from bridge.v3.generate import physics
from bridge.v3.operators import layers
from bridge.v3.patches import patches
from bridge.v3.protocol import Placement
from bridge.v3.simulation import FLICKER_S, Case, Simulation, applied_A, simulate_cases
from bridge.v3.state import CellState, Defect, Mesh, Variation

MESH = (17, 11)
"""Number of patches of the filters along x and y; the release has 29 x 19."""
OTHER_MESH, MESHES = (27, 18), 40
"""Size and number of the meshes whose differences show how much a load field depends on the mesh."""
HEALTHY = 600
"""Number of healthy cells drawn, half with either stack."""
SEED = 0
REFERENCE = CellState(soc=0.5, lli=0.1, lam_pe=0.07, lam_ne=0.07, r_ohm=1.5, r_ct=1.5)
"""A state in the middle of the range that a release draws."""
GRADIENTS = {"gradient_r": 0.05, "gradient_lli": 0.02}
"""One standard deviation of each gradient."""

READINGS, WIDTH = 9, 72
"""Number of readings (load, seven at rest, scan) and of components of each."""
LOAD, REST, SCAN = slice(0, 72), slice(72, 576), slice(576, 648)
CURRENT, REGION = ("weld", "layer", "tear"), ("dry", "plating")
CLASSES = (*CURRENT, *REGION)
PLACED = ("tear", *REGION)

AMPLITUDE_SD = 0.5
"""Relative standard deviation of a change from its template: it depends on charge and age."""
TAIL = 20.0
"""Degrees of freedom of the field at rest, which varies more between cells than its covariance suggests."""
STATES = 12
"""Number of healthy cells whose charge and age determine the moment of a region."""
ALONG = 15
"""Number of places of a tear along the cell."""
NEAREST = 60
"""Number of best templates per class among which the place is sought."""


def magnetics_nT(found: Sequence[Simulation]) -> np.ndarray:
    """Return (n, 648) load, rest and scan without noise, in the order of a release."""
    return 1e9 * np.array([one.fields_T.ravel() for one in found])


class Filters:
    """Filters of one design of a release.

    Args:
        chemistry, stack: The design.
        config: Configuration of the release, with array, protocol and noise.
    """

    def __init__(self, chemistry: str, stack: str, config: PhysicsConfig):
        self.config, self.cell = config, config.cell(chemistry, stack)
        self.array, self.mesh = config.array(self.cell), Mesh.uniform(self.cell, *MESH)
        rows = [Request(chemistry, "as_received", k, k % config.visits) for k in range(HEALTHY)]
        drawn = [one for one in (draw_cell(row, config, SEED) for row in rows) if one.stack == stack]
        self.drawn = [replace(one, defect=one.defect._replace(defect=Defect()), mesh=self.mesh) for one in drawn]
        cover = self._cover()
        even = self._healthy(gradient_r=0.0, gradient_lli=0.0)
        level = magnetics_nT(even)
        self.mean = level.mean(axis=0)
        one_each = [dict.fromkeys(GRADIENTS, 0.0) | {name: sd} for name, sd in GRADIENTS.items()]
        rises = [magnetics_nT(self._healthy(**gradients)) - level for gradients in one_each]
        normal = np.random.default_rng(SEED).standard_normal((2, len(level), 1))
        channel = np.repeat([0, 1, 2], [72, 504, 72])
        same = channel[:, None] == channel
        drawn_nT = level + normal[0] * rises[0] + normal[1] * rises[1]
        self.lower = cholesky(cover + same * np.cov(drawn_nT.T), lower=True)
        flat, voltage = cover + same * np.cov(level.T), np.array([one.voltage_V for one in even])
        self._learn_gradients(cover, flat, level, rises, voltage)
        self.templates = {kind: self._solved(kind) for kind in CURRENT} | {"region": self._regions()}
        self.moments = {kind: self._moments(kind) for kind in REGION}

    def whiten(self, change: np.ndarray) -> np.ndarray:
        """Scale changes (n, 648) so that healthy cells vary independently with one standard deviation."""
        return solve_triangular(self.lower, change.T, lower=True).T

    def _healthy(self, **state: float) -> list[Simulation]:
        cells = [replace(one, state=replace(one.state, **state)) for one in self.drawn]
        return physics(cells, self.config, placed=False)

    def _simulate(self, cases: list[Case], uniform_foils: bool = True) -> np.ndarray:
        return magnetics_nT(simulate_cases(cases, self.array, self.config.protocol, uniform_foils=uniform_foils))

    def _cover(self) -> np.ndarray:
        """Compute the (648, 648) covariance in nT2 for a fixed cell: noise, mounting, gains, dipole, mesh."""
        noise, count = self.config.noise, WIDTH // 3
        sd = np.diag([*noise.shift_mm, *[noise.turn_rad] * 3])
        pairs = [(i, j) for i in range(6) for j in range(i)]
        signs = np.array(list(product((1, -1), (1, -1))))
        moves = [np.zeros(6), *sd, *-sd, *(a * sd[i] + b * sd[j] for i, j in pairs for a, b in signs)]
        placed = [Placement(move[:3], move[3:], np.zeros((count, 3))) for move in moves]
        still = Placement(np.zeros(3), np.zeros(3), np.zeros((count, 3)))
        placed += [replace(still, error_mm=np.tile(axis, (count, 1))) for axis in noise.error_mm * np.eye(3)]
        found = self._simulate([Case(self.cell, REFERENCE, mesh=self.mesh, placement=one) for one in placed])
        centre, up, down, crossed, moved = np.split(found, np.cumsum([1, 6, 6, 4 * len(pairs)]))
        mixed = np.einsum("kpd,p->kd", crossed.reshape(len(pairs), 4, -1), signs.prod(axis=1) / 4)
        own = np.tile(np.kron(np.eye(count), np.ones(3)), READINGS) * (moved - centre)[:, None]
        gains = np.tile(np.eye(WIDTH), READINGS) * centre
        modes = [(up - down) / 2, (up + down - 2 * centre) / np.sqrt(2), mixed, own.reshape(3 * count, -1)]
        modes += [noise.gain_common * centre, noise.gain_channel * gains]
        modes += [np.pad(self._dipole(), ((0, 0), (SCAN.start, 0))), self._meshes()]
        every = np.concatenate(modes)
        at = np.append(0.0, self.config.protocol.rest_s)  # the load is read at the pulse's end
        slow = np.eye(READINGS)
        slow[:-1, :-1] = np.mean([np.exp(-np.abs(at[:, None] - at) / scale) for scale in FLICKER_S], axis=0)
        white = noise.field_nT**2 * np.kron(np.eye(READINGS) + noise.flicker**2 * slow, np.eye(WIDTH))
        return white + every.T @ every

    def _dipole(self) -> np.ndarray:
        """Compute the (3, 72) field in nT of the static dipole along each axis."""
        away = self.array.position_mm * 1e-3 - [0, self.cell.width_mm * 5e-4, 0]
        r = np.linalg.norm(away, axis=1)[:, None, None]
        field = 3 * away[:, :, None] * away[:, None] / r**5 - np.eye(3) / r**3
        return 1e9 * MU0_4PI * self.config.noise.dipole_Am2 * field.transpose(2, 0, 1).reshape(3, -1)

    def _meshes(self) -> np.ndarray:
        """Compute the (MESHES, 648) differences in nT of fields between meshes, over the root of their number."""
        rng = np.random.default_rng(SEED)
        sides = np.array([self.cell.length_mm, self.cell.width_mm]) * 1e-3
        lines = sides * rng.uniform(0.1, 0.9, (MESHES, 2))
        meshes = [Mesh.uniform(self.cell, *OTHER_MESH).through(*line) for line in lines]
        found = self._simulate([Case(self.cell, REFERENCE, mesh=mesh) for mesh in meshes])
        return (found - found.mean(axis=0)) / np.sqrt(MESHES)

    def _learn_gradients(self, cover, flat, level, rises, voltage) -> None:
        """Learn a filter for each reading, and its response to gradients as a function of voltage."""

        def split(values: np.ndarray) -> np.ndarray:
            return values.reshape(-1, READINGS, WIDTH)[:, :-1]

        patterns = split(rises[0].mean(axis=0))[0]
        blocks = [flat[k : k + WIDTH, k : k + WIDTH] for k in range(0, SCAN.start, WIDTH)]
        weights = np.array([np.linalg.solve(block, pattern) for block, pattern in zip(blocks, patterns, strict=True)])
        self.weights = weights / (weights * patterns).sum(axis=1, keepdims=True)
        response, scatter = (
            np.einsum("...kd,kd->...k", x, self.weights)
            for x in (np.stack([split(r) for r in rises], -1).transpose(0, 3, 1, 2), split(level - self.mean))
        )
        size = np.linalg.norm(response[:, 0, 1:], axis=1, keepdims=True)
        self.by_units = np.cov((scatter / size).T)
        parts = cover[: SCAN.start, : SCAN.start].reshape(READINGS - 1, WIDTH, READINGS - 1, WIDTH)
        self.by_noise = np.einsum("id,idje,je->ij", self.weights, parts, self.weights)
        told = voltage + self.config.noise.voltage_V * np.random.default_rng(SEED).standard_normal(voltage.shape)
        ridge = RidgeCV(10.0 ** np.arange(-4, 4))
        learner = make_pipeline(PCA(6, whiten=True), PolynomialFeatures(2), StandardScaler(), ridge)
        self.response = learner.fit(told, response.reshape(len(told), -1))

    def gradients(self, change: np.ndarray, voltage: np.ndarray) -> np.ndarray:
        """Estimate gradients by Bayes' rule.

        Args:
            change: (n, 648) readings less those of healthy cells, in nT.
            voltage: (n, 33) voltages in V.

        Returns:
            (n, 10): the two gradients in standard deviations, clipped to three; then the filtered readings in nT.
        """
        y = np.einsum("nkd,kd->nk", change.reshape(-1, READINGS, WIDTH)[:, :-1], self.weights)
        rise = self.response.predict(voltage).reshape(len(y), 2, -1).transpose(0, 2, 1)
        size = np.linalg.norm(rise[:, 1:, 0], axis=1)[:, None, None]
        solved = np.linalg.solve(self.by_noise + size**2 * self.by_units, np.concatenate([rise, y[:, :, None]], axis=2))
        normal = rise.transpose(0, 2, 1) @ solved
        told = np.linalg.solve(normal[:, :, :2] + np.eye(2), normal[:, :, 2:])[:, :, 0]
        return np.concatenate([np.clip(told, -3, 3), y], axis=1)

    def _solved(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Compute whitened changes (K, 648) and places (K, 2) in mm of welds, layers or tears."""
        cell, sides = self.cell, [{"positive": p, "low": low} for p in (True, False) for low in (True, False)]
        if kind == "weld":
            defects = [Defect(kind, share=s, **side) for s in (0.06, 0.12, 0.25, 0.5, 0.75) for side in sides]
        elif kind == "layer":
            foils = range((cell.units + 1) // 2)
            defects = [Defect(kind, share=s, depth=d) for s in (0.2, 0.5, 0.8, 1.0) for d in foils]
        else:
            lattice = product(np.linspace(0.1, 0.9, ALONG) * cell.length_mm, (0.36, 0.53, 0.7), (0.1, 0.4, 0.9), sides)
            defects = [Defect(kind, share=c * part, length=part, x_mm=float(x), **side) for x, part, c, side in lattice]
        cases = [Case(cell, REFERENCE, defect, mesh=defect.meshed(self.mesh, cell)) for defect in defects]
        whole = [replace(case, defect=Defect()) for case in (cases if kind == "tear" else cases[:1])]
        change = self._simulate(cases, uniform_foils=False) - self._simulate(whole)
        return self.whiten(change), np.array([defect.place_mm(cell) or (np.nan, np.nan) for defect in defects])

    def _regions(self) -> tuple[np.ndarray, np.ndarray]:
        """Compute whitened changes (K, 648) and places (K, 2) in mm of regions with unit moment per area (1 A)."""
        stack = layers(self.cell, float(np.abs(self.array.position_mm[:, 2]).min()) * 1e-3)
        sides = np.array([self.cell.length_mm, self.cell.width_mm]) * 1e-3
        change, place = [], []
        lattice = product(np.geomspace(0.01, 0.12, 5), (0.67, 1.0, 1.5), np.linspace(0, 1, 19), np.linspace(0, 1, 13))
        for share, aspect, u, v in lattice:
            size = np.sqrt([share * aspect, share / aspect])
            low = (1 - size) * [u, v]
            x, y = np.stack([low, low + size], axis=1) * sides[:, None]
            at, one = self.array.position_mm * 1e-3, np.ones((1, 1))
            change.append(moment_field(at, x, y, stack.z, stack.solid, one).ravel())
            place.append([500 * x.sum(), 500 * y.sum()])
        return self.whiten(np.pad(1e9 * np.array(change), ((0, 0), (SCAN.start, 0)))), np.array(place)

    def _moments(self, kind: str) -> np.ndarray:
        """Compute the (STATES,) change of the moment per area in a dry or plated region, in A."""
        mesh, found = Mesh.uniform(self.cell, 3, 3), []
        for k, one in enumerate(self.drawn[:STATES]):
            defect = Defect(kind, share=1 / 9, loss=0.15 + 0.25 * (k + 0.5) / STATES)
            sick, well = (patches(self.cell, one.state, d, Variation(), mesh).moment for d in (defect, Defect()))
            found.append((sick - well)[1, 1])
        return np.array(found) * applied_A(self.config.protocol)

    def evidence(self, change: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Compute the log-likelihood ratio of each template against a healthy cell.

        Args:
            change: (n, 648) readings less those of healthy cells, in nT.

        Returns:
            By class (n, K) ratios, and (n, 3) mean squares of load, rest and scan in units of healthy cells.
        """
        y = self.whiten(change)
        square = (y[:, REST] ** 2).sum(axis=1, keepdims=True)
        tame = (TAIL + y[:, REST].shape[1]) / (TAIL + square)
        found = {}
        for kind in CURRENT:
            d = self.templates[kind][0]
            found[kind] = _amplitude_free(y[:, LOAD], d[:, LOAD]) + tame * _amplitude_free(y[:, REST], d[:, REST])
        d = self.templates["region"][0][:, SCAN]
        p, s = y[:, SCAN] @ d.T, (d * d).sum(axis=1)
        for kind in REGION:
            found[kind] = logsumexp([a * p - a * a * s / 2 for a in self.moments[kind]], axis=0) - np.log(STATES)
        return found, np.stack([(y[:, part] ** 2).mean(axis=1) for part in (LOAD, REST, SCAN)], axis=1)

    def places(self, found: dict[str, np.ndarray]) -> np.ndarray:
        """Return the (n, 2) places in mm that minimise the expected distance to the defect.

        Args:
            found: Ratios by class, as returned by `evidence`.
        """
        weights, at = [], []
        for kind in PLACED:
            best = np.argpartition(-found[kind], NEAREST, axis=1)[:, :NEAREST]
            weights.append(np.take_along_axis(found[kind], best, axis=1) - np.log(found[kind].shape[1]))
            at.append(self.templates["tear" if kind == "tear" else "region"][1][best])
        weight, place = np.concatenate(weights, axis=1), np.concatenate(at, axis=1)
        weight = np.exp(weight - weight.max(axis=1, keepdims=True))
        middle = np.einsum("nk,nkd->nd", weight, place) / weight.sum(axis=1, keepdims=True)
        for _ in range(15):  # Weiszfeld's iteration
            near = weight / np.maximum(np.linalg.norm(place - middle[:, None], axis=2), 1.0)
            middle = np.einsum("nk,nkd->nd", near, place) / near.sum(axis=1, keepdims=True)
        return middle


def _amplitude_free(y: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Compute the (n, K) log-likelihood ratio of y = (1 + AMPLITUDE_SD N) d against y = 0, plus unit noise.

    Args:
        y: (n, D) whitened readings.
        d: (K, D) whitened changes.
    """
    p, s, v = y @ d.T, (d * d).sum(axis=1), AMPLITUDE_SD**2
    return p - s / 2 + v * (p - s) ** 2 / (2 * (1 + v * s)) - np.log1p(v * s) / 2
