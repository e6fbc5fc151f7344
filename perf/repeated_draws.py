"""Measure what a learner gains where two quantities of a row come from the same random numbers.

    python perf/repeated_draws.py magbridge-battery-v2
    python perf/repeated_draws.py magbridge-battery-v3

In v2, the severity of a fault and the place of its scan across the cell are the same number. In v3, the mounting of a
visit repeats the first draws of its age and charge; the rows are made again with draws of their own to compare.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark import Subset, TaskData, evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.baselines.departure import COEFFICIENTS, Departure
from benchmark.baselines.functional import FAULT_TREES
from benchmark.baselines.recipe import CLEAN, boosting
from benchmark.data import dataset_info
from benchmark.features import cosine_coefficients
from bridge.v2.draws import draw
from bridge.v3.release import BridgeV3
from dataset_card.contract.configs import METADATA_FILE
from dataset_card.contract.editions import V3
from dataset_card.contract.schema import MEASURED_CHANNELS
from dataset_card.storage.arrays import signals, spans

VIEWS = ("terminals", "both")
ROWS = {"cells without a defect": "defect == 'none'", "all cells": "defect != ''"}


def known(data: TaskData) -> Subset:
    """Return the rows of training and validation cells."""
    return Subset.concatenate([data.train, *([] if data.validation is None else [data.validation])])


def read_severity(release: Path, labels: pandas.DataFrame) -> None:
    """Print how well signals of v2 give place and severity, and T3 and T4 with and without the place."""
    place = pandas.Series(draw(labels["generation_seed"].astype(int).tolist()).position, labels.index)
    reader = HistGradientBoostingRegressor(max_iter=300, random_state=0)
    for task in ("t3", "t4"):
        data = load_task(task, release)
        fit, test = known(data), data.test
        rows = [cosine_coefficients(s.signals[..., :MEASURED_CHANNELS], COEFFICIENTS) for s in (fit, test)]
        if task == "t3":
            departure = Departure().fit(fit.signals[fit.target == CLEAN])
            reader.fit(rows[0], place[fit.sample_ids])
        said = [reader.predict(one) for one in rows]
        print(f"{task}: R2 of the place across the cell: {r2_score(place[test.sample_ids], said[1]):.3f}")
        if task == "t4":
            severity = labels["anomaly_severity"]
            found = HistGradientBoostingRegressor(random_state=0).fit(
                np.column_stack([rows[0], said[0]]), severity[fit.sample_ids]
            )
            score = r2_score(severity[test.sample_ids], found.predict(np.column_stack([rows[1], said[1]])))
            print(f"{task}: R2 of the severity: {score:.3f}")
        inputs = [departure.transform(s.signals) for s in (fit, test)]
        for name, extra in (("without", [one[:, :0] for one in inputs]), ("with", [one[:, None] for one in said])):
            own = [np.column_stack(pair) for pair in zip(inputs, extra, strict=True)]
            told = boosting(*FAULT_TREES, 0).fit(own[0], fit.target).predict(own[1])
            print(f"{task} {name} the place: balanced accuracy {balanced_accuracy_score(test.target, told):.4f}")


def read_charge(data: TaskData, labels: pandas.DataFrame, kinds: str) -> float:
    """Return the R2 with which the load field gives a known charge: one ridge per design, on rows of `kinds`."""
    truth, said = [], []
    fit, test = known(data), data.test
    for _, design in labels.query(kinds).groupby(["chemistry", "stack"]):
        own = [s.take(np.flatnonzero(np.isin(s.sample_ids, design.index))) for s in (fit, test)]
        x, y = ([s.signals[:, spans(V3)["load"]] for s in own], [design["soc"][s.sample_ids] for s in own])
        ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-6, 3, 12))).fit(x[0], y[0])
        said.append(np.clip(ridge.predict(x[1]), 48, 52))  # a torn weld is far from all other fields
        truth.append(y[1])
    return float(r2_score(np.concatenate(truth), np.concatenate(said)))


def read_mounting(release: Path, labels: pandas.DataFrame) -> None:
    """Print what the load field of v3 says about charge, and T8 and T9, with repeated and with separate draws."""
    seed = dataset_info(release).seed
    assert seed is not None
    with patch(
        "bridge.v3.generate._place",
        lambda drawn, config: config.noise.place(np.random.default_rng([drawn.seed, 2]), config.array(drawn.cell)),
    ):
        table = BridgeV3(master_seed=seed).table(labels["cell_id"].nunique())
    place, values = {name: i for i, name in enumerate(table["sample_id"].to_pylist())}, signals(table)

    def again(subset: Subset) -> Subset:
        return replace(subset, signals=values[[place[name] for name in subset.sample_ids]])

    def separate(data: TaskData) -> TaskData:
        train, validation, test = (again(subset) for subset in data.subsets())
        clean = {name: again(subset) for name, subset in data.clean().items()}
        return TaskData(data.task, train, validation, test, data.split, data.dataset, load_clean=lambda: clean)

    for task in ("t8", "t9"):
        data = load_task(task, release)
        other = separate(data)
        for name, one in (("repeated", data), ("separate", other)):
            for kind in ("boosting", "ridge"):
                terminals, both = (evaluate_model(task, get_model(f"{kind}-{v}"), one).mean() for v in VIEWS)
                print(f"{task}, {name} draws: {kind} {terminals:.4f} on terminals, {both:.4f} on both")
            for rows, kinds in ROWS.items() if task == "t9" else ():
                score = read_charge(one, labels, kinds)
                print(f"{task}, {name} draws: R2 of the charge from the load field, {rows}: {score:.3f}")


def main() -> None:
    """Measure a release."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path, help="release of v2 or v3")
    release = parser.parse_args().release
    labels = pandas.read_parquet(release / METADATA_FILE).set_index("sample_id")
    (read_mounting if dataset_info(release).bridge == "v3" else read_severity)(release, labels)


if __name__ == "__main__":
    main()
