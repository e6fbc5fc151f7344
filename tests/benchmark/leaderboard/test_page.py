"""The leaderboard page in headless Chromium: it sorts, filters and asks for nothing from anywhere."""

import dataclasses
import json
import re
import shutil
import subprocess

import pytest

from benchmark.leaderboard.boards import leaderboard
from benchmark.leaderboard.charts import cost_chart
from benchmark.leaderboard.page import to_html
from benchmark.leaderboard.submissions import Submission
from benchmark.results import read_results, shipped_files

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=2000",
)

PROBE = """
const models = (board) => Array.from(board.querySelectorAll("tbody tr:not([hidden]) th"), (cell) => cell.textContent);
const boards = () => Array.from(document.querySelectorAll(".board:not([hidden])"),
                                (board) => [board.dataset.task, board.dataset.split]);
const first = document.querySelector('.board[data-task="t2"]');
const header = (name) => Array.from(first.querySelectorAll("thead th")).find((th) => th.textContent === name);
const press = (name) => header(name).querySelector("button").click();
const set = (id, value) => { byId(id).value = value; byId(id).dispatchEvent(new Event("input")); };
const seen = {start: models(first), status: byId("status").textContent};
press("score"); seen.score = models(first); seen.scoreSort = header("score").getAttribute("aria-sort");
press("score"); seen.scoreUp = models(first); seen.rankSort = header("rank").getAttribute("aria-sort");
press("model"); seen.byModel = models(first);
set("task", "t2"); seen.task = boards();
set("split", "by_record_optimistic_baseline"); seen.leaking = boards();
seen.honestHidden = byId("honest").hidden;
set("split", ""); set("release", "v1, seed 2"); seen.release = boards();
seen.groupsHidden = ["honest", "leaking"].every((id) => byId(id).hidden);
set("release", "v1"); set("model", "FOREST");
seen.forest = models(first); seen.forestStatus = byId("status").textContent;
set("model", "no such model"); seen.none = boards();
set("release", ""); set("model", ""); set("task", "t2");
const tops = (width) => {
  document.body.style.width = width;
  const [left, right] = Array.from(document.querySelectorAll("#honest .board:not([hidden])"));
  return left.getBoundingClientRect().top === right.getBoundingClientRect().top;
};
seen.beside = [tops("1300px"), tops("400px")];
document.body.style.width = "400px";
const tables = Array.from(document.querySelectorAll(".scroll")).filter((box) => box.querySelector("table"));
const sideways = (box) => { box.scrollLeft = 1e4; return box.scrollLeft > 0; };
seen.tables = tables.length; seen.sideways = tables.filter(sideways).length;
seen.unreachable = tables.filter((box) => box.tabIndex !== 0 || !box.getAttribute("aria-label")).length;
seen.unnamed = Array.from(document.querySelectorAll("input, select, button, a"))
  .filter((e) => !(e.labels && e.labels.length) && !e.textContent.trim()).length;
const rows = Array.from(document.querySelectorAll("tbody tr"));
seen.headless = rows.filter((row) => !row.querySelector("th[scope=row]")).length;
for (const folded of document.querySelectorAll("details")) folded.open = true;
const outside = (text) => {
  const box = text.getBBox(), view = text.ownerSVGElement.viewBox.baseVal;
  return box.x < 0 || box.x + box.width > view.width || box.y < 0 || box.y + box.height > view.height;
};
const words = Array.from(document.querySelectorAll("svg text"));
seen.words = words.length; seen.cut = words.filter(outside).map((text) => text.textContent);
seen.requests = performance.getEntriesByType("resource").length;
seen.errors = window.problems;
const probe = document.createElement("pre");
probe.id = "probe";
probe.textContent = JSON.stringify(seen);
document.body.append(probe);
"""


@pytest.fixture(scope="module")
def boards():
    return leaderboard([result for path in shipped_files() for result in read_results(path)])


@pytest.fixture(scope="module")
def page(boards):
    return to_html(boards)


@pytest.fixture(scope="module")
def seen(page, tmp_path_factory):
    """What a visitor who presses the page's buttons gets to see."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine: the page's behaviour is tested where there is one")
    folder = tmp_path_factory.mktemp("page")
    watch = '<script>window.problems = []; addEventListener("error", (e) => problems.push(e.message));</script>'
    file = folder / "page.html"
    file.write_text(
        page.replace("<body>", f"<body>{watch}", 1).replace("</body>", f"<script>{PROBE}</script></body>"),
        encoding="utf-8",
    )
    dom = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    probe = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.S)
    assert probe, f"the probe did not run: {dom[-500:]}"
    return json.loads(probe.group(1))


def test_starts_ranked_and_shows_everything(seen, boards):
    (board,) = [b for b in boards if b.task == "t2" and not b.leaks and b.release == "v1"]
    assert seen["start"] == [entry.result.model for entry in board.entries]
    assert seen["status"] == f"{sum(len(b.entries) for b in boards)} results shown"


def test_sorts_by_any_column(seen, boards):
    (board,) = [b for b in boards if b.task == "t2" and not b.leaks and b.release == "v1"]
    means = {entry.result.model: entry.result.mean() for entry in board.entries}
    assert [means[m] for m in seen["score"]] == sorted(means.values(), reverse=True)
    assert [means[m] for m in seen["scoreUp"]] == sorted(means.values())
    assert seen["byModel"] == sorted(means)
    assert (seen["scoreSort"], seen["rankSort"]) == ("descending", "none")


def test_filters_by_task_split_and_model(seen, boards):
    leaking = sum(board.leaks and board.task == "t2" for board in boards)
    assert {task for task, _ in seen["task"]} == {"t2"}
    assert len(seen["task"]) == 2 * (1 + 3) + leaking, "v1 and v2, each with three more seeds, and what leaks"
    assert seen["leaking"] == leaking * [["t2", "by_record_optimistic_baseline"]] and seen["honestHidden"]
    assert seen["release"] == [["t2", "by_cell_primary"]] and seen["groupsHidden"]
    assert seen["forest"] == ["random-forest"] and seen["forestStatus"] == "2 results shown"
    assert seen["none"] == []


def test_keyboard_and_screen_reader_get_everything(seen):
    assert seen["sideways"] > 0, "some table is wider than a telephone"
    assert seen["tables"] > seen["unreachable"] == 0, "each table's box takes the focus and has a name"
    assert seen["unnamed"] == 0 and seen["headless"] == 0


def test_no_word_of_a_chart_is_cut_off(seen):
    assert seen["words"] > 100 and seen["cut"] == []


def test_of_two_models_that_score_the_same_the_cheaper_is_named(boards):
    (board,) = [b for b in boards if b.task == "t1" and not b.leaks and b.release == "v1"]
    first = board.entries[0]
    dear = dataclasses.replace(first.result, model="a-dear-one", seconds=9 * first.result.seconds)
    chart = cost_chart(dataclasses.replace(board, entries=(dataclasses.replace(first, result=dear), first)))
    assert f">{first.result.model}</text>" in chart and ">a-dear-one</text>" not in chart


def test_asks_for_nothing_and_runs_without_errors(seen, page):
    assert seen["requests"] == 0 and seen["errors"] == []
    assert not re.search(r'(src|href|url\()\s*=?\s*["\']?(https?:|//)', page)
    assert "default-src 'none'" in page


def test_names_cannot_break_out_of_the_page(boards):
    board = boards[0]
    entry = board.entries[0]
    evil = dataclasses.replace(entry.result, description='"><script>alert(1)</script>')
    hostile = dataclasses.replace(
        board, dataset_label="<img onerror=x>", entries=(dataclasses.replace(entry, result=evil),)
    )
    html = to_html([hostile])
    assert "<script>alert" not in html and "<img" not in html


def test_models_link_to_what_is_known_of_them(boards):
    entry = Submission(
        name="ridge",
        version="1.0",
        authors=["Ada <Lovelace>"],
        description="x",
        licence="MIT",
        date="2026-11-21",
        release="0" * 64,
        tasks={},
        trained_on=[],
        test_data_leakage=False,
        replication_code=True,
        code="https://example.org/?a=1&b=2",
    )
    html = to_html(boards, [entry])
    link = '<a href="https://example.org/?a=1&amp;b=2" rel="nofollow">code</a>'
    assert f"Ada &lt;Lovelace&gt;, 2026-11-21. {link}" in html
    models = {e.result.model for board in boards for e in board.entries}
    assert all(f'<dt id="model-{model}">' in html for model in models)
    assert set(re.findall(r'href="#model-([^"]+)"', html)) == models


def test_v1_and_v2_stand_beside_each_other(page, seen):
    pair = page[page.index('<div id="honest"') : page.index('<details id="others"')].split('<div class="pair">')[1:]
    assert len(pair) == 4
    for task, boards in zip(("t1", "t2", "t3", "t4"), pair):
        assert re.findall(r'data-task="(t\d)" data-split="\w+" data-release="([^"]+)"', boards) == [
            (task, "v1"),
            (task, "v2"),
        ]
    assert page.count("First on each task: ") == 2
    assert seen["beside"] == [True, False], "at 1300 pixels, at 400"


def test_a_board_of_one_task_has_no_summary(boards):
    assert 'id="summary"' in to_html(boards)
    assert 'id="summary"' not in to_html([board for board in boards if board.task == "t1"])


def test_leaking_split_and_other_seeds_are_folded(page):
    for name in ("others", "leaking"):
        assert f'<details id="{name}" class="group">' in page


def test_reads_without_javascript(page, boards):
    for board in boards:
        for entry in board.entries:
            assert f"{entry.result.mean():.3f} ± " in page
    assert page.count("<label>") == 4 and page.count("<caption") == len(boards) + 2 and 'lang="en"' in page
