"""The leaderboard page in headless Chromium: readable, sortable, accessible, and asking for nothing from anywhere."""

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmark.leaderboard.boards import leaderboard
from benchmark.leaderboard.charts import cost_chart
from benchmark.leaderboard.page import FOLDED, to_html
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
    "--virtual-time-budget=20000",
)

PROBE = """
const all = (root, what) => Array.from(root.querySelectorAll(what));
const visible = (e) => e.checkVisibility();
const boards = () => all(document, ".board").filter(visible);
const models = (board) => all(board, "tr[data-model]:not([hidden]) th").map((cell) => cell.textContent);
const tab = (label) => all(document, ".tabs label").find((e) => e.textContent === label).control.click();
const seen = {tabs: all(document, ".tabs label").map((e) => e.textContent)};
const told = (b) => [b.dataset.task, b.dataset.release];
seen.releases = seen.tabs.map((label) => { tab(label); return boards().map(told); });
tab("v1");
const first = boards().find((b) => b.dataset.task === "t2");
const header = (name) => all(first, "thead th").find((th) => th.textContent === name);
const press = (name) => header(name).querySelector("button").click();
seen.columns = all(first, "thead th").filter(visible).map((e) => e.textContent);
seen.start = models(first);
press("score"); seen.score = models(first); seen.scoreSort = header("score").getAttribute("aria-sort");
press("score"); seen.scoreUp = models(first); seen.rankSort = header("rank").getAttribute("aria-sort");
press("model"); seen.byModel = models(first); press("rank");
const find = (text) => { byId("model").value = text; byId("model").dispatchEvent(new Event("input")); };
find("FOREST"); seen.forest = models(first); seen.forestStatus = byId("status").textContent;
find("no such model"); seen.none = boards().length; find("");
const boxes = all(document, ".scroll").filter((box) => visible(box) && box.querySelector("table"));
seen.wide = boxes.filter((box) => box.scrollWidth > box.clientWidth).length;
byId("all").click(); seen.all = all(first, "thead th").filter(visible).length; byId("all").click();
seen.tables = boxes.length;
seen.unreachable = boxes.filter((box) => box.tabIndex !== 0 || !box.getAttribute("aria-label")).length;
seen.pageWide = document.documentElement.scrollWidth > innerWidth;
for (const folded of document.querySelectorAll("details")) folded.open = true;
const outside = (text) => {
  const box = text.getBBox(), view = text.ownerSVGElement.viewBox.baseVal;
  return box.x < 0 || box.x + box.width > view.width || box.y < 0 || box.y + box.height > view.height;
};
const words = all(document, "svg text").filter(visible);
seen.words = words.length; seen.cut = words.filter(outside).map((text) => text.textContent);
seen.requests = performance.getEntriesByType("resource").length;
seen.errors = window.problems;
axe.run({resultTypes: ["violations"]}).then((found) => {
  seen.serious = found.violations.filter((v) => ["serious", "critical"].includes(v.impact))
    .map((v) => v.id + ": " + v.nodes[0].html.slice(0, 200));
  const probe = document.createElement("pre");
  probe.id = "probe";
  probe.textContent = JSON.stringify(seen);
  document.body.append(probe);
});
"""


@pytest.fixture(scope="module")
def boards():
    return leaderboard([result for path in shipped_files() for result in read_results(path)])


@pytest.fixture(scope="module")
def page(boards):
    return to_html(boards)


def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on this machine: the page's behaviour is tested where there is one")
    return found


@pytest.fixture(scope="module", params=[1300, 400])
def seen(page, request, tmp_path_factory):
    """What a visitor who presses the page's buttons gets to see, in a window of this width."""
    axe = pytest.importorskip("axe_core_python", reason="the extra [test] is not installed")
    folder = tmp_path_factory.mktemp("page")
    watch = '<script>window.problems = []; addEventListener("error", (e) => problems.push(e.message));</script>'
    rules = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    html = page.replace("<body>", f"<body>{watch}", 1)
    html = html.replace("</body>", f"<script>{rules}</script><script>{PROBE}</script></body>")
    (folder / "page.html").write_text(html, encoding="utf-8")
    dom = subprocess.run(
        [
            chromium(),
            *FLAGS,
            f"--window-size={request.param},1200",
            f"--user-data-dir={folder / 'profile'}",
            "--dump-dom",
            (folder / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    probe = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.S)
    assert probe, f"the probe did not run: {dom[-500:]}"
    return json.loads(probe.group(1)) | {"width": request.param}


def test_a_tab_shows_the_boards_of_its_release(seen):
    assert seen["tabs"][-1] == "v1", "the newest first"
    for label, shown in zip(seen["tabs"], seen["releases"]):
        assert shown and {release for _, release in shown} == {label}
        assert len({task for task, _ in shown}) == len(shown), "other seeds and the leaking split are folded"


def test_at_1300_pixels_every_ranked_column_shows_without_scrolling(seen):
    ranked = ["rank", "model", "score", "95 % interval", "gain", "per visit"]
    assert seen["columns"] == ranked and seen["all"] == len(ranked) + len(FOLDED)
    assert not seen["pageWide"], "tables scroll in their boxes, never the page"
    assert seen["width"] < 1300 or seen["wide"] == 0


def test_sorts_by_any_column(seen, boards):
    (board,) = [b for b in boards if b.task == "t2" and not b.leaks and b.release == "v1"]
    means = {entry.result.model: entry.result.mean() for entry in board.entries}
    assert seen["start"] == [entry.result.model for entry in board.entries]
    assert [means[m] for m in seen["score"]] == sorted(means.values(), reverse=True)
    assert [means[m] for m in seen["scoreUp"]] == sorted(means.values())
    assert seen["byModel"] == sorted(means)
    assert (seen["scoreSort"], seen["rankSort"]) == ("descending", "none")


def test_finds_a_model_in_every_board(seen, boards):
    assert seen["forest"] == ["random-forest"] and seen["none"] == 0
    count = sum("forest" in entry.result.model for board in boards for entry in board.entries)
    assert seen["forestStatus"] == f"{count} results"


def test_keyboard_and_screen_reader_get_everything(seen):
    assert seen["tables"] > seen["unreachable"] == 0, "each table's box takes the focus and has a name"
    assert seen["serious"] == []


def test_no_word_of_a_chart_is_cut_off(seen):
    assert seen["words"] > 20 and seen["cut"] == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1300, 1920])
def test_pictures_of_the_page(page, tmp_path, width, scheme):
    """Drawn at each width in both schemes: a page of its own background, with something on it."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    picture = tmp_path / "page.png"
    options = [f"--window-size={width},1500", f"--screenshot={picture}", "--hide-scrollbars"]
    options += [f"--blink-settings=preferredColorScheme={int(scheme == 'light')}", f"--user-data-dir={tmp_path / 'p'}"]
    subprocess.run([chromium(), *FLAGS, *options, (tmp_path / "page.html").as_uri()], check=True, capture_output=True)
    from matplotlib import image

    pixels = image.imread(picture)[:, :, :3]
    assert pixels.shape[1] == width
    assert (pixels[5, 5].mean() > 0.5) == (scheme == "light")
    assert 0.02 < (np.abs(pixels - pixels[5, 5]).max(axis=2) > 0.3).mean() < 0.5


def test_of_two_models_that_score_the_same_the_cheaper_is_named(boards):
    (board,) = [b for b in boards if b.task == "t1" and not b.leaks and b.release == "v1"]
    first = board.entries[0]
    dear = dataclasses.replace(first.result, model="a-dear-one", seconds=9 * first.result.seconds)
    chart = cost_chart(dataclasses.replace(board, entries=(dataclasses.replace(first, result=dear), first)))
    assert f">{first.result.model}</text>" in chart and ">a-dear-one</text>" not in chart


def test_asks_for_nothing_and_runs_without_errors(seen, page):
    assert seen["requests"] == 0 and seen["errors"] == []
    assert not re.search(r'(src\s*=|url\(|<link[^>]*href=)\s*["\']?(https?:|//)', page)
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
        pooling="scan",
        test_data_leakage=False,
        replication_code=True,
        code="https://example.org/?a=1&b=2",
    )
    html = to_html(boards, [entry])
    link = '<a href="https://example.org/?a=1&amp;b=2" rel="nofollow">code</a>'
    assert f"Ada &lt;Lovelace&gt;, 2026-11-21; reported by its author. {link}" in html
    models = {e.result.model for board in boards for e in board.entries}
    assert all(f'<dt id="model-{model}">' in html for model in models)
    assert set(re.findall(r'href="#model-([^"]+)"', html)) == models


def test_the_headline_table_names_the_boards_first_entries(page, boards):
    winners = re.findall(r'<table class="winners">(.*?)</table>', page, re.S)
    honest = [b for b in boards if not b.leaks and not b.other_seed]
    assert sum(len(re.findall(r'<th scope="row">', table)) for table in winners) == len(honest)
    for board in honest:
        first = board.entries[0]
        row = f"{board.task.upper()} [^<]*</th><td><a [^>]*>{first.result.model}</a></td>.*?{first.result.mean():.3f} ±"
        assert any(re.search(row, table) for table in winners)


def test_what_is_not_ranked_stands_below_the_entries(page, boards):
    assert page.count('<tbody class="nulls">') == len(boards)
    assert all("chance" in body for body in re.findall(r'<tbody class="nulls">(.*?)</tbody>', page, re.S))


def test_leaking_split_and_other_seeds_are_folded(page):
    for name in ("others", "leaking"):
        assert f'<details class="group {name}">' in page


def test_reads_without_javascript(page, boards):
    for board in boards:
        for entry in board.entries:
            assert f"{entry.result.mean():.3f} ± " in page
    assert 'lang="en"' in page and to_html([]).count("No results.") == 1
