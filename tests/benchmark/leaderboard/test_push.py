"""Metric and leaderboard as Spaces: what is pushed is whole, and the pushed page scores a file in a real browser."""

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
import requests

from benchmark import evaluate_model
from benchmark.baselines import get_model
from benchmark.data import dataset_info, load_task
from benchmark.leaderboard import submissions
from benchmark.leaderboard.push import leaderboard_files, metric_files
from benchmark.predictions import write_predictions
from benchmark.results import write_result
from dataset_card.errors import MagBridgeError
from tests.hub import LoopbackHub, Repo

ROOT = Path(__file__).parents[3]
DATASET, SPACE, METRIC = "USER/magbridge-battery", "USER/leaderboard", "USER/magbridge_metric"
ENTRIES = "USER/submissions"
LEADERBOARD = ("leaderboard", "--repo", SPACE, "--data", DATASET, "--submissions", ENTRIES)
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
        hub.repos["dataset", ENTRIES] = entries = Repo(private=False)
        entries.commit("main", {"README.md": b"Submissions"}, "an empty dataset")
        yield hub


@pytest.fixture(scope="module")
def push(hub, tmp_path_factory):
    return functools.partial(hub.python, tmp_path_factory.mktemp("home"), "-m", "benchmark", "push")


@pytest.fixture(scope="module")
def pushed(hub, push, results):
    """Both Spaces, published."""
    metric = push("metric", "--repo", METRIC, "--json")
    board = push(*LEADERBOARD, "--results", results, "--json")
    for outcome in (metric, board):
        assert outcome.returncode == 0 and outcome.stderr == "", outcome.stderr
    return [json.loads(outcome.stdout)["url"] for outcome in (metric, board)]


def test_each_space_is_one_commit_of_what_the_dry_run_lists(hub, push, pushed, results):
    assert pushed == [f"{hub.url}/spaces/{METRIC}", f"{hub.url}/spaces/{SPACE}"]
    expected = {METRIC: metric_files(METRIC), SPACE: leaderboard_files(DATASET, results, ENTRIES)}
    of_results = {name for name in expected[SPACE] if name.startswith("benchmark/results/")}
    assert {Path(name).suffix for name in of_results} == {".py", ".json", ".yaml"}, "code, schema and words"
    assert not any(name.startswith("benchmark/results/analysis/") for name in of_results)
    for repo_id, files in expected.items():
        assert len(hub.repos["space", repo_id].commits) == 2
        content = {name: f if isinstance(f, bytes) else f.read_bytes() for name, f in files.items()}
        assert hub.files("space", repo_id) == content | {".gitattributes": b""}
    plan = push(*LEADERBOARD, "--results", results, "--dry-run", "--json")
    sizes = {name: len(data) for name, data in hub.files("space", SPACE).items() if name != ".gitattributes"}
    assert json.loads(plan.stdout)["files"] == sizes


def test_an_entry_that_the_space_could_not_read_is_refused_here(results, tmp_path, monkeypatch):
    """A link above all: the file of this machine that it points to would be published."""
    shutil.copytree(submissions.SUBMISSIONS, tmp_path / "entries")
    (tmp_path / "entries/example-ridge/README.md").symlink_to("/etc/hostname")
    monkeypatch.setattr(submissions, "SUBMISSIONS", tmp_path / "entries")
    with pytest.raises(MagBridgeError, match="example-ridge/README.md is a link"):
        leaderboard_files(DATASET, results)


def test_the_metric_loads_from_its_space(hub, pushed, tmp_path):
    code = (
        "import evaluate\n"
        f"metric = evaluate.load('{METRIC}', 't4')\n"
        "labels = ['temporal_warp', 'sensor_dropout']\n"
        "print(metric.compute(predictions=labels, references=labels)['balanced_accuracy'])"
    )
    outcome = hub.python(tmp_path, "-c", code, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    assert float(outcome.stdout) == 1.0


def test_mistakes_in_a_push_are_one_plain_error(push, hub, tmp_path):
    hub.repos["space", "USER/game"] = repo = Repo(private=False)
    repo.commit("main", {"app.py": b"play()"}, "a game")
    mistakes = {
        "repository 'a/b/c': expected USER/NAME": ("leaderboard", "--repo", "a/b/c", "--data", DATASET, "--dry-run"),
        "repository 'user/': expected USER/NAME": (*LEADERBOARD[:-1], "user/", "--dry-run"),
        "has other content (app.py": ("leaderboard", "--repo", "USER/game", "--data", DATASET),
        "expected USER/magbridge_metric": ("metric", "--repo", "USER/other", "--dry-run"),
        "the leaderboard needs the dataset": ("leaderboard", "--repo", SPACE),
        "no results at": ("leaderboard", "--repo", SPACE, "--data", DATASET, "--results", tmp_path),
    }
    for words, arguments in mistakes.items():
        outcome = push(*arguments)
        assert outcome.returncode == 1 and outcome.stderr.startswith("error: ") and words in outcome.stderr, (
            outcome.stderr
        )
    assert hub.files("space", "USER/game") == {"app.py": b"play()"}


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
    uploads = tmp_path_factory.mktemp("uploads")
    absent = tmp_path_factory.mktemp("absent")
    (absent / "sitecustomize.py").write_text(f"import sys\nsys.modules |= dict.fromkeys({NOT_ON_THE_SPACE})\n")
    environment = hub.env(tmp_path_factory.mktemp("home"))
    environment |= {"GRADIO_SERVER_PORT": port, "PYTHONPATH": str(absent), "NO_PROXY": "127.0.0.1"}
    environment |= {"GRADIO_TEMP_DIR": str(uploads), "HF_TOKEN": "secret"}
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
    yield address, uploads
    server.terminate()
    server.wait(30)
    log.close()


def submit(address, name, content, session):
    """What the page says of a file, asked for as the browser does it: upload, place in the queue, events."""
    path = requests.post(
        f"{address}/submit/gradio_api/upload", files={"files": (name, content)}, timeout=PATIENCE_S
    ).json()[0]
    file = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
    call = {"data": [file, "t1", "", "", "", "", "", None, ""], "fn_index": 0, "session_hash": session}
    requests.post(f"{address}/submit/gradio_api/queue/join", json=call, timeout=PATIENCE_S).raise_for_status()
    with requests.get(
        f"{address}/submit/gradio_api/queue/data?session_hash={session}", stream=True, timeout=PATIENCE_S
    ) as events:
        for line in events.iter_lines():
            event = json.loads(line.removeprefix(b"data: ")) if line else {}
            if event.get("msg") == "process_completed":
                return event["output"]["data"][0]
    raise AssertionError("the page gave no answer")


def test_twenty_files_at_once_are_each_scored_and_none_stays(page, predictions):
    address, uploads = page
    good = predictions.read_bytes()
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(
            lambda n: submit(address, f"p{n}.parquet", good if n % 4 else b"no parquet", f"session{n}"), range(20)
        )
        for number, answer in enumerate(answers):
            expected = "r2 1.0000" if number % 4 else f"Not scored:** p{number}.parquet is not readable Parquet"
            assert expected in answer
    assert [path for path in uploads.rglob("*") if path.is_file()] == []


def test_the_same_file_of_many_at_once_is_scored_for_each(page, predictions):
    address, uploads = page
    whole = predictions.read_bytes()
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: submit(address, "same.parquet", whole, f"same{n}"), range(30)))
    assert all("r2 1.0000" in answer for answer in answers)
    assert [path for path in uploads.rglob("*") if path.is_file()] == []


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


def test_the_page_shows_boards_scores_a_file_and_proposes_it(browser, page, hub, predictions, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(browser, PATIENCE_S)

    def text(selector):
        return " ".join(element.text for element in browser.find_elements(By.CSS_SELECTOR, selector))

    def click(xpath):
        wait.until(lambda b: [e for e in b.find_elements(By.XPATH, xpath) if e.is_displayed()])[0].click()

    address, uploads = page
    browser.get(address)
    click("//label[@for='tab-2']")  # the example entry is of v1, whose tab comes first
    wait.until(lambda b: "ridge" in text(".release") and "logistic-regression" in text(".release"))
    assert "constant" in text("#models")
    click("//a[contains(., 'Submit predictions')]")

    def upload(path):
        wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#predictions input[type=file]"))
        browser.find_element(By.CSS_SELECTOR, "#predictions input[type=file]").send_keys(str(path))
        wait.until(lambda b: path.stem in text("#predictions"))
        click("//button[@id='score']")

    def fill(label, words):
        field = f"//label[contains(., '{label}')]//*[self::input or self::textarea]"
        wait.until(lambda b: [e for e in b.find_elements(By.XPATH, field) if e.is_displayed()])[0].send_keys(words)

    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    upload(broken)
    wait.until(lambda b: "Not scored: broken.parquet is not readable Parquet" in text("#outcome"))
    upload(predictions)
    wait.until(lambda b: "r2 1.0000" in text("#outcome"))
    assert "every prediction is right" in text("#outcome") and "fill in name, authors" in text("#outcome")
    wait.until(lambda b: "➤ your-predictions" in text("#place") and "submitted" in text("#place"))
    assert hub.repos["dataset", ENTRIES].branches.keys() == {"main"}

    for label, words in (("Name on", "oracle"), ("Authors", "Ada, Bob"), ("Licence", "MIT"), ("Description", "True.")):
        fill(label, words)
    fill("Trained on", "0" * 64)
    click("//label[contains(., 'each scan only')]")
    upload(predictions)
    wait.until(lambda b: "Kept as a pull request" in text("#outcome"))
    entry = hub.files("dataset", ENTRIES, "refs/pr/1")
    assert {"oracle/submission.yaml", "oracle/t1.parquet"} <= entry.keys()
    assert "/datasets/USER/submissions/discussions/1" in text("#outcome")
    assert [path for path in uploads.rglob("*") if path.is_file()] == []
    if os.environ.get("MAGBRIDGE_SCREENSHOT"):
        browser.save_screenshot(os.environ["MAGBRIDGE_SCREENSHOT"])
