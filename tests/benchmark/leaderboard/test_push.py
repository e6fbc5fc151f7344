"""Metric and leaderboard as Spaces: what is pushed is whole, and the pushed page scores a file in a real browser."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import evaluate_model
from benchmark.baselines import get_model
from benchmark.data import dataset_info, load_task
from benchmark.leaderboard.boards import COLUMNS
from benchmark.leaderboard.push import leaderboard_files, metric_files
from benchmark.leaderboard.space.submission import MAX_BYTES, MAX_ROWS, ranked, score_submission, summary
from benchmark.predictions import write_predictions
from benchmark.results import read_results, write_result
from dataset_card.errors import MagBridgeError
from tests.hub import LoopbackHub, Repo

ROOT = Path(__file__).parents[3]
DATASET, SPACE, METRIC = "USER/magbridge-battery", "USER/leaderboard", "USER/magbridge_metric"
NOT_ON_THE_SPACE = ["sklearn", "scipy", "torch", "datasets", "evaluate", "numba", "pennylane", "pooch", "matplotlib"]
"""Packages that the Space's requirements.txt does not bring: the page must do without them."""

PATIENCE_S = 120
"""The browser may share the machine with everything else."""


@pytest.fixture(scope="module")
def results(release, tmp_path_factory):
    """Two results on the made-up release."""
    folder = tmp_path_factory.mktemp("results")
    for task in ("t1", "t4"):
        rows = load_task(task, release)
        for model in ("constant", "ridge" if task == "t1" else "logistic-regression"):
            write_result(evaluate_model(task, get_model(model), rows), folder)
    return folder


@pytest.fixture(scope="module")
def predictions(release, tmp_path_factory):
    """The truth of T1, as a predictions file."""
    test = load_task("t1", release).test
    table = pa.table({"sample_id": test.sample_ids.tolist(), "prediction": test.target})
    path = tmp_path_factory.mktemp("predictions") / "oracle.parquet"
    write_predictions(path, table, dataset_info(release).digest)
    return path


@pytest.fixture(scope="module")
def hub(release):
    with LoopbackHub(token="secret") as hub:
        hub.repos["dataset", DATASET] = repo = Repo(private=False)
        files = {p.relative_to(release).as_posix(): p.read_bytes() for p in release.rglob("*") if p.is_file()}
        repo.commit("main", files, "the made-up release")
        yield hub


@pytest.fixture(scope="module")
def push(hub, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "benchmark", "push", *map(str, arguments)],
            env=hub.env(home),
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=300,
        )

    return run


@pytest.fixture(scope="module")
def pushed(hub, push, results):
    """Both Spaces, published."""
    metric = push("metric", "--repo", METRIC, "--json")
    board = push("leaderboard", "--repo", SPACE, "--data", DATASET, "--results", results, "--json")
    for outcome in (metric, board):
        assert outcome.returncode == 0 and outcome.stderr == "", outcome.stderr
    return [json.loads(outcome.stdout)["url"] for outcome in (metric, board)]


def test_each_space_is_one_commit_of_what_the_dry_run_lists(hub, push, pushed, results):
    assert pushed == [f"{hub.url}/spaces/{METRIC}", f"{hub.url}/spaces/{SPACE}"]
    expected = {METRIC: metric_files(), SPACE: leaderboard_files(DATASET, results)}
    for repo_id, files in expected.items():
        assert len(hub.repos["space", repo_id].commits) == 2
        content = {name: f if isinstance(f, bytes) else f.read_bytes() for name, f in files.items()}
        assert hub.files("space", repo_id) == content | {".gitattributes": b""}
    plan = push("leaderboard", "--repo", SPACE, "--data", DATASET, "--results", results, "--dry-run", "--json")
    sizes = {name: len(data) for name, data in hub.files("space", SPACE).items() if name != ".gitattributes"}
    assert json.loads(plan.stdout)["files"] == sizes


def test_the_metric_loads_from_its_space(hub, pushed, tmp_path):
    code = (
        "import evaluate\n"
        f"metric = evaluate.load('{METRIC}', 't4')\n"
        "labels = ['temporal_warp', 'sensor_dropout']\n"
        "print(metric.compute(predictions=labels, references=labels)['balanced_accuracy'])"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], env=hub.env(tmp_path), cwd=tmp_path, text=True, capture_output=True, timeout=300
    )
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    assert float(outcome.stdout) == 1.0


def test_mistakes_in_a_push_are_one_plain_error(push, hub, tmp_path):
    hub.repos["space", "USER/game"] = repo = Repo(private=False)
    repo.commit("main", {"app.py": b"play()"}, "a game")
    mistakes = {
        "holds other content (app.py": ("leaderboard", "--repo", "USER/game", "--data", DATASET),
        "expected USER/magbridge_metric": ("metric", "--repo", "USER/other"),
        "the leaderboard needs the dataset": ("leaderboard", "--repo", SPACE),
        "no results at": ("leaderboard", "--repo", SPACE, "--data", DATASET, "--results", tmp_path),
    }
    for words, arguments in mistakes.items():
        outcome = push(*arguments)
        assert outcome.returncode == 1 and outcome.stderr.startswith("error: ") and words in outcome.stderr, (
            outcome.stderr
        )
    assert hub.files("space", "USER/game") == {"app.py": b"play()"}


def test_a_submission_is_ranked_among_the_results(release, results, predictions):
    read = read_results(results)
    scored = score_submission(predictions, "t1", "oracle", release, "by_cell_primary")
    assert "**r2 1.0000**" in summary(scored) and "| mae | 0.0000 |" in summary(scored)
    rows = ranked(read, scored)
    assert [row[1] for row in rows] == ["➤ oracle", "ridge", "constant"]
    protocol = COLUMNS.index("protocol")
    assert rows[0][0] == "1" and rows[0][protocol] == "submitted" and rows[1][protocol] == "rows"
    taken = score_submission(predictions, "t1", "ridge", release, "by_cell_primary")
    assert sorted(row[1] for row in ranked(read, taken)) == ["constant", "ridge", "➤ ridge (submitted)"]


def test_a_submission_that_cannot_be_scored_is_told_why_without_our_paths(release, predictions, tmp_path):
    with pytest.raises(MagBridgeError, match="^oracle.parquet, seed 0: samples .* are no test sample of it: expected"):
        score_submission(predictions, "t4", "", release, "by_cell_primary")
    pq.write_table(
        pa.table({"sample_id": ["a"] * (MAX_ROWS + 1), "prediction": [0.9] * (MAX_ROWS + 1)}), tmp_path / "bomb.parquet"
    )
    with pytest.raises(MagBridgeError, match="^bomb.parquet has 200,001 rows: expected at most 200,000"):
        score_submission(tmp_path / "bomb.parquet", "t1", "", release, "by_cell_primary")
    (tmp_path / "noise.parquet").write_bytes(os.urandom(100))
    with pytest.raises(MagBridgeError, match="^noise.parquet is not Parquet"):
        score_submission(tmp_path / "noise.parquet", "t1", "", release, "by_cell_primary")
    with open(tmp_path / "huge.parquet", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(MagBridgeError, match="^huge.parquet has 20.0 MB: expected .* at most 20 MB"):
        score_submission(tmp_path / "huge.parquet", "t1", "", release, "by_cell_primary")


@pytest.fixture(scope="module")
def page(hub, pushed, tmp_path_factory):
    """Address of the pushed Space's page, served from a copy of the Space with the dataset from the Hub."""
    pytest.importorskip("gradio")
    folder = tmp_path_factory.mktemp("space")
    for name, data in hub.files("space", SPACE).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    absent = tmp_path_factory.mktemp("absent")
    (absent / "sitecustomize.py").write_text(f"import sys\nsys.modules |= dict.fromkeys({NOT_ON_THE_SPACE})\n")
    environment = hub.env(tmp_path_factory.mktemp("home"))
    environment |= {"GRADIO_SERVER_PORT": port, "PYTHONPATH": str(absent), "NO_PROXY": "127.0.0.1"}
    log = open(folder / "log", "w+")  # noqa: SIM115
    server = subprocess.Popen(
        [sys.executable, "app.py"], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            break
        except OSError:
            assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.3)
    yield address
    server.terminate()
    server.wait(30)
    log.close()


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver")
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not (driver and chromium):
        pytest.skip("chromium and chromedriver are not installed: the page is not seen in a browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,1400",
    ):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield browser
    browser.quit()


def test_the_page_shows_boards_and_scores_a_file(browser, page, predictions, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(browser, PATIENCE_S)

    def text(selector):
        return " ".join(element.text for element in browser.find_elements(By.CSS_SELECTOR, selector))

    def click(xpath):
        wait.until(lambda b: [e for e in b.find_elements(By.XPATH, xpath) if e.is_displayed()])[0].click()

    browser.get(page)
    wait.until(lambda b: "ridge" in text("#board"))
    assert "constant" in text("#board")
    browser.find_elements(By.CSS_SELECTOR, "input[aria-label='Task']")[0].click()
    click("//*[@role='option'][contains(., 'T4')]")
    wait.until(lambda b: "logistic-regression" in text("#board") and "ridge" not in text("#board"))

    click("//button[@role='tab'][contains(., 'Submit')]")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    browser.find_element(By.CSS_SELECTOR, "#predictions input[type=file]").send_keys(str(broken))
    wait.until(lambda b: "broken" in text("#predictions"))
    click("//button[@id='score']")
    wait.until(lambda b: "Not scored: broken.parquet is not Parquet" in text("#outcome"))

    click("//*[@id='predictions']//button[contains(@aria-label, 'lear') or contains(@aria-label, 'emove')]")
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#predictions input[type=file]"))
    browser.find_element(By.CSS_SELECTOR, "#predictions input[type=file]").send_keys(str(predictions))
    wait.until(lambda b: "oracle" in text("#predictions"))
    wait.until(lambda b: [e for e in b.find_elements(By.CSS_SELECTOR, "textarea") if e.is_displayed()])[0].send_keys(
        "oracle 1"
    )
    click("//button[@id='score']")
    wait.until(lambda b: "r2 1.0000" in text("#outcome"))
    wait.until(lambda b: "➤ oracle 1" in text("#place") and "submitted" in text("#place"))
    if os.environ.get("MAGBRIDGE_SCREENSHOT"):
        browser.save_screenshot(os.environ["MAGBRIDGE_SCREENSHOT"])
