"""What a round hands out: nothing that tells a label but the signals, and no row twice."""

import dataclasses
import hashlib

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from benchmark.tasks import TASKS
from bridge.rounds.rows import RoundSize, make_configuration, make_rows
from bridge.v3.release import InputsV3
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals
from dataset_card.storage.rounds import LABEL_FIELDS, SIGNAL_FIELDS

MOST_R2 = 0.02
STANDARD_ERRORS = 3
FOREST = {"n_estimators": 50, "min_samples_leaf": 4, "max_features": "sqrt", "random_state": 0}
FOLDS = KFold(5, shuffle=True, random_state=0)


def beside_the_signals(ids: list[str]) -> np.ndarray:
    """Everything about a row that is public and no signal: its place, its id, and what can be computed of them."""
    place = np.arange(len(ids))
    digits = np.array([list(sample_id.partition("-")[2].encode()) for sample_id in ids])
    hashes = np.array([list(hashlib.sha256(sample_id.encode()).digest()) for sample_id in ids])
    return np.column_stack([place, *(place % k for k in (2, 3, 4, 5, 7, 10, 64, 100)), digits, hashes])


def learned(task, public: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Best cross-validated headline of two learners, and the most that is still chance."""
    if task.is_regression:
        forest, neighbours = RandomForestRegressor(**FOREST), KNeighborsRegressor(5)
    else:
        forest, neighbours = RandomForestClassifier(**FOREST), KNeighborsClassifier(5)
    # The neighbours are those of the place in the file: whatever comes in runs is found.
    predictions = [
        cross_val_predict(model, inputs, target, cv=FOLDS)
        for model, inputs in ((forest, public), (neighbours, public[:, :1].astype(float)))
    ]
    if task.is_regression:
        return max(r2_score(target, p) for p in predictions), MOST_R2
    counts = np.unique(target, return_counts=True)[1]
    # Of a guess that ignores the rows, recall is binomial; at most p (1 - p) = 1/4.
    limit = task.chance + STANDARD_ERRORS * np.sqrt((0.25 / counts).sum()) / len(counts)
    return max(balanced_accuracy_score(target, p) for p in predictions), limit


def of_task(made, task) -> pa.Table:
    return made.labels.filter(pa.array([t == task.id for t in made.labels["task"].to_pylist()]))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_all_that_is_public_but_the_signals_is_at_chance(made, task):
    labels = of_task(made, task)
    ids, target = labels["sample_id"].to_pylist(), np.array(labels[task.target].to_pylist())
    assert ids == made.signals[task.id]["sample_id"].to_pylist()
    found, limit = learned(task, beside_the_signals(ids), target)
    assert found <= limit
    if task.id != "t2":  # the same learners see rows that are left in the order they were made in
        found, _ = learned(task, beside_the_signals(ids), target[np.argsort(target, kind="stable")])
        assert found > limit + 0.2


def test_no_row_and_no_parent_serves_two_files(made):
    seeds = made.labels["generation_seed"].to_pylist()
    assert len(set(seeds)) == len(seeds) == sum(table.num_rows for table in made.signals.values())
    every = np.concatenate([signals(table) for table in made.signals.values()])
    # A fault that leaves channels as they are would give its parent away: no channel of any row is another's.
    for channel in range(every.shape[2]):
        assert len({row.tobytes() for row in every[:, :, channel]}) == len(every)


def test_files_hold_ids_and_signals_and_nothing_else(made):
    assert [field.name for field in SIGNAL_FIELDS] == made.signals["t3"].column_names
    for task, table in made.signals.items():
        assert table.schema.metadata is None
        assert table["sample_id"].to_pylist() == [f"{task}-{i:05d}" for i in range(table.num_rows)]
    kinds = {t.id: set(of_task(made, t)["anomaly_subtype"].to_pylist()) for t in TASKS}
    assert kinds["t1"] == kinds["t2"] == {"none"} and len(kinds["t3"]) == 6 and len(kinds["t4"]) == 4
    assert set(made.labels.column_names) == {field.name for field in LABEL_FIELDS}


def test_snapping_to_public_labels_gains_nothing(made, simulated_v2):
    """In the release a prediction that is good can be moved to the nearest SOH that a cell is known to have."""
    known = np.unique(simulated_v2.pulses.soh)
    rng = np.random.default_rng(0)

    def gained(truth, error):
        # Knowing the range is not knowing the labels.
        prediction = np.clip(truth + rng.normal(0, error, len(truth)), known[0], known[-1])
        right = known[np.abs(known - prediction[:, None]).argmin(axis=1)]
        return np.mean((prediction - truth) ** 2) / np.mean((right - truth) ** 2)

    hidden = np.array(of_task(made, TASKS[0])["soh"].to_pylist())
    released = rng.choice(simulated_v2.pulses.soh, len(hidden))
    assert not np.isin(hidden, known).any()
    for error in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2):
        assert gained(hidden, error) < 1.02
    assert gained(released, 1e-4) > 2
    for name in ("soc", "voltage"):
        public = np.unique(getattr(simulated_v2.pulses, name))
        inner = np.array(of_task(made, TASKS[0])[name].to_pylist())
        assert np.isin(inner, public).mean() < 0.05, name  # voltages at the ends of the grounded range are clipped


def test_regime_b_voltages_are_at_no_anchor(made, simulated_v2):
    labels = of_task(made, TASKS[2])
    voltage = np.array(labels["voltage"].to_pylist())[np.array(labels["regime"].to_pylist()) == "extrapolation"]
    assert len(set(voltage.tolist())) == len(voltage) == 600
    assert not np.isin(voltage, simulated_v2.statistics.voltages).any()


def test_another_seed_is_another_round(simulated_v2):
    configuration = make_configuration("round-0", simulated_v2, RoundSize(dict.fromkeys(
        dict.fromkeys(simulated_v2.pulses.table.tolist()), 4), 1, 16, 12))  # fmt: skip
    one, same, other = (make_rows(configuration, seed, simulated_v2) for seed in (2**64, 2**64, 2**64 + 1))
    assert one.labels.equals(same.labels) and all(one.signals[t].equals(same.signals[t]) for t in one.signals)
    shared = ("soh", "soc", "generation_seed", "voltage")
    assert all(
        not set(one.labels[n].to_pylist()) & set(other.labels[n].to_pylist()) - {None, 3.06, 3.34} for n in shared
    )


def test_what_cannot_be_a_round_is_refused(simulated_v2):
    with pytest.raises(MagBridgeError, match="a round of v1: expected v2; .* 31-bit seeds"):
        make_configuration("r", object(), RoundSize())
    with pytest.raises(MagBridgeError, match="a round of v3: expected v2; .* v3 has neither"):
        make_configuration("r", InputsV3(), RoundSize())
    with pytest.raises(MagBridgeError, match="a round of the upstream 'osf': expected published or simulated"):
        make_configuration("r", dataclasses.replace(simulated_v2, name="osf"), RoundSize())


@pytest.mark.parametrize(
    "rows",
    [
        None,
        {},
        {"cells": {"LFP-35Ah": 10**9}},
        {"cells": {"LFP-35Ah": "x"}},
        {"cells": [1]},
        {"colour": 1},
        {"variants": 0},
    ],
)
def test_a_size_from_a_file_is_bounded(rows):
    with pytest.raises(
        MagBridgeError, match="rows of the round are .*: expected positive numbers, of at most 200,000 rows in total"
    ):
        RoundSize.of({"rows": rows})
