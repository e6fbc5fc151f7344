"""The evaluation protocols: seeds on subsampled training data, few-shot, and cross-validation by battery.

A protocol is a list of draws, the rows to fit on and the rows to score; one code path fits and scores all draws.
"""

import inspect
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark.data import REGIME_B_PREFIX, UNKNOWN, Subset, TaskData, as_task_data
from benchmark.features import static_features
from benchmark.models import Coded, Model, as_model, plain
from benchmark.refusals import refused
from benchmark.results import OFFICIAL_TEST, SAMPLINGS, Result, Run, environment
from benchmark.scoring import run_of, score, score_rows, turns
from benchmark.tasks import PRIMARY_SPLIT, Task, get_task, known
from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine, run_jobs

FRACTION = 0.8
"""Share of the training rows, or batteries, that one seed uses."""

SHOTS = (2, 5, 10, 20)
FOLDS = 7
SOH_BINS = 5
"""Few-shot T1 draws k rows from each of five equally filled SOH bins of the training rows."""


@dataclass(frozen=True)
class _Draw:
    """One fit and the rows it predicts, as row numbers of a `_Pool`; `validation` is all of the pool's by default."""

    seed: int
    train: np.ndarray
    test: np.ndarray
    k: int | None = None
    fold: int | None = None
    clean: np.ndarray | None = None
    validation: np.ndarray | None = None


@dataclass(frozen=True)
class _Pool:
    """Data that all fits of a model share: rows to fit on and to predict, and further inputs that the model needs."""

    task: Task
    model: Model
    inputs: np.ndarray
    target: np.ndarray
    validation: Subset | None
    clean: Subset | None
    groups: np.ndarray
    sample_ids: np.ndarray
    n_jobs: int = -1


def evaluate_model(
    task: str | Task,
    model,
    data,
    *,
    split: str = PRIMARY_SPLIT,
    sampling: str | None = None,
    seeds: tuple[int, ...] | None = None,
    name: str | None = None,
    description: str | None = None,
    features: Callable | None = static_features,
    n_jobs: int = -1,
    engine: Engine | None = None,
    progress: bool = False,
) -> Result:
    """Fit a model once per seed and score it on the whole test subset.

    Args:
        task: Task or its id.
        model: A `Model`, an object with `fit` and `predict`, or a function of signals (see `benchmark.models`).
        data: `TaskData`, a release folder or Hub id, or a mapping of subset name to dataset, the order of whose rows
            decides the draws: only a folder or Hub id repeats a filed score exactly.
        split: Split to read if `data` is a release.
        sampling: `rows` (the published protocol: 80 % of the training rows per seed), `cells` (80 % of the
            training batteries, stricter) or `full`; the model's own by default.
        seeds: Seeds; the model's own by default.
        name: Name in results; by default a declared model's name, or else the class or function name.
        description: One sentence for boards.
        features: Inputs of an undeclared estimator: the static descriptor, or None for signals (n, 100, 6).
        n_jobs: Threads for models that fit with joblib; scores do not depend on it.
        engine: Processes or a cluster for the fits, each on one thread; by default this process runs them in turn.
        progress: Whether to show a progress bar on a terminal.

    Returns:
        Scores of every seed, with everything needed to file and rank them.

    Raises:
        MagBridgeError: If the task, split or sampling is unknown, the data is unreadable, or predictions cannot be
            scored.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> result = evaluate_model("t1", Ridge(), "magbridge-battery")  # doctest: +SKIP
        >>> print(result)  # doctest: +SKIP
    """
    model = _for_task(as_model(model, name=name, description=description, features=features), get_task(task))
    data = as_task_data(task, data, split)
    sampling = known(sampling or model.sampling, SAMPLINGS, "sampling")
    pool, seeds = _test_pool(data, model, n_jobs), model.seeds if seeds is None else seeds
    draws = [_test_draw(data, pool, seed, _sample(data.train, sampling, seed)) for seed in seeds]
    return _on_test(data, pool, sampling, draws, engine, progress)


def few_shot(
    task: str | Task,
    model,
    data,
    *,
    split: str = PRIMARY_SPLIT,
    shots: tuple[int, ...] = SHOTS,
    seeds: tuple[int, ...] | None = None,
    engine: Engine | None = None,
    progress: bool = False,
) -> Result:
    """Fit a model on k rows per class (T1: per SOH bin) and score it on the whole test subset.

    The k rows of a seed are also among its rows for every larger k. If batteries were visited more than once, as in
    v2, the rows are from k different batteries, as far as the class has that many. A class with fewer than k rows
    contributes all of them; each run's `n_train` gives the number of rows used.

    Args:
        task: Task or its id.
        model: As in `evaluate_model`; name an estimator, or choose its inputs, with `benchmark.models.as_model`.
        data: As in `evaluate_model`.
        split: Split to read if `data` is a release.
        shots: Values of k.
        seeds: Seeds; the model's own by default.
        engine, progress: As in `evaluate_model`.

    Returns:
        One run per k and seed; `result.mean(k=5)` averages over seeds.

    Raises:
        MagBridgeError: As in `evaluate_model`; also if a class has no training row or the target is a place.
    """
    model = _for_task(as_model(model), get_task(task))
    data = as_task_data(task, data, split)
    pool, seeds = _test_pool(data, model), model.seeds if seeds is None else seeds
    draws = [_test_draw(data, pool, seed, _shots(data, k, seed), k) for k in shots for seed in seeds]
    return _on_test(data, pool, "few_shot", draws, engine, progress)


def fit_seeds(task: Task, model: Model, data: TaskData, n_jobs: int = -1) -> Iterator[tuple[int, Any]]:
    """Yield each seed of a model with the estimator fitted on its training rows, as in `evaluate_model`."""
    pool = _test_pool(data, _for_task(model, task), n_jobs)
    for seed in model.seeds:
        yield seed, _fit(_test_draw(data, pool, seed, _sample(data.train, model.sampling, seed)), pool)


def best_per_shot(results: list[Result]) -> dict[int, tuple[str, float]]:
    """Return the best few-shot model on one task and its mean over seeds, for each k (paper, ablation tables)."""
    shots = sorted({run.k for result in results for run in result.runs if run.k is not None})
    sign = get_task(results[0].task).headline.sign
    return {k: max(((r.model, r.mean(k=k)) for r in results), key=lambda pair: sign * pair[1]) for k in shots}


def cross_validate(
    task: str | Task,
    model,
    data,
    *,
    split: str = PRIMARY_SPLIT,
    folds: int | None = None,
    engine: Engine | None = None,
    progress: bool = False,
) -> Result:
    """Score a model on each fold of the batteries after fitting it on the others.

    The result varies less than the score on the official test rows. The batteries of all subsets are shuffled once and
    dealt into folds, and so are Regime-B's pseudo-cells; v1's three pseudo-cells take turns, so that each fold holds
    out one. A model that needs validation rows gets those of the next fold, and is not fitted on them.

    Args:
        task: Task or its id.
        model: As in `evaluate_model`; name an estimator, or choose its inputs, with `benchmark.models.as_model`.
        data: As in `evaluate_model`.
        split: Split to read if `data` is a release; all its rows are pooled.
        folds: Number of folds; by default seven, or as many as leave two batteries in each: a single battery may have
            only one SOH, and then has no R2.
        engine, progress: As in `evaluate_model`.

    Returns:
        One run per fold; `table` holds the predictions of each fold. Every row is predicted by a model that saw no row
        of its battery, Regime-B rows as often as their pseudo-cell was held out (v1: two or three times; v2: once).

    Raises:
        MagBridgeError: As in `evaluate_model`; also if there are fewer than two folds or more folds than batteries, or
            a fold cannot be scored, because all its rows have one SOH.
    """
    model = _for_task(as_model(model), get_task(task))
    data = as_task_data(task, data, split)
    rows, started = Subset.concatenate(data.subsets()), time.perf_counter()
    asks_clean, asks_validation = (asks(model, data.task, extra) for extra in ("clean", "validation"))
    pool = _Pool(
        data.task,
        model,
        model.inputs(rows.signals),
        rows.target,
        rows if asks_validation else None,
        Subset.concatenate(list(data.clean().values())) if asks_clean else None,
        rows.battery_ids,
        rows.sample_ids,
    )
    held_out = [np.isin(rows.battery_ids, fold) for fold in battery_folds(rows.battery_ids, folds)]
    draws = []
    for fold, test in enumerate(held_out):
        try:  # before hours of fits
            score(data.task, rows.target[test], rows.target[test])
        except MagBridgeError as error:
            batteries = ", ".join(np.unique(rows.battery_ids[test]).tolist())
            raise refused("fold_scores", fold=fold, folds=len(held_out), batteries=batteries, error=error) from error
        next_fold = held_out[(fold + 1) % len(held_out)] & ~test if asks_validation else np.zeros(len(rows), bool)
        train = ~test & ~next_fold
        clean = None
        if pool.clean is not None:
            clean = np.flatnonzero(np.isin(pool.clean.battery_ids, rows.battery_ids[train]))
        fit, predicted, stopping = (np.flatnonzero(part) for part in (train, test, next_fold))
        draws.append(_Draw(0, fit, predicted, fold=fold, clean=clean, validation=stopping))

    def scored(draw: _Draw, prediction, scores) -> Run:
        return Run(0, len(draw.train), score(data.task, rows.target[draw.test], prediction, scores), fold=draw.fold)

    return _result(data, pool, "cross_validation", started, _predict(draws, pool, engine, progress), scored)


def pooled(result: Result, data: TaskData) -> dict[str, float]:
    """Compute all metrics over the rows of all folds together, including the metric that needs whole tables.

    Args:
        result: Result of `cross_validate`, with its predictions.
        data: Rows that the result was made on.

    Raises:
        MagBridgeError: If the result has no predictions.
    """
    rows = Subset.concatenate(data.subsets())
    if result.table is None:
        raise MagBridgeError(f"{result.model} on {result.task} has no predictions: cross-validate the model again")
    position = {sample_id: i for i, sample_id in enumerate(rows.sample_ids.tolist())}
    order = [position[sample_id] for sample_id in result.table["sample_id"].to_pylist()]
    prediction = np.array(result.table["prediction"].to_pylist())
    return score(data.task, rows.target[order], prediction, cell_ids=rows.cell_ids[order])


def _test_pool(data: TaskData, model: Model, n_jobs: int = -1) -> _Pool:
    """Pool the training rows, followed by the test rows."""
    wants_validation = asks(model, data.task, "validation")
    if data.validation is None and wants_validation:
        raise MagBridgeError(f"model {model.name} needs validation rows for early stopping: pass data that has them")
    return _Pool(
        data.task,
        model,
        np.concatenate([data.inputs(model.features, subset) for subset in ("train", "test")]),
        np.concatenate([data.train.target, data.test.target]),
        data.validation if wants_validation else None,
        data.clean()["train"] if asks(model, data.task, "clean") else None,
        np.concatenate([data.train.battery_ids, data.test.battery_ids]),
        np.concatenate([data.train.sample_ids, data.test.sample_ids]),
        n_jobs,
    )


def _test_draw(data: TaskData, pool: _Pool, seed: int, rows: np.ndarray, k: int | None = None) -> _Draw:
    """Return the draw that fits on these training rows and predicts all test rows."""
    clean = None
    if pool.clean is not None:
        # Rows of the task that this seed left out stay out; clean rows outside the task may all be used.
        left_out = np.delete(data.train.sample_ids, rows)
        clean = np.flatnonzero(~np.isin(pool.clean.sample_ids, left_out))
    return _Draw(seed, rows, np.arange(len(data.train), len(pool.target)), k, clean=clean)


def _on_test(
    data: TaskData, pool: _Pool, protocol: str, draws: list[_Draw], engine: Engine | None, progress: bool
) -> Result:
    """Fit each draw of training rows and score it on the test subset."""
    test, started = data.test, time.perf_counter()
    resampled = protocol in OFFICIAL_TEST and UNKNOWN not in test.battery_ids
    batteries = tuple(np.unique(test.battery_ids).tolist()) if resampled else ()

    def scored(draw: _Draw, prediction, scores) -> Run:
        if resampled:
            return run_of(data.task, test, prediction, scores, seed=draw.seed, n_train=len(draw.train))
        return Run(draw.seed, len(draw.train), score_rows(data.task, test, prediction, scores), k=draw.k)

    predicted = _predict(draws, pool, engine, progress)
    return _result(data, pool, protocol, started, predicted, scored, battery_ids=batteries, n_test=len(test))


def _predict(draws: list[_Draw], pool: _Pool, engine: Engine | None, progress: bool) -> Iterable[tuple]:
    """Fit each draw; return in order the draw, its predictions and scores, and the values per row the learner saw."""
    from tqdm import tqdm

    label = f"{pool.task.id} {pool.model.name}"
    if engine is None:
        shown_as = {"desc": label, "disable": None if progress else True, "leave": False}
        return (_fit_and_predict(draw, pool) for draw in tqdm(draws, **shown_as))
    named = {f"{label}, {_words(draw)}": draw for draw in draws}
    shown = label if progress else None
    return run_jobs(_fit_and_predict, named, replace(pool, n_jobs=1), engine=engine, label=shown).values()


def _words(draw: _Draw) -> str:
    numbers = {"seed": draw.seed, "k": draw.k} if draw.fold is None else {"fold": draw.fold}
    return " ".join(f"{name} {number}" for name, number in numbers.items() if number is not None)


def _fit_and_predict(draw: _Draw, pool: _Pool) -> tuple[_Draw, np.ndarray, np.ndarray | None, int]:
    estimator = _fit(draw, pool)
    prediction, scores = predict(estimator, pool.inputs[draw.test], pool.task)
    return draw, prediction, scores, int(getattr(estimator, "n_features_", np.prod(pool.inputs.shape[1:])))


def _result(
    data: TaskData, pool: _Pool, protocol: str, started: float, predicted: Iterable[tuple], scored: Callable, **of: Any
) -> Result:
    """Score the predictions of each draw of a protocol as a run, and collect the runs in a result."""
    runs, tables = [], []
    for draw, prediction, scores, n_features in predicted:  # noqa: B007
        runs.append(scored(draw, prediction, scores))
        ids = pool.sample_ids[draw.test]
        tables.append(prediction_table(pool.task, ids, draw.seed, prediction, scores, draw.fold))
    packages, hardware = environment()
    return Result(
        task=data.task.id,
        task_version=data.task.version,
        model=pool.model.name,
        description=pool.model.description,
        dataset=data.dataset,
        split=data.split,
        protocol=protocol,
        runs=tuple(runs),
        packages=packages,
        hardware=hardware,
        seconds=time.perf_counter() - started,
        n_features=n_features,
        table=None if protocol == "few_shot" else pa.concat_tables(tables).combine_chunks(),
        **({"battery_ids": (), "n_test": None} | of),
    )


def _sample(train: Subset, sampling: str, seed: int) -> np.ndarray:
    """Draw the training rows of one seed, as specified."""
    if sampling == "full":
        return np.arange(len(train))
    rng = np.random.default_rng(seed)
    if sampling == "rows":
        return rng.choice(len(train), int(FRACTION * len(train)), replace=False)
    batteries = np.unique(train.battery_ids)
    # Always keep Regime-B's pseudo-cell: without it, T3 would lose a class.
    pseudo = np.char.startswith(batteries, REGIME_B_PREFIX)
    real = batteries[~pseudo]
    kept = np.concatenate([rng.choice(real, int(FRACTION * len(real)), replace=False), batteries[pseudo]])
    return np.flatnonzero(np.isin(train.battery_ids, kept))


def _shots(data: TaskData, k: int, seed: int) -> np.ndarray:
    """Draw k training rows from each class or SOH bin."""
    target, rng = data.train.target, np.random.default_rng(seed)
    if data.task.second is not None:
        raise refused("few_shots_of_places", task=data.task.id)
    groups, chosen = target, []
    if data.task.is_regression:
        groups = np.digitize(target, np.quantile(target, np.linspace(0, 1, SOH_BINS + 1)[1:-1]))
    for group in data.task.labels or range(SOH_BINS):
        rows = np.flatnonzero(groups == group)
        if not len(rows) and not data.task.is_regression:
            raise refused("no_row_of_class", task=data.task.id, group=group)
        chosen.append(_spread(rng.permutation(rows), data.train)[:k])
    return np.concatenate(chosen)


def _spread(rows: np.ndarray, train: Subset) -> np.ndarray:
    """Order rows so that a battery recurs only after all others; keep the order if each battery is one cell."""
    if np.array_equal(train.battery_ids, train.cell_ids):
        return rows  # the paper's draw
    return rows[np.argsort(turns(train.battery_ids[rows]), kind="stable")]


def battery_folds(battery_ids: np.ndarray, folds: int | None = None) -> list[np.ndarray]:
    """Deal the batteries into folds, as many as `cross_validate` does by default; return those of each fold."""
    batteries = np.unique(battery_ids)
    pseudo = batteries[np.char.startswith(batteries, REGIME_B_PREFIX)]
    real = batteries[~np.char.startswith(batteries, REGIME_B_PREFIX)]
    folds = max(2, min(FOLDS, len(real) // 2)) if folds is None else folds
    if not 2 <= folds <= len(real):
        raise refused("folds", folds=folds, batteries=len(real))
    parts = np.array_split(np.random.default_rng(0).permutation(real), folds)
    # If there are fewer pseudo-cells than folds, they take turns: every fold needs at least one to score.
    dealt = pseudo[np.arange(max(folds, len(pseudo))) % len(pseudo)] if len(pseudo) else pseudo
    return [np.append(part, dealt[i::folds]) for i, part in enumerate(parts)]


def _for_task(model: Model, task: Task) -> Model:
    if task.id not in model.tasks:
        raise MagBridgeError(f"model {model.name} is not for task {task.id}: it is for {', '.join(model.tasks)}")
    tags = getattr(model.build(0, task), "__sklearn_tags__", None)
    wanted, other = ("regressor", "classifier") if task.is_regression else ("classifier", "regressor")
    if tags is not None and tags().estimator_type == other:
        what = "a number" if task.is_regression else f"one of {', '.join(task.labels)}"
        raise MagBridgeError(f"{model.name} is a {other}, but {task.id} predicts {what} per row: expected a {wanted}")
    return model


def asks(model: Model, task: Task, extra: str) -> bool:
    """Return whether the model's `fit` has this argument."""
    return extra in inspect.signature(model.build(0, task).fit).parameters


def _fit(draw: _Draw, pool: _Pool):
    import joblib
    from scipy.linalg import LinAlgWarning

    extras = {}
    if pool.validation is not None:
        extras["validation"] = pool.validation if draw.validation is None else pool.validation.take(draw.validation)
    if pool.clean is not None and draw.clean is not None:
        extras["clean"] = pool.clean.take(draw.clean)
    estimator = pool.model.build(draw.seed, pool.task)
    parameters = inspect.signature(estimator.fit).parameters
    if "groups" in parameters or "Group" in type(getattr(estimator, "cv", None)).__name__:
        extras["groups"] = pool.groups[draw.train]
    # Use threads only for fitting: forests add up votes in the order in which threads finish, so predict serially.
    with joblib.parallel_config(backend="threading", n_jobs=pool.n_jobs), warnings.catch_warnings():
        # The features of a signal are correlated and differ in scale: a plain ridge would warn for every seed.
        warnings.simplefilter("ignore", LinAlgWarning)
        try:
            estimator.fit(pool.inputs[draw.train], pool.target[draw.train], **extras)
        except (TypeError, ValueError) as error:
            if pool.task.is_regression:
                raise
            estimator = Coded(pool.model.build(draw.seed, pool.task), pool.task)
            try:  # the learner may need whole numbers as classes
                estimator.fit(pool.inputs[draw.train], pool.target[draw.train], **extras)
            except Exception:
                raise error from None
    return estimator


def predict(estimator, inputs: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray | None]:
    """Return predictions and, if the model has them, scores of the task's scored label, else None."""
    prediction = estimator.predict(inputs)
    if isinstance(prediction, tuple) and len(prediction) == 2 and np.ndim(prediction[0]) > 0:
        return plain(prediction[0]), plain(prediction[1])
    prediction = plain(prediction)
    if task.scored_label is None or not hasattr(estimator, "classes_"):
        return prediction, None
    classes = list(estimator.classes_)
    if task.scored_label not in classes:
        raise refused("classes", classes=", ".join(map(str, classes)), labels=", ".join(task.labels))
    column = classes.index(task.scored_label)
    if hasattr(estimator, "predict_proba"):
        return prediction, estimator.predict_proba(inputs)[:, column]
    if hasattr(estimator, "decision_function"):
        decision = estimator.decision_function(inputs)
        return prediction, decision[:, column] if decision.ndim == 2 else decision * (1 if column else -1)
    return prediction, None


def prediction_table(
    task: Task, sample_ids: np.ndarray, seed: int, prediction, scores, fold: int | None = None
) -> pa.Table:
    """Make a table of one fit's predictions, in the format of `Result.table`."""
    columns = {
        "sample_id": sample_ids.tolist(),
        "seed": np.full(len(sample_ids), seed),
        "fold": None if fold is None else np.full(len(sample_ids), fold),
        "prediction": np.asarray(prediction, dtype=float if task.is_regression else None).tolist(),
        "score": None if scores is None else np.asarray(scores, dtype=float),
    }
    return pa.table({name: values for name, values in columns.items() if values is not None})
