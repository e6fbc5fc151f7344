"""The commands as a user runs them, and what importing the package must not load."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import benchmark
from benchmark import evaluate_model
from benchmark.baselines import get_model
from benchmark.leaderboard.submissions import SUBMISSIONS
from benchmark.predictions import write_predictions
from benchmark.results import SHIPPED, read_predictions, read_results

pytestmark = pytest.mark.gate
"""Commands as a user types them, each in a process of its own."""


def run(*arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def loaded_by(statement: str, *names: str) -> list[str]:
    code = f"import sys\n{statement}\nprint([n for n in {names!r} if n in sys.modules])"
    return json.loads(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        .stdout.strip()
        .splitlines()[-1]
        .replace("'", '"')
    )


HEAVY = (
    "torch",
    "sklearn",
    "datasets",
    "evaluate",
    "matplotlib",
    "transformers",
    "pandas",
    "scipy",
    "bridge",
    "hqvqvae",
)


def test_import_is_light():
    assert loaded_by("import benchmark", *HEAVY) == []
    assert (
        loaded_by(
            "import benchmark.__main__, benchmark.leaderboard.page, benchmark.analysis.plots; "
            "import benchmark.leaderboard.export",
            *HEAVY,
        )
        == []
    )


def test_scoring_a_file_loads_no_library_of_models(release, tmp_path):
    result = evaluate_model("t1", get_model("ridge"), release)
    path = tmp_path / "p.parquet"
    write_predictions(path, result.table, result.dataset.digest)
    statement = (
        f"from benchmark.predictions import score_predictions; score_predictions({str(path)!r}, 't1', {str(release)!r})"
    )
    # pyarrow itself looks for pandas when it converts to numpy.
    assert loaded_by(statement, *(name for name in HEAVY if name != "pandas"), "jsonschema") == []


@pytest.mark.parametrize(
    "module",
    [
        *("tasks", "data", "scoring", "predictions/scored", "results/result", "results/documents", "results/filing"),
        *("leaderboard/boards", "leaderboard/page"),
    ],
)
def test_scoring_never_imports_running(module):
    tree = ast.parse((Path(benchmark.__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    running = ("benchmark.protocol", "benchmark.running", "benchmark.models", "benchmark.baselines")
    assert not [name for name in imported if name.startswith(running)]


def test_list_names_every_task_and_model():
    document = json.loads(run("list", "--json").stdout)
    assert [task["id"] for task in document["tasks"]] == [f"t{n}" for n in range(1, 10)]
    assert {"ridge", "mlp", "constant"} <= {model["name"] for model in document["models"]}
    assert "random-forest" in run("list").stdout


def test_run_score_leaderboard_and_plot(release, tmp_path):
    out = tmp_path / "results"
    printed = run("run", "--table", "3", "--task", "t1", "--data", release, "--out", out).stdout
    assert all(f"{name} on t1" in printed for name in ("ridge", "svr-rbf", "random-forest"))
    assert "0.675" not in printed and printed.endswith("are not shown for other rows.\n")
    file = tmp_path / "ridge.parquet"
    (ridge,) = [r for r in read_results(out) if r.model == "ridge"]
    write_predictions(file, read_predictions(*out.glob("*.jsonl"), [ridge])[ridge.key], ridge.dataset.digest)
    outcome = json.loads(run("score", file, "--task", "t1", "--data", release, "--json").stdout)
    assert outcome["mean"]["r2"] == ridge.mean()
    assert "r2 over test batteries, 95 %" in run("score", file, "--task", "t1", "--data", release).stdout
    page = tmp_path / "page.html"
    run("leaderboard", "--results", out, "--format", "html", "--out", page)
    assert "random-forest" in page.read_text(encoding="utf-8")
    run("plot", out, "--model", "ridge", "--data", release, "--out", tmp_path / "parity.png")
    assert (tmp_path / "parity.png").stat().st_size > 10_000
    assert not list(tmp_path.glob(".*")) + list(out.glob(".*")), "temporary files are gone"


def test_submit_and_rescore(release, tmp_path):
    result = evaluate_model("t1", get_model("ridge"), release, name="my-ridge", description="Ridge.")
    result.save(tmp_path / "my-ridge", authors=["Ada"], licence="MIT", trained_on=[], pooling="scan")
    checked = run("submit", tmp_path / "my-ridge", "--data", release, "--check")
    assert checked.stdout.startswith(f"t1: r2 {result.mean():.4f} (") and "nothing was written" in checked.stdout
    assert len(list((tmp_path / "my-ridge").iterdir())) == 2
    said = run("submit", tmp_path / "my-ridge", "--data", release).stdout
    assert "no rank: no other entry is scored on these rows" in said
    assert "my-ridge: t1 as filed" in run("rescore", tmp_path, "--data", release).stdout
    (tmp_path / "my-ridge" / "t1.parquet").write_bytes(b"PAR1")
    assert "is not readable Parquet" in run("rescore", tmp_path, "--data", release, code=1).stderr


def test_a_model_of_ones_own(release, tmp_path):
    (tmp_path / "my_model.py").write_text("def half(signals):\n    return ['reuse'] * len(signals)\n")
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "run", "--model", "my_model:half", "--task", "t2", "--data", release],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "half on t2" in done.stdout and "over test batteries, 95 %: [0.5000, 0.5000]" in done.stdout, done


def test_the_leaderboard_says_what_it_read(release, tmp_path):
    run("run", "--task", "t1", "--model", "constant", "--data", release, "--out", tmp_path)
    done = run("leaderboard", "--results", tmp_path)
    assert "constant" in done.stdout and done.stderr == f"read 1 results from {tmp_path}\n"


def test_protocols_from_the_command_line(release):
    text = run("run", "--task", "t4", "--model", "constant", "--protocol", "cross_validation", "--data", release).stdout
    assert "constant on t4 (by_cell_primary, cross_validation" in text
    text = run("run", "--task", "t4", "--model", "constant", "--protocol", "few_shot", "--data", release).stdout
    assert "k=20" in text


def test_shipped_leaderboard_in_every_form(tmp_path):
    assert "T1 SOH regression" in run("leaderboard").stdout
    markdown = run("leaderboard", "--format", "markdown", "--task", "t2", "--split", "by_cell_primary").stdout
    assert [line for line in markdown.splitlines() if line.startswith("## ")] == [
        f"## T2 Second-life class: balanced_accuracy, by_cell_primary, {release}"
        for release in ("v1", "v2", *(f"{edition}, seed {seed}" for seed in (1, 2, 3) for edition in ("v1", "v2")))
    ]
    assert "| logistic-regression |" in markdown
    ridge = ("export", SHIPPED, "--model", "ridge", "--dataset-id", "user/magbridge-battery")
    assert run(*ridge).stdout.count("t1_soh_regression") == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("score", "nowhere.parquet", "--task", "t1", "--data", "nowhere"), "no release at nowhere"),
        (("run", "--table", "5", "--data", "nowhere"), "unknown table 5: expected 3 or 4"),
        (("run", "--model", "rigde", "--data", "nowhere"), "did you mean ridge"),
        (("run", "--protocol", "row", "--data", "nowhere"), "unknown protocol 'row'"),
        (("run", "--task", "t2", "--model", "ridge", "--data", "nowhere"), "no baseline fits"),
        (("run", "--model", "my_model:predict", "--data", "nowhere"), "no model my_model:predict"),
        (("submit", "nowhere", "--data", "nowhere"), "no submission.yaml in nowhere"),
        (("submit", f"{SUBMISSIONS}/example-ridge", "--data", "nowhere"), "no release at nowhere"),
        (
            ("push", "baseline", "--repo", "u/r", "--data", "nowhere"),
            "push baseline without --model or --task: expected",
        ),
        (("leaderboard", "--format", "pdf"), "unknown format 'pdf'"),
        (("leaderboard", "--results", "nowhere"), "no results at nowhere"),
        (("leaderboard", "--task", "t0"), "unknown task 't0'"),
        (("export", "nowhere.jsonl", "--dataset-id", "u/d"), "no results at nowhere.jsonl"),
        (("plot", "--model", "rigde", "--out", "x.png"), "no result of model rigde among 360"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(arguments, message):
    done = run(*arguments, code=1)
    assert message in done.stderr and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert done.stdout == ""
