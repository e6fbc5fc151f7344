"""Score readers of v3 over noise, distance and number of sensors, and transfer them to another array or chemistry.

    python perf/v3_curves.py --out benchmark/results/v3/curves.json

The rows are one visit each to virtual cells of a separate seed, at an undisclosed charge. All arrays read the same
cells, with the same mounting and the same draws of noise, so that scores differ only by what is read. A sensor that an
array lacks is not omitted: the reading of the nearest sensor replaces it, so that one reader works with every array.
`magbridge benchmark magnetics` draws the results.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmark import Subset, TaskData, cross_validate, get_task
from benchmark.analysis.magnetics import scored
from benchmark.baselines import get_model
from benchmark.baselines.physics import Constant
from benchmark.models import Model
from benchmark.protocol import battery_folds, fit_seeds
from bridge.v3.cells import Request, VirtualCell, draw
from bridge.v3.config import CHEMISTRIES, PhysicsConfig
from bridge.v3.design import PouchCell
from bridge.v3.detect import SENSORS
from bridge.v3.protocol import Placement, SensorArray
from bridge.v3.simulation import Case, Simulation, read, simulate_cases
from dataset_card.storage.files import replacing

SEED = 1
"""Master seed, which differs from the release's and gives other cells."""

READERS = {"t7": "ridge-magnetics", "t5": "ridge-magnetics"}
MOST = 0.15
"""Bound of predicted gradients, three standard deviations of those drawn: a quadratic reader extrapolates without
limit."""

USUAL = {"noise_pT": 50, "distance_mm": 10, "sensors": 24}
AXES = {"noise_pT": (1, 1000), "distance_mm": (5, 20), "sensors": (6, 2)}
FOLDS, DEALS = 3, 3
"""Number of folds, so that a third of the cells is held out, and of permutations of the training labels."""

MOVES = (
    ("24 at 10 mm", "24 at 20 mm"),
    ("24 at 10 mm", "24 below"),
    ("6", "24 averaged to 6"),
)
"""Pairs of views, to fit on and to score on, within one chemistry."""


def arrays(cell: PouchCell) -> dict[str, np.ndarray]:
    """Return sensor positions in mm, shape (S, 3): 24 at each distance and below the cell, and a grid of six."""
    above = {f"24 at {mm} mm": SensorArray.grid(cell, distance_mm=mm).position_mm for mm in (5, 10, 20)}
    below = above["24 at 10 mm"] * [1, 1, -1]
    return {**above, "24 below": below, "6": SensorArray.grid(cell, 3, 2).position_mm}


def views() -> dict[str, tuple[str, np.ndarray]]:
    """Return, for each view, the array it reads and the weights (24, S) of its sensors in the 24 places of a row."""
    places = arrays(PouchCell.preset("nmc"))
    grid, every = places["24 at 10 mm"], np.eye(24)

    def nearest(seen: np.ndarray) -> np.ndarray:
        return np.eye(len(seen))[np.linalg.norm(grid[:, None] - seen, axis=2).argmin(axis=1)]

    own = nearest(places["6"])
    few = {f"{n} of 24": ("24 at 10 mm", nearest(grid[list(SENSORS[n])]) @ every[list(SENSORS[n])]) for n in (6, 2)}
    averaged = own @ (own.T / own.sum(axis=0)[:, None])
    whole = {name: (name, every) for name in places if name != "6"}
    return {**whole, **few, "6": ("6", own), "24 averaged to 6": ("24 at 10 mm", averaged)}


class Readings:
    """Cells that are solved once, and their readings by any array.

    Args:
        count: Number of cells, half of each chemistry.
        config: The release's configuration.
    """

    def __init__(self, count: int, config: PhysicsConfig):
        self.config = config
        rows = [Request(c, "as_received", n, n % config.visits) for c in CHEMISTRIES for n in range(count // 2)]
        self.cells: list[VirtualCell] = draw(rows, config, SEED)
        self.chemistry = np.array([row.chemistry for row in rows])
        self.names = np.array([one.name for one in self.cells])
        self.target = {
            "t7": np.array([one.state.gradient_r for one in self.cells]),
            "t5": np.array([one.defect.defect.kind for one in self.cells]),
        }
        self.clean: list[tuple[Simulation, Placement]] = [None] * len(rows)  # type: ignore[list-item]
        for design in dict.fromkeys(one.cell for one in self.cells):
            every = SensorArray(np.concatenate(list(arrays(design).values())))
            own = [k for k, one in enumerate(self.cells) if one.cell == design]
            places = [config.noise.place(np.random.default_rng([self.cells[k].seed, 0]), every) for k in own]
            cases = [
                Case(one.cell, one.state, one.defect.defect, one.variation, one.mesh, place)
                for one, place in zip((self.cells[k] for k in own), places, strict=True)
            ]
            for k, *pair in zip(own, simulate_cases(cases, every, config.protocol), places, strict=True):
                self.clean[k] = tuple(pair)  # type: ignore[assignment]

    def signals(self, view: str, field_nT: float | None = None) -> np.ndarray:
        """Return the rows of a view as in a release, shape (n, 681), at the release's noise or another in nT."""
        array, weights = views()[view]
        noise = self.config.noise if field_nT is None else replace(self.config.noise, field_nT=field_nT)
        out = []
        for one, (clean, place) in zip(self.cells, self.clean, strict=True):
            named = arrays(one.cell)
            names = list(named)
            first = sum(len(named[name]) for name in names[: names.index(array)])
            of = slice(first, first + len(named[array]))
            part = replace(clean, load_T=clean.load_T[of], rest_T=clean.rest_T[:, of], scan_T=clean.scan_T[of])
            moved, sensors = replace(place, error_mm=place.error_mm[of]), SensorArray(named[array])
            rng = np.random.default_rng([one.seed, 1])
            found = read(part, one.cell, sensors, self.config.protocol, noise, moved, rng)
            fields = weights @ np.concatenate([found.load_T[None], found.rest_T, found.scan_T[None]]) * 1e9
            out.append(np.concatenate([found.voltage_V, fields.ravel()]))
        return np.array(out, np.float32).astype(float)

    def subset(self, task: str, signals: np.ndarray, rows: np.ndarray) -> Subset:
        """Return the rows selected by a mask, as the benchmark reads them."""
        return Subset(self.names[rows], self.names[rows], signals[rows], self.target[task][rows])

    def healthy(self, signals: np.ndarray, rows: np.ndarray, defects: np.ndarray) -> dict[str, Subset]:
        """Return the rows selected by a mask that have no defect."""
        return {"train": self.subset("t7", signals, rows & (defects == "none"))}


def bounded(task: str, prediction: np.ndarray) -> np.ndarray:
    """Clip gradients to `MOST`; leave classes unchanged."""
    return np.clip(prediction, -MOST, MOST) if task == "t7" else prediction


def curves(cells: Readings, task: str) -> Iterator[dict]:
    """Yield the out-of-fold scores of each chemistry, with one setting changed at a time."""
    every = np.ones(len(cells.names), bool)
    half = np.cumsum(every) <= len(every) // 2
    for setting in [USUAL, *(USUAL | {axis: value} for axis, values in AXES.items() for value in values)]:
        few = setting["sensors"] < 24
        view = f"{setting['sensors']} of 24" if few else f"24 at {setting['distance_mm']} mm"
        signals = cells.signals(view, setting["noise_pT"] * 1e-3)
        first, rest = (cells.subset(task, signals, rows) for rows in (half, ~half))
        clean = cells.healthy(signals, every, cells.target["t5"])
        data = TaskData(get_task(task), first, None, rest, load_clean=lambda c=clean: c)
        table = cross_validate(task, get_model(READERS[task]), data, folds=FOLDS).table
        said = dict(zip(table["sample_id"].to_pylist(), table["prediction"].to_pylist(), strict=True))
        prediction = bounded(task, np.array([said[one] for one in cells.names.tolist()]))
        for chemistry in CHEMISTRIES:
            rows = cells.chemistry == chemistry
            score = scored(task, cells.target[task][rows], prediction[rows], cells.names[rows])
            yield {"task": task, "chemistry": chemistry, **setting, "score": score}


def transfers(cells: Readings, task: str) -> Iterator[dict]:
    """Fit readers to two thirds of the cells of a chemistry and view; score them on the rest, and in other settings."""
    looks = {view: cells.signals(view) for view in dict.fromkeys(view for move in MOVES for view in move)}
    held = np.isin(cells.names, battery_folds(cells.names, FOLDS)[0])
    model = get_model(READERS[task])

    def score(reader, view: str, chemistry: str) -> list[float]:
        rows = held & (cells.chemistry == chemistry)
        return scored(
            task, cells.target[task][rows], reader.predict(model.features(looks[view][rows])), cells.names[rows]
        )

    for own, other in (CHEMISTRIES, CHEMISTRIES[::-1]):
        train, fitted = (cells.chemistry == own) & ~held, {}
        for view in dict.fromkeys(source for source, _ in MOVES):
            fitted[view] = [_fitted(cells, task, model, looks[view], train, deal) for deal in range(DEALS + 1)]
        for source, target, of in (*((*move, own) for move in MOVES), (MOVES[0][0], MOVES[0][0], other)):
            reader, *null = fitted[source]
            dealt = [score(one, target, of)[0] for one in null]
            constant = Constant(get_task(task)).fit(looks[source][train], cells.target[task][train])
            yield {
                "task": task,
                "from": f"{own}, {source}",
                "to": f"{of}, {target}",
                "within": score(reader, source, own),
                "score": score(reader, target, of),
                "dealt": [min(dealt), max(dealt)],
                "constant": score(constant, target, of)[0],
            }


def _fitted(cells: Readings, task: str, model: Model, signals: np.ndarray, train: np.ndarray, deal: int):
    """Fit a reader to training rows; if `deal` is positive, with their targets permuted."""
    given, labels = cells.subset(task, signals, train), cells.target["t5"].copy()
    if deal:
        order = np.random.default_rng(deal).permutation(len(given))
        given = replace(given, target=given.target[order])
        labels[train] = labels[train][order]  # which rows are healthy is a label too
    clean = cells.healthy(signals, train, labels)
    data = TaskData(get_task(task), given, None, given, load_clean=lambda: clean)
    return next(fit_seeds(get_task(task), model, data))[1]


def main() -> None:
    """Write the curves and the transfers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--cells", type=int, default=700, help="number of virtual cells, half of each chemistry")
    parser.add_argument("--task", nargs="+", choices=list(READERS), default=list(READERS))
    options = parser.parse_args()
    cells = Readings(options.cells, PhysicsConfig())
    document = {"cells": options.cells, "seed": SEED, "folds": FOLDS, "deals": DEALS, "readers": READERS}
    for part, measure in (("curves", curves), ("transfers", transfers)):
        document[part] = [one for task in options.task for one in measure(cells, task)]
    with replacing(options.out) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
