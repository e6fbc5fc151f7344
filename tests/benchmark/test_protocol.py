"""Protocols: draws, determinism, what a model may ask for, controls at chance."""

import dataclasses
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark import best_per_shot, cross_validate, evaluate_model, few_shot, load_task
from benchmark.baselines import get_model
from benchmark.data import Subset, TaskData
from benchmark.models import Model
from benchmark.protocol import FRACTION, SOH_BINS, battery_folds
from benchmark.tasks import TASKS
from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine


class Recorder:
    """Keeps what each fit was given and predicts the first target."""

    seen = []

    def fit(self, inputs, target, *, validation, clean):
        self.target = target
        Recorder.seen.append({"inputs": inputs, "target": target, "validation": validation, "clean": clean})

    def predict(self, inputs):
        return np.full(len(inputs), self.target[0])


@pytest.fixture
def recorder():
    Recorder.seen = []
    return Model(
        "recorder", ("t1", "t2", "t3", "t4"), lambda seed, task: Recorder(), "Keeps its inputs.", features=None
    )


def rows_of(data: Subset, signals: np.ndarray) -> np.ndarray:
    """Row numbers of signals in a subset."""
    position = {row.tobytes(): i for i, row in enumerate(data.signals)}
    return np.array([position[row.tobytes()] for row in signals])


def test_row_subsampling_is_the_published_draw(release, recorder):
    data = load_task("t1", release)
    result = evaluate_model("t1", recorder, data)
    n = len(data.train)
    for seed, seen in zip(range(5), Recorder.seen):
        expected = np.random.default_rng(seed).choice(n, int(FRACTION * n), replace=False)
        assert rows_of(data.train, seen["inputs"]).tolist() == expected.tolist()
        assert seen["target"].tolist() == data.train.target[expected].tolist()
    assert (result.protocol, [run.seed for run in result.runs]) == ("rows", [0, 1, 2, 3, 4])


def test_cell_subsampling_keeps_whole_cells_and_every_pool(release, recorder):
    data = load_task("t3", release)
    result = evaluate_model("t3", recorder, data, sampling="cells", seeds=(0, 1))
    cells = [frozenset(data.train.cell_ids[rows_of(data.train, seen["inputs"])]) for seen in Recorder.seen]
    assert result.protocol == "cells" and cells[0] != cells[1]
    for kept, run in zip(cells, result.runs):
        assert len(kept) == int(FRACTION * 10) + 1 and "regimeB_v300" in kept
        assert run.n_train == np.isin(data.train.cell_ids, list(kept)).sum()


def test_clean_rows_leave_out_what_the_seed_left_out(release, recorder):
    for task in ("t1", "t4"):
        Recorder.seen = []
        data = load_task(task, release)
        evaluate_model(task, recorder, data, seeds=(0,))
        (seen,) = Recorder.seen
        clean = set(seen["clean"].sample_ids)
        fitted_on = set(data.train.sample_ids[rows_of(data.train, seen["inputs"])])
        expected = fitted_on if task == "t1" else set(data.clean()["train"].sample_ids)
        assert clean == expected
        assert seen["validation"] is data.validation


def test_cross_validation_holds_out_every_cell_once(release, recorder):
    data = load_task("t3", release)
    result = cross_validate("t3", recorder, data, folds=4)
    pool = Subset.concatenate(data.subsets())
    held_out = []
    for i, seen in enumerate(Recorder.seen):
        fitted = set(pool.cell_ids[rows_of(pool, seen["inputs"])])
        validation = set(seen["validation"].cell_ids)
        test = set(pool.cell_ids) - fitted - validation
        assert not fitted & validation and set(seen["clean"].cell_ids) <= fitted
        assert sum(cell.startswith("regimeB_") for cell in test) == 1
        held_out += [cell for cell in test if not cell.startswith("regimeB_")]
        assert result.runs[i].fold == i
    assert sorted(held_out) == sorted(c for c in set(pool.cell_ids) if not c.startswith("regimeB_"))
    assert result.interval() is None
    with pytest.raises(MagBridgeError, match="40 folds for 17 batteries"):
        cross_validate("t3", recorder, data, folds=40)


def test_a_fold_of_one_soh_is_named_before_anything_is_fitted(release, recorder):
    data = load_task("t1", release)
    battery = str(data.train.battery_ids[0])
    subsets = [
        dataclasses.replace(rows, target=np.where(rows.battery_ids == battery, 0.8, rows.target))
        for rows in data.subsets()
    ]
    data = dataclasses.replace(data, **dict(zip(("train", "validation", "test"), subsets, strict=True)))
    folds = len(np.unique(np.concatenate([rows.battery_ids for rows in subsets])))
    with pytest.raises(MagBridgeError, match=rf"fold \d+ of {folds} \({battery}\) cannot be scored .*R2.*folds=2"):
        cross_validate("t1", recorder, data, folds=folds)
    assert Recorder.seen == []


@pytest.mark.parametrize("pseudo", [0, 3, 7, 100])
def test_pseudo_cells_are_all_held_out_and_some_in_every_fold(pseudo):
    cells = np.array([*(f"LFP-{i:03d}" for i in range(30)), *(f"regimeB_{i:03d}" for i in range(pseudo))])
    folds = battery_folds(np.repeat(cells, 2), 7)
    held_out = [[cell for cell in fold if cell.startswith("regimeB_")] for fold in folds]
    sizes = [len(fold) for fold in held_out]
    assert max(sizes) - min(sizes) <= 1 and sum(sizes) == (max(7, pseudo) if pseudo else 0)
    assert {cell for fold in held_out for cell in fold} == set(cells[30:])
    assert sorted(cell for fold in folds for cell in fold if cell.startswith("LFP")) == cells[:30].tolist()


@pytest.mark.parametrize("batteries, folds", [(2, 2), (5, 2), (12, 6), (14, 7), (215, 7)])
def test_folds_of_few_batteries_have_two_each(batteries, folds):
    dealt = battery_folds(np.repeat([f"cell_{i}" for i in range(batteries)], 5))
    assert len(dealt) == folds
    assert min(len(fold) for fold in dealt) >= min(2, batteries // 2)


def test_few_shot_draws_k_a_class_and_nests(release, recorder):
    data = load_task("t4", release)
    result = few_shot("t4", recorder, data, shots=(2, 5), seeds=(0, 1))
    assert [(run.k, run.seed, run.n_train) for run in result.runs] == [(2, 0, 8), (2, 1, 8), (5, 0, 20), (5, 1, 20)]
    drawn = [set(rows_of(data.train, seen["inputs"])) for seen in Recorder.seen]
    assert drawn[0] <= drawn[2] and drawn[1] <= drawn[3] and drawn[0] != drawn[1]
    for rows, k in zip(drawn, (2, 2, 5, 5)):
        assert np.unique(data.train.target[list(rows)], return_counts=True)[1].tolist() == [k] * 4


def test_few_shot_covers_the_soh_range(release, recorder):
    data = load_task("t1", release)
    few_shot("t1", recorder, data, shots=(2,), seeds=(0,))
    (seen,) = Recorder.seen
    edges = np.quantile(data.train.target, np.linspace(0, 1, SOH_BINS + 1))
    assert np.histogram(seen["target"], edges)[0].tolist() == [2] * SOH_BINS


def test_few_shot_takes_all_of_a_small_class(release):
    result = few_shot("t4", get_model("constant"), release, shots=(10_000,), seeds=(0,))
    assert result.runs[0].n_train == len(load_task("t4", release).train)


def test_best_per_shot(release):
    data = load_task("t1", release)
    results = [few_shot("t1", get_model(name), data, shots=(2, 5)) for name in ("constant", "ridge")]
    best = best_per_shot(results)
    assert {k: name for k, (name, _) in best.items()} == {2: "ridge", 5: "ridge"}
    assert best[5][1] == results[1].mean(k=5)


@pytest.mark.parametrize("name", ["random-forest", "linear-svc"])
def test_scores_do_not_depend_on_threads(release, name):
    data = load_task("t4", release)
    serial, parallel = (evaluate_model("t4", get_model(name), data, seeds=(0, 1), n_jobs=n) for n in (1, 3))
    assert serial.runs == parallel.runs
    assert serial.table.equals(parallel.table)


class Nearest:
    """Asks for all that a model may ask for: the target of the nearest row, of those it fits on and the clean ones."""

    def fit(self, inputs, target, *, validation, clean):
        scale = validation.signals.std()
        self.rows = np.concatenate([inputs, clean.signals]).reshape(len(inputs) + len(clean), -1) / scale
        self.target, self.scale = np.concatenate([target, clean.target]), scale

    def predict(self, inputs):
        distances = np.abs(self.rows[:, None] - inputs.reshape(len(inputs), -1)[None] / self.scale).sum(axis=2)
        return self.target[distances.argmin(axis=0)]


class Refusing(Nearest):
    """Fits nothing."""

    def fit(self, inputs, target):
        raise MagBridgeError("no row is good enough")


REFUSING = Model("refusing", ("t1",), lambda seed, task: Refusing(), "Fits nothing.")
NEAREST = Model("nearest", ("t1",), lambda seed, task: Nearest(), "Nearest row.", features=None)


def test_processes_and_a_cluster_give_the_results_of_this_process(release, two_workers):
    data = load_task("t1", release)
    for engine in (Engine(jobs=1), Engine(jobs=2), Engine(address=two_workers.address)):
        for model in (NEAREST, get_model("ridge")):
            for protocol, options in (
                (evaluate_model, {"seeds": (0, 1)}),
                (few_shot, {"shots": (2,), "seeds": (0, 1)}),
                (cross_validate, {"folds": 3}),
            ):
                one, other = (protocol("t1", model, data, engine=e, **options) for e in (None, engine))
                assert one.runs == other.runs and one.n_features == other.n_features
                assert one.table is other.table is None or one.table.equals(other.table)
        with pytest.raises(MagBridgeError, match=r"t1 refusing, fold \d: no row is good enough"):
            cross_validate("t1", REFUSING, data, folds=3, engine=engine)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_shuffled_labels_score_at_chance(release, task):
    """A model that learns from meaningless labels scores like a constant; the same model on real ones does not."""
    data = load_task(task, release)
    name = "ridge" if task.is_regression else "logistic-regression"
    honest = evaluate_model(task, get_model(name), data).mean()
    scores = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        shuffled = dataclasses.replace(data.train, target=rng.permutation(data.train.target))
        scores.append(
            evaluate_model(
                task, get_model(name), dataclasses.replace(data, train=shuffled, _inputs={}), seeds=(seed,)
            ).mean()
        )
    assert honest > task.chance + 0.3
    if task.is_regression:
        assert max(scores) < 0.1
    else:
        # The mean of eight fits on a small test subset: chance to within about three standard errors.
        assert abs(np.mean(scores) - task.chance) < 0.12


def test_five_lines_with_an_estimator(release):
    result = evaluate_model("t1", make_pipeline(StandardScaler(), Ridge()), release)
    assert result.model == "StandardScaler-Ridge" and result.dataset.digest
    assert result.runs == evaluate_model("t1", get_model("ridge"), release).runs
    assert "r2" in str(result) and "rows: each seed fits on its own 80 %" in str(result)


def test_an_ill_conditioned_fit_says_nothing_but_other_warnings_pass(release):
    class Told(Ridge):
        def fit(self, X, y):
            warnings.warn("the features are constant", UserWarning, stacklevel=1)
            return super().fit(X[:, :2] * (1e10, 1e-4), y)

        def predict(self, X):
            return super().predict(X[:, :2])

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        evaluate_model("t1", Told(alpha=1e-12), release, seeds=(0,))
    assert [str(w.message) for w in seen] == ["the features are constant"]


def test_decision_scores_point_at_the_scored_label(release):
    for name in ("logistic-regression", "ridge-classifier", "linear-svc", "random-forest"):
        assert evaluate_model("t2", get_model(name), release, seeds=(0,)).mean("roc_auc") > 0.9


def test_bad_input_is_named(release, recorder):
    data = load_task("t1", release)
    with pytest.raises(MagBridgeError, match="model ridge is not for task t2"):
        evaluate_model("t2", get_model("ridge"), release)
    with pytest.raises(MagBridgeError, match="unknown sampling 'row'.*did you mean rows"):
        evaluate_model("t1", Ridge(), data, sampling="row")
    with pytest.raises(MagBridgeError, match="cannot evaluate int"):
        evaluate_model("t1", 3, data)
    with pytest.raises(MagBridgeError, match="Ridge is a class: pass an instance"):
        evaluate_model("t1", Ridge, data)
    with pytest.raises(MagBridgeError, match="Ridge is a regressor, but t2 predicts one of reuse, recondition per row"):
        evaluate_model("t2", Ridge(), release)
    with pytest.raises(MagBridgeError, match="is a classifier, but t1 predicts a number per row: expected a regressor"):
        evaluate_model("t1", make_pipeline(StandardScaler(), LogisticRegression()), data)
    with pytest.raises(MagBridgeError, match="3 predictions for 96 references"):
        evaluate_model("t1", lambda signals: np.zeros(3), data)
    with pytest.raises(MagBridgeError, match="needs validation rows for early stopping"):
        evaluate_model("t1", recorder, dataclasses.replace(data, validation=None))
    one_class = data_of_one_class(release)
    with pytest.raises(MagBridgeError, match="no training row of class recondition"):
        few_shot("t2", LogisticRegression(), one_class)


def data_of_one_class(release) -> TaskData:
    data = load_task("t2", release)
    return dataclasses.replace(data, train=data.train.take(data.train.target == "reuse"))
