"""Every baseline of v3 under one contract, on a small release."""

import numpy as np
import pytest

from benchmark import cross_validate, evaluate_model, few_shot, load_task
from benchmark.baselines import get_model, models
from benchmark.baselines.hub import baseline_files, fit_baseline, read_baseline
from benchmark.baselines.physics import VIEWS, Components, HealthyMetric, Stacked, border, view
from benchmark.predictions import score_predictions
from benchmark.tasks import V3_TASKS, get_task
from dataset_card.errors import MagBridgeError


@pytest.mark.parametrize("task", V3_TASKS, ids=lambda task: task.id)
@pytest.mark.parametrize("name", ["constant-v3", "ridge-magnetics", "ridge-both", "boosting-terminals"])
def test_contract(v3_release, task, name):
    """Fits, predicts the task's kind of value, scores, repeats itself and leaves the inputs alone."""
    model, data = get_model(name), load_task(task, v3_release)
    before = data.train.signals.copy()
    first, again = (evaluate_model(task, model, data, seeds=(0,)) for _ in range(2))
    assert first.runs == again.runs and np.array_equal(before, data.train.signals)
    assert {metric.name for metric in task.metrics} >= first.runs[0].scores.keys() >= {task.headline.name}
    low, high = first.interval()
    assert low <= first.mean() <= high


def test_every_task_has_a_baseline_on_each_view():
    for task in V3_TASKS:
        names = {model.name for model in models(task.id)}
        assert names >= {f"{kind}-{name}" for kind in ("ridge", "boosting") for name in VIEWS}


def test_a_view_holds_its_channels_alone(v3_release):
    x = load_task("t9", v3_release).train.signals
    assert view(x, "terminals").shape[1] == 33 and view(x, "magnetics").shape[1] == 648
    assert np.array_equal(view(x, "both"), x)
    changed = x.copy()
    changed[:, 33:] = 0
    assert np.array_equal(view(changed, "terminals"), view(x, "terminals"))


def test_components_are_those_of_the_training_rows(v3_release):
    x = view(load_task("t9", v3_release).train.signals, "both")
    fitted = Components("both").fit(x[:100])
    voltage, *_ = fitted.transform(x[:100])
    assert voltage.shape == (100, 12)
    assert np.allclose(voltage.std(axis=0), 1) and np.allclose(voltage.mean(axis=0), 0, atol=1e-9)
    assert np.allclose(fitted.transform(x)[0][:100], voltage)


@pytest.mark.parametrize("task, name", [("t5", "metric-magnetics"), ("t6", "metric-both"), ("t6", "metric-terminals")])
def test_the_metric_of_healthy_cells_reads_classes_and_places(v3_release, task, name):
    first, again = (evaluate_model(task, get_model(name), v3_release) for _ in range(2))
    assert first.runs == again.runs


def test_places_are_sought_without_voltages(v3_release):
    """Among neighbours they are noise: both reads what magnetics alone reads."""
    both, alone = (evaluate_model("t6", get_model(f"metric-{name}"), v3_release) for name in ("both", "magnetics"))
    assert [run.scores for run in both.runs] == [run.scores for run in alone.runs]


def test_the_discriminant_reads_steps_of_the_voltage_and_finds_next_to_nothing(v3_release):
    model = get_model("discriminant-terminals")
    first, again = (evaluate_model("t5", model, v3_release) for _ in range(2))
    assert model.tasks == ("t5",) and first.runs == again.runs and 0.05 < first.mean() < 0.35


def test_healthy_rows_are_the_clean_ones(v3_release):
    data = load_task("t5", v3_release)
    healthy = data.train.sample_ids[data.train.target == "none"]
    clean = data.clean()["train"]
    assert set(healthy) < set(clean.sample_ids) and not set(data.train.sample_ids) - set(healthy) & set(
        clean.sample_ids
    )
    white, *_ = (
        HealthyMetric("magnetics").fit(view(clean.signals, "magnetics")).transform(view(clean.signals, "magnetics"))
    )
    assert white.shape == (len(clean), 72) and 0.2 < (white**2).mean() < 1.5  # shrunk: two hundred rows


def test_chemistries_are_told_by_the_widest_gap():
    rng = np.random.default_rng(0)
    low, high = rng.normal(2.8, 0.1, 300), rng.normal(4.4, 0.05, 200)
    assert low.max() < border(np.concatenate([low, high])) < high.min()
    assert border(low) == np.inf and border(np.append(low, 9.0)) == np.inf and border(low[:1]) == np.inf


def test_readings_that_say_nothing_cost_next_to_nothing():
    rng = np.random.default_rng(1)
    inputs, target = rng.normal(size=(240, 681)), rng.normal(size=240)
    inputs[:, :33] += target[:, None]
    groups = np.repeat(np.arange(60), 4).astype(str)
    task = get_task("t9")
    model = Stacked("ridge", "both", 0, task).fit(inputs[:160], target[:160], groups[:160], None)
    error = ((model.scores(inputs[160:]) - target[160:]) ** 2).mean()
    alone = model.readers[3].scores(inputs[160:, :33])
    assert error < 1.1 * ((alone - target[160:]) ** 2).mean() < 0.2 * target.var()


@pytest.mark.parametrize("task, name", [("t9", "ridge-both"), ("t6", "metric-magnetics")])
def test_a_fitted_reader_travels_without_a_pickle(v3_release, task, name):
    data = load_task(task, v3_release)
    back = read_baseline(baseline_files(fit_baseline(task, name, data), "user/baseline"), "files")
    assert back.predictions(data).equals(evaluate_model(task, get_model(name), data).table)


def test_an_entry_of_places_is_saved_read_and_scored_again(v3_release, tmp_path):
    result = evaluate_model("t6", get_model("ridge-magnetics"), v3_release)
    folder = tmp_path / "ridge-magnetics"
    result.save(folder, authors=["A"], licence="CC0-1.0", trained_on=[], pooling="scan")
    scored = score_predictions(folder / "t6.parquet", "t6", v3_release)
    assert scored["mean"] == result.runs[0].scores
    assert (scored["interval"]["low"], scored["interval"]["high"]) == result.interval()
    text = tmp_path / "t6.csv"
    rows = [f"{i},{x},{y}" for i, (x, y) in zip(*(result.table[c].to_pylist() for c in ("sample_id", "prediction")))]
    text.write_text("\n".join(["sample_id,prediction,second", *rows]))
    assert score_predictions(text, "t6", v3_release)["mean"] == result.runs[0].scores
    text.write_text("\n".join(["sample_id,prediction", *(row.rpartition(",")[0] for row in rows)]))
    with pytest.raises(
        MagBridgeError, match="no column second: expected x_mm in the column prediction and y_mm in the column second"
    ):
        score_predictions(text, "t6", v3_release)


def test_folds_keep_cells_together_and_places_have_no_shots(v3_release):
    task, data = get_task("t7"), load_task("t7", v3_release)
    found = cross_validate(task, get_model("ridge-terminals"), data, folds=4)
    cell = dict(zip(data.train.sample_ids, data.train.cell_ids)) | dict(zip(data.test.sample_ids, data.test.cell_ids))
    folds = {}
    for sample, fold in zip(found.table["sample_id"].to_pylist(), found.table["fold"].to_pylist()):
        if sample in cell:
            folds.setdefault(cell[sample], set()).add(fold)
    assert all(len(of_cell) == 1 for of_cell in folds.values())
    with pytest.raises(MagBridgeError, match="few-shot training on t6"):
        few_shot("t6", get_model("ridge-terminals"), v3_release)


def test_a_task_is_asked_of_its_own_release(v3_release, tiny_release):
    with pytest.raises(MagBridgeError, match="no rows for t1: it serves t5, t6, t7, t8, t9"):
        load_task("t1", v3_release)
    with pytest.raises(MagBridgeError, match="no rows for t5: it serves t1, t2, t3, t4"):
        load_task("t5", tiny_release)
