"""The direction of dependencies, between packages and inside them, and what an import may load."""

import ast
import importlib
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ["magbridge", "magbridge_battery", "bridge", "benchmark", "dataset_card"]
"""Each may import the later ones, never an earlier one: `magbridge` is the command, above everything."""
PACKAGES = [*ORDER[2:], "hqvqvae"]


def sources(package: str) -> list[Path]:
    single = ROOT / f"{package}.py"
    return [single] if single.is_file() else sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imports_of(path: Path) -> set[str]:
    """Full names of the modules that a file imports anywhere, inside functions too."""
    package = name_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            inner = {f"{module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if is_module(name)}
            found |= modules
            if modules != inner:
                found.add(module)
    return found


def packages_imported(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


ALLOWED = {
    "magbridge": {"magbridge_battery", "bridge", "benchmark", "hqvqvae", "dataset_card"},
    "magbridge_battery": {"bridge", "benchmark", "dataset_card"},
    "bridge": {"benchmark", "dataset_card"},
    "benchmark": {"dataset_card", "hqvqvae"},  # it may run the model as a baseline
    "hqvqvae": {"dataset_card"},
    "dataset_card": set(),
}
HUB_FILES = [
    "bottleneck",
    "circuit",
    "configuration_hqvqvae",
    "errors",
    "fsq",
    "modeling_hqvqvae",
    "pennylane_circuit",
    "quantizer",
]
"""Of `hqvqvae/`: they travel to the Hub with the weights and stand alone there."""


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_run_one_way(package):
    assert sources(package)
    for path in sources(package):
        assert packages_imported(path) & set(ALLOWED) <= ALLOWED[package] | {package}, path


def test_the_files_on_the_hub_stand_alone():
    imported = {name for file in HUB_FILES for name in imports_of(ROOT / "hqvqvae" / f"{file}.py")}
    assert imported & {f"hqvqvae.{file}" for file in HUB_FILES}
    ours = {name for name in imported if name.split(".")[0] in ALLOWED}
    assert ours <= {f"hqvqvae.{file}" for file in HUB_FILES}


def rooms(folder: str) -> dict[str, set[str]]:
    """What each file or package directly inside a package imports of its neighbours; faces (`__init__`) aside."""
    graph: dict[str, set[str]] = {}
    for path in sources(folder.replace(".", "/")):
        name = name_of(path)
        if name == folder:
            continue
        room = name.removeprefix(f"{folder}.").split(".")[0]
        neighbours = graph.setdefault(room, set())
        for target in imports_of(path):
            if target.startswith(f"{folder}."):
                neighbours.add(target.removeprefix(f"{folder}.").split(".")[0])
        neighbours.discard(room)
    return graph


FOLDERS = sorted({name_of(path) for package in PACKAGES for path in sources(package) if path.name == "__init__.py"})


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_import_climbs_inside_a_package(folder):
    graph = rooms(folder)
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"{folder}: {' imports '.join(reversed(error.args[1]))}")


def test_a_circle_through_a_lazy_import_is_seen(tmp_path, monkeypatch):
    for name, text in {
        "__init__": "",
        "low": "def f():\n    from house.high import g\n",
        "high": "from house.low import f\n",
    }.items():
        (tmp_path / "house").mkdir(exist_ok=True)
        (tmp_path / "house" / f"{name}.py").write_text(text)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert rooms("house") == {"low": {"high"}, "high": {"low"}}


def modules_under(module: str) -> set[str]:
    """Project modules that a module imports, directly or through others."""
    found: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        if name in found or not path.is_file():
            continue
        found.add(name)
        queue += imports_of(path)
    return found


def test_scoring_never_imports_running():
    loaded = modules_under("benchmark.scoring") | modules_under("benchmark.predictions.scored")
    assert "benchmark.tasks" in loaded
    assert not [m for m in loaded if m == "benchmark.protocol" or m.startswith("benchmark.baselines")]


@pytest.mark.parametrize("package", [*ORDER, "hqvqvae"])
def test_imports_are_light(package):
    heavy = ("torch", "transformers", "matplotlib", "pennylane")
    code = f"import {package}, sys; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert loaded == "[]\n"


def own_test(path: Path) -> Path:
    return ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.stem.strip('_')}.py")


@pytest.mark.parametrize("package", ["benchmark", "bridge", "hqvqvae"])
def test_a_shell_completes_every_public_name(package):
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))


def test_tests_mirror_the_source():
    """A module has a test at its own path, or serves one that has: private parts are tested through what uses them."""
    modules = {name_of(path): path for package in ALLOWED for path in sources(package)}
    reached, queue = set(), [name for name, path in modules.items() if own_test(path).is_file()]
    while queue:
        name = queue.pop()
        if name in modules and name not in reached:
            reached.add(name)
            queue += imports_of(modules[name])
    long = {name for name, path in modules.items() if len(path.read_text(encoding="utf-8").splitlines()) > 30}
    assert sorted(long - reached) == []


def test_every_test_has_a_place_in_the_source():
    apart = {"faults", "perf", "examples", "docs"}
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.parent.relative_to(ROOT / "tests")
        assert (ROOT / folder).is_dir() or folder.parts[0] in apart, path
