"""The metric module as users load it: through `evaluate`, from its folder alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import benchmark
from benchmark.scoring import score
from benchmark.tasks import BY_ID

FOLDER = Path(benchmark.__file__).with_name("magbridge_metric")
TASKS = [task for task in BY_ID.values() if task.id != "t6"]  # whose values are pairs

SCRIPT = """
import json, sys
import evaluate
import numpy as np
import torch

cases, out = json.load(open(sys.argv[1])), {}
for task, (truth, prediction, scores) in cases.items():
    metric = evaluate.load(sys.argv[2], task)
    extra = {} if scores is None else {"scores": scores}
    out[task] = metric.compute(predictions=prediction, references=truth, **extra)
metric = evaluate.load(sys.argv[2], "t1")
truth, prediction, _ = cases["t1"]
out["tensor"] = metric.compute(predictions=torch.tensor(prediction, dtype=torch.float64), references=np.array(truth))
for p, t in zip(prediction, truth):
    metric.add(prediction=p, reference=t)
out["one by one"] = metric.compute()
both = evaluate.combine([evaluate.load(sys.argv[2], "t1")])
for p, t in zip(prediction, truth):
    both.add(prediction=p, reference=t)
out["combined"] = both.compute()
metric = evaluate.load(sys.argv[2], "t2")
truth, prediction, scores = cases["t2"]
metric.add_batch(predictions=prediction[1:], references=truth[1:], scores=scores[1:])
metric.add(prediction=prediction[0], reference=truth[0], scores=scores[0])
out["in batches"] = metric.compute()
again = metric.compute(predictions=prediction, references=truth)
out["scores are of one computation"] = "roc_auc" in again
places = evaluate.load(sys.argv[2], "t6")
out["t6"] = places.compute(predictions=[[0.0, 3.0], [9.0, 9.0]], references=[[0.0, 0.0], [9.0, 9.0]])
errors = []
for task, bad in (("t1", dict(predictions=[0.1, float("nan")], references=[0.1, 0.2])),
                  ("t1", dict(predictions=[0.1], references=[0.1, 0.2])),
                  ("t1", dict(predictions=["a", "b"], references=[0.1, 0.2])),
                  ("t2", dict(predictions=[1.7, 0.2], references=["reuse", "recondition"])),
                  ("t2", dict(predictions=[1, 0], references=["reuse", "recondition"])),
                  ("t2", dict(predictions=["reuse", "Reuse"], references=["reuse", "recondition"])),
                  ("t2", dict(predictions=["reuse"] * 2, references=["reuse", "recondition"], scores=[0.1])),
                  ("t4", dict(predictions=["temporal_warp"], references=["temporal_warp"], scores=[0.1]))):
    try:
        errors.append(f"accepted: {evaluate.load(sys.argv[2], task).compute(**bad)}")
    except ValueError as error:
        errors.append(str(error))
try:
    evaluate.load(sys.argv[2])
except ValueError as error:
    errors.append(str(error))
print("RESULT" + json.dumps({"values": out, "errors": errors}))
"""


@pytest.fixture(scope="module")
def cases():
    rng, out = np.random.default_rng(0), {}
    for task in TASKS:
        if task.is_regression:
            truth = rng.uniform(0.7, 1, 60)
            out[task.id] = (truth.tolist(), (truth + rng.normal(0, 0.02, 60)).tolist(), None)
        else:
            truth, prediction = (rng.choice(task.labels, 60).tolist() for _ in range(2))
            out[task.id] = (truth, prediction, rng.normal(size=60).tolist() if task.auc else None)
    return out


@pytest.fixture(scope="module")
def outcome(cases, tmp_path_factory):
    """The module run in a folder of its own, where neither benchmark nor the contract can be imported."""
    folder = tmp_path_factory.mktemp("space")
    shutil.copytree(FOLDER, folder / "magbridge_metric", ignore=shutil.ignore_patterns("__pycache__", "__init__.py"))
    (folder / "cases.json").write_text(json.dumps(cases))
    blocker = "import sys\nfor name in ('benchmark', 'dataset_card', 'bridge'):\n    sys.modules[name] = None\n"
    (folder / "run.py").write_text(blocker + SCRIPT)
    environment = {**os.environ, "HF_HOME": str(folder / "home"), "HF_EVALUATE_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "run.py", "cases.json", str(folder / "magbridge_metric")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.partition("RESULT")[2])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_equals_the_benchmark(outcome, cases, task):
    truth, prediction, scores = cases[task.id]
    assert outcome["values"][task.id] == score(task, truth, prediction, scores)
    assert outcome["values"][task.id].keys() == {m.name for m in task.metrics if not m.needs_rows}


def test_batches_bring_their_scores(outcome):
    assert outcome["values"]["in batches"] == outcome["values"]["t2"] and "roc_auc" in outcome["values"]["t2"]
    assert outcome["values"]["scores are of one computation"] is False
    assert outcome["values"]["t6"] == {"median_error_mm": 1.5, "within_10_mm": 1.0}


def test_takes_tensors_arrays_and_single_rows(outcome):
    for kind in ("tensor", "one by one", "combined"):
        assert outcome["values"][kind] == outcome["values"]["t1"], kind


def test_rejects_what_it_cannot_score(outcome):
    messages = (
        "predictions are NaN or infinite, the first in row 1",
        "1 predictions for 2 references",
        "expected one number per row",
        r"1.7 \(float\) in row 0: expected a label",
        r"1 \(int\) in row 0: expected a label",
        "unknown label 'Reuse' in row 1: expected one of reuse, recondition",
        "1 scores for 2 references",
        "no metric of this task reads them",
        "unknown task 'default': expected one of t1, t2, t3, t4",
    )
    assert len(outcome["errors"]) == len(messages)
    for error, message in zip(outcome["errors"], messages):
        assert re.search(message, error), (message, error)


def test_space_metadata_points_at_its_files():
    front = yaml.safe_load((FOLDER / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert front["sdk"] == "gradio" and {"evaluate", "metric"} <= set(front["tags"])
    assert (FOLDER / front["app_file"]).is_file()
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for task in BY_ID.values():
        (row,) = re.findall(rf"^\|.*`{task.id}`.*$", text, re.M)
        recalls = {f"recall_{label}" for label in task.labels}
        names = {m.name for m in task.metrics if not m.needs_rows} - recalls
        assert {*names, *task.labels} <= set(re.findall(r"`(\w+)`", row)), task.id
    required = {line.partition(">")[0] for line in (FOLDER / "requirements.txt").read_text().split()}
    assert required == {"evaluate", "datasets", "numpy", "gradio"}
