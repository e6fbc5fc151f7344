"""A newcomer's path: every example of the README runs as printed, from a wheel, without network, with empty caches."""

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
import typer
from packaging.specifiers import SpecifierSet

import magbridge
from tests.hub import LoopbackHub

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SET_UP_COMMANDS = 2
"""The first two bash blocks install, build and test: the gate runs them as they are."""

BLOCK = re.compile(r"^## (?P<heading>[^\n]+)$|^```(?P<language>python|bash)\n(?P<code>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Example:
    """One fenced block, and the heading that it stands under."""

    heading: str
    number: int
    language: str
    code: str


def examples(text: str, set_up: int = SET_UP_COMMANDS) -> list[Example]:
    """The fenced python and bash blocks of a page in order, without its first bash blocks, which set up."""
    found, heading = [], ""
    for match in BLOCK.finditer(text):
        if match["heading"]:
            heading = match["heading"]
        elif match["language"] == "bash" and set_up:
            set_up -= 1
        else:
            found.append(Example(heading, len(found) + 1, match["language"], match["code"]))
    return found


PAGES = ("leaderboard", "upstream", "publish")
"""Guides whose examples need nothing but a release; the others are run by tests of their own."""

EXAMPLES = examples(README) + [
    replace(example, heading=page)
    for page in PAGES
    for example in examples((ROOT / "docs" / "guides" / f"{page}.md").read_text(encoding="utf-8"), set_up=0)
]


@pytest.fixture(scope="module")
def newcomer(wheel, tiny_release, tmp_path_factory):
    """Run a command as a user: the wheel alone is installed, and a file of their own stands in front of a package.

    A release lies in ./magbridge-battery, the Hub is on the loopback.
    """
    python, folder = wheel.python, tmp_path_factory.mktemp("newcomer")
    (folder / "benchmark.py").write_text("raise SystemExit('a file of the user was run')\n")
    shutil.copytree(tiny_release, folder / "magbridge-battery")
    with LoopbackHub() as hub:
        environment = hub.env(tmp_path_factory.mktemp("home"), token="any-token")
        environment |= wheel.environment | {"PYTHONSAFEPATH": "1"}  # as `python -P`, which the README names

        def run(*command):
            return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=400)

        run.python = python
        yield run


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda e: f"{e.number}-{e.heading.lower().replace(' ', '-')}-{e.language}"
)
def test_the_example_runs_as_printed(newcomer, example):
    if "hqvqvae" in example.code or "plot" in example.code:
        pytest.importorskip("torch")
        pytest.importorskip("matplotlib")
    interpreter = (newcomer.python, "-c") if example.language == "python" else ("bash", "-euo", "pipefail", "-c")
    outcome = newcomer(*interpreter, example.code)
    assert outcome.returncode == 0, f"{example.code}\n{outcome.stdout[-1000:]}\n{outcome.stderr[-3000:]}"
    assert outcome.stdout.strip() or "print(" not in example.code


def test_each_of_the_four_uses_has_an_example():
    code = "\n".join(example.code for example in EXAMPLES)
    for use in (
        'load_dataset("magbridge-battery", "by_cell_primary")',
        "evaluate_model(",
        "HQVQVAEModel.from_pretrained(",
        "magbridge plot",
    ):
        assert use in code


def test_the_first_two_bash_blocks_install_and_test():
    first, second = re.findall(r"^```bash\n(.*?)^```$", README, re.M | re.S)[:SET_UP_COMMANDS]
    assert "pip install" in first and "magbridge build" in first
    assert "pip install" in second and "pytest" in second


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")) + [ROOT / "README.md"], ids=lambda p: p.stem)
def test_every_command_that_a_page_names_exists(page):
    root = typer.main.get_command(magbridge.command_line())
    for words in re.findall(r"\bmagbridge((?: [a-z-]+)+)", page.read_text(encoding="utf-8")):
        command = root
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, f"{page.name}: magbridge{words}"
            command = command.commands[word]


def test_every_pinned_version_installs_on_the_oldest_python():
    """Debian's 3.11.2 is one: pip searches for minutes before it refuses a version that asks for 3.11.5."""
    (oldest,) = re.findall(r"Python (3\.\d+) or later", README)
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    here = {name: distribution(name) for name in pinned if next(Distribution.discover(name=name), None)}
    asked = {name: found.metadata.get("Requires-Python", "") for name, found in here.items()}
    assert len(here) > 200 and [name for name in here if f"{oldest}.0" not in SpecifierSet(asked[name])] == []


def test_every_link_of_the_readme_leads_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_readme_is_one_page_and_begins_with_a_picture():
    lines = README.splitlines()
    assert len(lines) <= 100
    assert any(line.startswith("![") for line in lines[:20])


def test_examples_are_found_under_their_headings():
    text = (
        "```bash\na\n```\n## One\n```python\nx = 1\n```\n```bash\nb\n```\n## Two\n```text\nno\n```\n```bash\nc\n```\n"
    )
    assert examples(text) == [Example("One", 1, "python", "x = 1\n"), Example("Two", 2, "bash", "c\n")]


ROW = re.compile(
    r"^\| T(?P<task>\d), [^|]+ \| `(?P<model>[\w-]+)` \| (?P<score>[\d.]+) \| (?P<low>-?[\d.]+) to (?P<high>[\d.]+) "
    r"\| (?P<beside>[\d.]*) ?\|$",
    re.M,
)


@pytest.mark.parametrize("edition", ["v1", "v2"])
def test_tables_of_results_are_the_shipped_ones(edition):
    """The last column is the cross-validation of v1, and of v2 the score per visit where a task has one."""
    from benchmark.results import SHIPPED, read_results
    from dataset_card.contract.schema import MASTER_SEED

    card = ROOT / "dataset_card" / "cards" / "templates" / f"card_{edition}.md"
    rows = [match.groupdict() for match in ROW.finditer(card.read_text(encoding="utf-8"))]
    assert len(rows) == 4
    shipped = read_results(SHIPPED if edition == "v1" else SHIPPED / "v2")
    for row in rows:
        wanted = (f"t{row['task']}", row["model"], "by_cell_primary", MASTER_SEED)
        own = [r for r in shipped if (r.task, r.model, r.split, r.dataset.seed) == wanted]
        official = next(r for r in own if r.protocol in ("rows", "full"))
        if edition == "v1":
            beside = next(r.mean() for r in own if r.protocol == "cross_validation")
        else:
            beside = None if official.by_visit() is None else official.by_visit()[0]
        found = [official.mean(), *official.interval(), beside]
        assert ["" if v is None else f"{v:.3f}" for v in found] == [row[k] for k in ("score", "low", "high", "beside")]
