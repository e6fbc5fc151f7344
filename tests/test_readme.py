"""A newcomer's path: every example of the README runs as printed, without network and with empty caches."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hub import LoopbackHub

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SET_UP_COMMANDS = 2
"""The first two bash blocks install, build and test: the gate runs them as they are."""

BLOCK = re.compile(r"^## (?P<heading>[^\n]+)$|^```(?P<language>python|bash)\n(?P<code>.*?)^```$", re.M | re.S)
NOWHERE = "http://127.0.0.1:9"
"""A proxy that refuses every connection: nothing outside this machine answers."""


@dataclass(frozen=True)
class Example:
    """One fenced block, and the heading that it stands under."""

    heading: str
    number: int
    language: str
    code: str


def examples(text: str) -> list[Example]:
    """The fenced python and bash blocks of a README in order, without its set-up commands."""
    found, heading, set_up = [], "", 0
    for match in BLOCK.finditer(text):
        if match["heading"]:
            heading = match["heading"]
        elif match["language"] == "bash" and set_up < SET_UP_COMMANDS:
            set_up += 1
        else:
            found.append(Example(heading, len(found) + 1, match["language"], match["code"]))
    return found


EXAMPLES = examples(README)


@pytest.fixture(scope="module")
def newcomer(tiny_release, tmp_path_factory):
    """Runs a command in a fresh clone with a release in ./magbridge-battery; the Hub is on the loopback."""
    clone = tmp_path_factory.mktemp("clone")
    for path in ROOT.iterdir():
        if path.name not in ("results", "magbridge-battery") and not path.name.startswith("."):
            (clone / path.name).symlink_to(path)
    shutil.copytree(tiny_release, clone / "magbridge-battery")
    with LoopbackHub() as hub:
        environment = hub.env(tmp_path_factory.mktemp("home"), token="any-token")
        environment.pop("MAGBRIDGE_UPSTREAM", None)
        environment |= {
            "MAGBRIDGE_CACHE": str(tmp_path_factory.mktemp("cache")),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"])),
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1,localhost",
        }

        def run(*command):
            return subprocess.run(command, cwd=clone, env=environment, text=True, capture_output=True, timeout=400)

        yield run


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda e: f"{e.number}-{e.heading.lower().replace(' ', '-')}-{e.language}"
)
def test_the_example_runs_as_printed(newcomer, example):
    if "hqvqvae" in example.code or "plot" in example.code:
        pytest.importorskip("torch")
        pytest.importorskip("matplotlib")
    interpreter = (sys.executable, "-c") if example.language == "python" else ("bash", "-euo", "pipefail", "-c")
    outcome = newcomer(*interpreter, example.code)
    assert outcome.returncode == 0, f"{example.code}\n{outcome.stdout[-1000:]}\n{outcome.stderr[-3000:]}"
    assert outcome.stdout.strip() or "print(" not in example.code


def test_each_of_the_four_uses_has_an_example():
    code = "\n".join(example.code for example in EXAMPLES)
    for use in (
        'load_dataset("magbridge-battery", "by_cell_primary")',
        "evaluate_model(",
        "HQVQVAEModel.from_pretrained(",
        ".generate(",
    ):
        assert use in code


def test_the_first_two_bash_blocks_install_and_test():
    first, second = re.findall(r"^```bash\n(.*?)^```$", README, re.M | re.S)[:SET_UP_COMMANDS]
    assert "pip install" in first and "python -m bridge build" in first
    assert "pip install" in second and "pytest" in second


def test_every_command_that_the_readme_names_exists():
    import typer

    named = set(re.findall(r"python -m (bridge|benchmark|hqvqvae) ([a-z-]+)", README))
    assert named
    for package, command in named:
        application = importlib.import_module(f"{package}.__main__").app
        assert command in typer.main.get_command(application).commands, f"python -m {package} {command}"


def test_every_file_that_the_readme_names_exists():
    for name in re.findall(r"^\| `([\w./-]+)` \|", README, re.M):
        assert (ROOT / name).exists(), name


def test_examples_are_found_under_their_headings():
    text = (
        "```bash\na\n```\n## One\n```python\nx = 1\n```\n```bash\nb\n```\n## Two\n```text\nno\n```\n```bash\nc\n```\n"
    )
    assert examples(text) == [Example("One", 1, "python", "x = 1\n"), Example("Two", 2, "bash", "c\n")]


ROW = re.compile(
    r"^\| T(?P<task>\d), [^|]+ \| `(?P<model>[\w-]+)` \| (?P<score>[\d.]+) \| (?P<low>[\d.]+) to (?P<high>[\d.]+) "
    r"\| (?P<cross_validation>[\d.]+) \|$",
    re.M,
)


@pytest.mark.parametrize(
    "path, editions",
    [
        ("README.md", ("v1", "v2")),
        ("dataset_card/cards/templates/card.md", ("v1",)),
        ("dataset_card/cards/templates/card_v2.md", ("v2",)),
    ],
)
def test_tables_of_results_are_the_shipped_ones(path, editions):
    from benchmark.results import SHIPPED, read_results
    from dataset_card.contract.schema import MASTER_SEED

    rows = [match.groupdict() for match in ROW.finditer((ROOT / path).read_text(encoding="utf-8"))]
    assert len(rows) == 4 * len(editions)
    for number, row in enumerate(rows):
        shipped = read_results(SHIPPED / "v2" if editions[number // 4] == "v2" else SHIPPED)
        own = [
            r
            for r in shipped
            if (r.task, r.model, r.split, r.dataset.seed)
            == (f"t{row['task']}", row["model"], "by_cell_primary", MASTER_SEED)
        ]
        official = next(r for r in own if r.protocol in ("rows", "full"))
        by_cell = next(r for r in own if r.protocol == "cross_validation")
        found = [official.mean(), *official.interval(), by_cell.mean()]
        assert [f"{value:.3f}" for value in found] == [row[k] for k in ("score", "low", "high", "cross_validation")]
