"""Fitted baselines pushed to a loopback Hub and pulled again give the board's predictions."""

import dataclasses
import subprocess
import sys

import pytest

from benchmark import evaluate_model, load_task
from benchmark.baselines import get_model, models
from benchmark.baselines.hub import FILE, Baseline, baseline_files, fit_baseline, read_baseline
from benchmark.protocol import fit_seeds
from benchmark.tasks import TASKS
from dataset_card.errors import MagBridgeError
from tests.hub import LoopbackHub

AEON = {"minirocket", "multirocket", "hydra", "quant"}
TORCH = {"mlp", "cnn", "lstm", "normalised-cnn", "whitened-cnn", "whitened-transformer", "hydra", "quant"}
TORCH |= {"hqvqvae-classical", "hqvqvae-quantum"}
TREES = {"catboost", "lightgbm"}
QUICK = {
    *(("t1", name) for name in ("ridge", "svr-rbf", "functional-ridge")),
    *(("t2", name) for name in ("constant", "random-forest", "mlp", "functional-signed", "noise-level")),
    *(("t2", name) for name in ("functional-corrected", "logistic-regression", "linear-svc")),
    *(("t4", name) for name in ("ridge-classifier",)),
}
"""One of each kind of learner; the slow tests have every model on every task."""


def _longer(task, name):
    return pytest.mark.gate if (task, name) == ("t2", "minirocket") else pytest.mark.slow  # aeon compiles for long


PAIRS = [
    pytest.param(task.id, model.name, marks=[] if (task.id, model.name) in QUICK else [_longer(task.id, model.name)])
    for task in TASKS
    for model in models(task.id)
]


@pytest.mark.parametrize("task, name", PAIRS)
def test_files_give_the_boards_predictions(release, task, name):
    if name in AEON:
        pytest.importorskip("aeon")
    if name in TREES:
        pytest.importorskip(name)
    if name in TORCH:
        pytest.importorskip("torch")
    data = load_task(task, release)
    files = baseline_files(fit_baseline(task, name, data), "user/baseline")
    back = read_baseline(files, "files")
    assert back.digest == data.dataset.digest and back.model.name == name
    assert back.predictions(data).equals(evaluate_model(task, get_model(name), data).table)


@pytest.mark.gate
def test_a_pushed_baseline_can_be_pulled(release, tmp_path):
    with LoopbackHub(token="secret") as hub:
        arguments = ["--repo", "USER/ridge", "--model", "ridge", "--task", "t1", "--data", str(release)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmark", "push", "baseline", *arguments],
            env=hub.env(tmp_path),
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout.strip()) == (0, f"{hub.url}/USER/ridge"), done.stderr
        assert {FILE, "README.md", "seed-0.skops", "seed-4.skops"} <= hub.files("model", "USER/ridge").keys()
        code = (
            "from benchmark import evaluate_model; from benchmark.baselines import get_model\n"
            "from benchmark.baselines.hub import pull_baseline\n"
            f"pulled = pull_baseline('USER/ridge').predictions({str(release)!r})\n"
            f"print(pulled.equals(evaluate_model('t1', get_model('ridge'), {str(release)!r}).table))"
        )
        seen = subprocess.run([sys.executable, "-c", code], env=hub.env(tmp_path), capture_output=True, text=True)
        assert seen.stdout.strip() == "True", seen.stderr


def test_a_baseline_of_a_dataset_on_the_hub_carries_its_scores(release, monkeypatch):
    import yaml
    from huggingface_hub import ModelCard, parse_eval_result_entries

    from benchmark.baselines import hub

    monkeypatch.setattr(hub, "load_task", lambda task, data: load_task(task, release))
    files = baseline_files(fit_baseline("t1", "ridge", "user/magbridge-battery"), "user/ridge")
    (entry,) = parse_eval_result_entries(yaml.safe_load(files[".eval_results/magbridge.yaml"]))
    assert (entry.dataset_id, entry.task_id) == ("user/magbridge-battery", "t1_soh_regression")
    assert entry.value == pytest.approx(evaluate_model("t1", get_model("ridge"), release).mean(), abs=1e-12)
    assert ModelCard(files["README.md"].decode()).data.datasets == ["user/magbridge-battery"]
    local = baseline_files(fit_baseline("t1", "ridge", release), "user/ridge")
    assert ".eval_results/magbridge.yaml" not in local and b"datasets" not in local["README.md"][:200]


@pytest.mark.parametrize("name", ["hydra", "quant"])
def test_what_torch_holds_is_kept_as_arrays(release, name):
    """Of one seed, on the quickest task; the slow test above has all of them."""
    pytest.importorskip("aeon")
    pytest.importorskip("torch")
    data = load_task("t2", release)
    model = dataclasses.replace(get_model(name), seeds=(3,))
    fitted = Baseline(model, data.task, data.dataset.digest, dict(fit_seeds(data.task, model, data)))
    back = read_baseline(baseline_files(fitted, "user/baseline"), "files")
    assert back.predictions(data).equals(fitted.predictions(data))


def test_what_a_pull_would_not_trust_is_not_pushed(release):
    from sklearn.neighbors import KNeighborsClassifier

    data, model = load_task("t2", release), get_model("ridge")
    tree = KNeighborsClassifier(algorithm="kd_tree").fit([[0.0], [1.0]] * 5, ["reuse", "recondition"] * 5)
    for strange, message in (
        (tree, "ridge contains sklearn.metrics"),
        ((x for x in "x"), "cannot be saved without pickle"),
    ):
        with pytest.raises(MagBridgeError, match=message):
            baseline_files(Baseline(model, data.task, data.dataset.digest, {0: strange}), "user/baseline")


def test_what_is_no_baseline_is_refused(release):
    import skops.io
    from sklearn.feature_extraction.text import TfidfVectorizer

    files = baseline_files(fit_baseline("t1", "ridge", release), "user/ridge")
    vectorizer = TfidfVectorizer(preprocessor=subprocess.getoutput)
    for damage, message in (
        ({FILE: b"{"}, "baseline.json is damaged"),
        ({FILE: files[FILE].replace(b"ridge", b"rigde")}, "rigde"),
        ({"seed-0.skops": b"PK"}, "seed-0.skops is not a trusted skops file"),
        ({"seed-1.skops": skops.io.dumps(vectorizer)}, "seed-1.skops is not a trusted skops file .*getoutput"),
    ):
        with pytest.raises(MagBridgeError, match=message):
            read_baseline(files | damage, "here")
    del files["seed-2.skops"]
    with pytest.raises(MagBridgeError, match="seed-2.skops"):
        read_baseline(files, "here")
